// What a visit says to grading and to the history. Twin of app/forms/facts.py.
import { worded } from './check.js';
import { holds } from './conditions.js';
import { trusted } from './read.js';
import { stripped } from './values.js';

const READINGS = ['bp', 'fpg', 'rbg'];

/** Grading facts of this one visit (shapes of grading.md §3); readings come as lists of one. */
export function factsFrom(form, answers, on, context) {
  const values = trusted(form, answers, context);
  const made = {};
  for (const rule of form.yields) {
    const value = rule.fact ? factOf(rule, values) : null;
    if (value === null) continue;
    if (rule.kind === 'reading') made[rule.fact] = [{ date: on, ...value }];
    else made[rule.fact] = rule.kind === 'latest' ? { date: on, ...value } : value;
  }
  return made;
}

/** Facts with those of one more visit; neither argument is changed. Rules as in Python. */
export function mergeFacts(facts, fresh) {
  const merged = { ...facts };
  for (const [key, value] of Object.entries(fresh)) {
    const old = merged[key];
    if (READINGS.includes(key)) merged[key] = mergeReadings(old || [], value);
    else if (!(isDated(old) && isDated(value) && old.date > value.date)) merged[key] = value;
  }
  return merged;
}

function isDated(fact) {
  return fact !== null && typeof fact === 'object' && 'date' in fact;
}

function mergeReadings(old, fresh) {
  const days = new Set(fresh.map((reading) => reading.date));
  const all = [...fresh, ...old.filter((reading) => !days.has(reading.date))];
  return all.sort((a, b) => (a.date === b.date ? 0 : a.date < b.date ? 1 : -1));
}

/** [{code, value, unit, on?}]: one row per measured thing. */
export function observations(form, answers, context) {
  const values = trusted(form, answers, context);
  const rows = [];
  for (const rule of form.yields) {
    const value = rule.measure ? values.get(rule.value) : factOf(rule, values);
    if (value === null) continue;
    const row = { code: rule.measure || rule.fact, value: bare(value), unit: rule.unit || '' };
    if (rule.on && values.get(rule.on) !== null) row.on = values.get(rule.on);
    rows.push(row);
  }
  return rows;
}

/** One line for the history: 186/104, 空腹血糖 7.8; empty if nothing fits. */
export function summary(form, answers) {
  const values = trusted(form, answers, null);
  const lost = values.get('lost_reason');
  if (lost !== null) {
    const field = form.fields.find((one) => one.key === 'lost_reason');
    return `未随访到，${field.options.find((option) => option.code === lost).zh}`;
  }
  const line = form.summary.find((one) => one.needs.every((key) => values.get(key) !== null));
  return line ? worded(line.zh, values) : '';
}

function factOf(rule, values) {
  if (rule.kind === 'conditions') return conditionsOf(rule, values);
  if (rule.needs.some((key) => values.get(key) === null)) return null;
  if (rule.kind === 'plain') return values.get(rule.fields.value);
  const made = {};
  for (const [name, source] of Object.entries(rule.fields)) {
    if (typeof source === 'string') made[name] = values.get(source);
    else if ('const' in source) made[name] = source.const;
    else if ('cond' in source) made[name] = holds(source.cond, values.of);
    else if (holds(source.only_if, values.of)) made[name] = true;
  }
  return made;
}

/** Codes of diagnoses; 无 is an empty list; what was written freely counts as other_1, other_2 … */
function conditionsOf(rule, values) {
  const codes = values.get(rule.fields.codes);
  const other = values.get(rule.fields.other);
  if (codes === null && other === null) return null;
  const written = (other || '').split(/[、，,；;]/).filter((name) => stripped(name) !== '');
  return [
    ...(codes || []).filter((code) => code !== 'none'),
    ...written.map((_, place) => `other_${place + 1}`),
  ];
}

function bare(value) {
  const inside =
    value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.values(value) : [];
  return inside.length === 1 && typeof inside[0] === 'number' ? inside[0] : value;
}
