// What a half-filled form would mean: the context it is judged in, the grade, the next date. Pure.

import { factsFrom, mergeFacts } from '../forms/facts.js';
import { explain, missingText } from '../grading/explain.js';
import { grade } from '../grading/grade.js';
import { daysBetween } from '../when.js';

const RANK = { unrated: 0, green: 1, yellow: 2, red: 3 };
const SPANS = {
  1: '明天',
  7: '一周内',
  14: '两周内',
  28: '四周内',
  30: '一个月内',
  60: '两个月内',
  90: '三个月内',
  180: '半年内',
};

/** `iso` and so many days. */
export function plusDays(iso, days) {
  return new Date(Date.parse(`${iso}T00:00:00Z`) + days * 86400000).toISOString().slice(0, 10);
}

/** 14 → 两周内; a number nobody has a word for → 20 天内. */
export function within(days) {
  return SPANS[days] || `${days} 天内`;
}

/** Values measured before, by field key: of the patient page, then of visits the server does not know yet. */
export function lastOf(data, form, visits) {
  const keys = new Set([...form.fields, ...form.computed].map((field) => field.key));
  const measured = Object.entries(data.measured || {}).filter(([key]) => keys.has(key));
  const last = { ...Object.fromEntries(measured), ...data.last?.[form.key] };
  for (const { payload } of visits) {
    const on = payload.visited_at.slice(0, 10);
    for (const [key, value] of Object.entries(payload.answers)) {
      const old = last[key];
      if (keys.has(key) && value !== null && !(old && old.on > on)) last[key] = { value, on };
    }
  }
  return last;
}

/**
 * The context of check(), without what the form's own header says.
 * @param {object} data of the patient page, as person.js reads it
 * @param {object[]} visits operations not yet in that block, oldest first
 * @param {?string} editing name of the visit being corrected (chart/visits.js)
 */
export function contextOf(data, form, visits, today, editing = null) {
  const days = [
    ...(data.visits || [])
      .filter((one) => one.form === form.key && one.name !== editing)
      .map((one) => one.visited_on),
    ...visits
      .filter(({ payload }) => payload.form === form.key)
      .map(({ payload }) => payload.visited_at.slice(0, 10)),
  ].sort();
  return {
    birth_date: data.birth_date,
    sex: data.sex,
    conditions: factsWith(data, visits, {}).conditions ?? null,
    today,
    // a correction is always written later; only a first record can be 补录
    previous_visit_on: editing ? null : days[days.length - 1] || null,
    days_with_visit: days,
    last: lastOf(data, form, visits),
  };
}

/** Facts of the data block with those of visits the server does not know yet. */
export function factsWith(data, visits, definitions) {
  return visits.reduce((facts, { payload }) => {
    const form = definitions[payload.form];
    return form
      ? mergeFacts(facts, factsFrom(form, payload.answers, payload.visited_at.slice(0, 10), {}))
      : facts;
  }, data.facts || {});
}

/**
 * The grade these answers lead to.
 * @returns {{result: object, words: object[], missing: string[], next_on: string, held: boolean}}
 *   held: a stored red stays until a clinician agrees
 */
export function gradeOf({ data, known, form, answers, context, visited_on, today, table }) {
  const on = visited_on && visited_on <= today ? visited_on : today;
  const facts = { ...mergeFacts(known, factsFrom(form, answers, on, context)), as_of: today };
  if (!facts.birth_date) facts.birth_date = data.birth_date;
  const result = grade(facts, table);
  const before = data.grade?.colour;
  return {
    result: { ...result, rule_version: table.rule_version },
    words: explain(facts, result, table),
    missing: result.missing.map((key) => missingText(key, table)),
    next_on: nextOn(on, result.due_in_days, today),
    held: before === 'red' && RANK[result.colour] < RANK.red,
  };
}

/** Counted from the visit, but never today or earlier. */
function nextOn(visited_on, days, today) {
  const day = plusDays(visited_on, days);
  return daysBetween(today, day) < 1 ? plusDays(today, 1) : day;
}
