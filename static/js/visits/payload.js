// The operation a filled form stands for (SYNC §4). Pure.

import { localIso } from '../when.js';

/** Now for today; noon of another day, on the phone's clock. */
export function visitedAt(day, now = new Date()) {
  const today = localIso(now).slice(0, 10);
  if (!day || day === today) return localIso(now);
  const [year, month, date] = day.split('-').map(Number);
  return localIso(new Date(year, month - 1, date, 12));
}

/**
 * @param {{form: object, patient_id: string, answers: object, header: object, grade: ?object,
 *   visit_id?: string, reason?: string, stated_at?: string}} what stated_at: the moment an earlier version
 *   of this record gave; kept while the day stays the same
 */
export function payloadOf({ form, patient_id, answers, header, grade, visit_id, reason, stated_at }, now) {
  const sameDay = stated_at && stated_at.slice(0, 10) === header.visited_on;
  const payload = {
    ...(visit_id ? { visit_id, reason } : { patient_id }),
    form: form.key,
    form_version: form.version,
    visited_at: sameDay ? stated_at : visitedAt(header.visited_on, now),
    mode: header.mode || 'home',
    answers,
  };
  if (grade) payload.grade = grade;
  if (header.next_visit_on) payload.next_visit_on = header.next_visit_on;
  return payload;
}

/** Pointers of a refusal as the form knows them: /payload/answers/sbp → /answers/sbp. */
export function errorsOf(result) {
  return (result?.errors || []).map((error) => ({
    code: error.code,
    message: error.message || '请核对。',
    pointer: (error.pointer || '').replace(/^\/payload/, '') || '/visited_at',
  }));
}
