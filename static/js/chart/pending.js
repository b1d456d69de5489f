// What the operations still on this phone change about one patient. Pure.

import { explain, missingText } from '../grading/explain.js';
import { grade } from '../grading/grade.js';
import { factsWith, plusDays } from '../visits/live.js';
import { isoDay } from '../when.js';

const RANK = { unrated: 0, green: 1, yellow: 2, red: 3 };

/** Operations about this patient, oldest first, by what they are. */
export function sorted(ops, patientId) {
  const mine = ops.filter((op) => (op.patient_id || op.payload.patient_id) === patientId);
  const of = (kind) => mine.filter((op) => op.kind === kind);
  return {
    visits: of('visit.create'),
    corrections: of('visit.correct'),
    orders: of('order.create'),
    transitions: of('order.transition'),
    changes: of('patient.update'),
  };
}

/** The local day a pending visit counts for. */
export function dayOf(op) {
  const stated = op.payload.visited_at;
  return /^\d{4}-\d\d-\d\d/.test(stated || '') ? stated.slice(0, 10) : isoDay(new Date(op.saved_at));
}

/** Form key -> whether its newest filling is still on this phone. A visit that found nobody does nothing. */
export function filledIn(visits) {
  const found = new Map();
  for (const op of visits) {
    if (!op.payload.answers?.lost_reason) found.set(op.payload.form, op.state !== 'done');
  }
  return found;
}

/**
 * The grade with the pending visits counted in.
 * @returns {?{colour: string, emergency: boolean, words: object[], missing: string[], held: ?string,
 *   next_on: string}} null without visits. `held`: the colour a clinician still has to agree to
 */
export function gradeWith(data, visits, definitions, table, today) {
  const newest = visits[visits.length - 1];
  if (!newest) return null;
  const before = data.grade?.colour;
  const facts = { ...factsWith(data, visits, definitions), as_of: today };
  const known = visits.every((op) => definitions[op.payload.form]);
  // Without the form's definition the phone's own answer of that visit stands, but without its words.
  const result = known || !newest.payload.grade ? grade(facts, table) : newest.payload.grade;
  const lower = before === 'red' && RANK[result.colour] < RANK.red;
  const on = dayOf(newest);
  return {
    colour: lower ? before : result.colour,
    emergency: Boolean(result.emergency),
    words: known ? explain(facts, result, table) : [],
    missing: result.missing.map((key) => missingText(key, table)),
    held: lower ? result.colour : null,
    next_on: newest.payload.next_visit_on || plusDays(on, result.due_in_days),
  };
}

/** [day, value] of each pending visit that measured `key` (sbp, dbp, fpg). */
export function readings(visits, key) {
  return visits
    .filter((op) => typeof op.payload.answers?.[key] === 'number')
    .map((op) => [dayOf(op), op.payload.answers[key]]);
}
