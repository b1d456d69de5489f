// The data block of a patient page: facts of grading.md §3 and the values shown as 上次. Pure.
// Twin: app/chart/data.py, which writes everything recorded once, below the day it was recorded on.

import { headOf } from '../offline/patient_page.js';
import { readingsIn } from './readings.js';
import { visitsIn } from './visits.js';

const READINGS = ['bp', 'fpg', 'rbg'];
const FIGURES = {
  fpg: 'mmol_l',
  rbg: 'mmol_l',
  pulse: 'bpm',
  temp: 'c',
  spo2: 'pct',
  adl: 'score',
  adherence: 'code',
};
const FIELDS = {
  bp: { sbp: 'sbp', dbp: 'dbp' },
  pulse: { pulse: 'bpm', heart_rate: 'bpm' },
  temp: { temperature: 'c' },
  spo2: { spo2: 'pct' },
  fpg: { fpg: 'mmol_l' },
  rbg: { rbg: 'mmol_l' },
};
const MEASURES = ['weight', 'height', 'bmi', 'hba1c'];

/**
 * What a patient page knows of its person. @param {Document} page
 * @returns {?object} as `full`, with name, phone, village and the visits it lists; null elsewhere
 */
export function dataIn(page) {
  const block = page.getElementById('patient-data');
  if (!block) return null;
  const born = page.querySelector('h1 [data-birth]');
  const tables = {};
  for (const card of page.querySelectorAll('.trend')) tables[card.dataset.trend] = readingsIn(card);
  const visits = visitsIn(page);
  const head = {
    ...headOf(page),
    visits,
    birth_date: born.dataset.birth,
    sex: born.parentNode.textContent.startsWith('女') ? '2' : '1',
  };
  const days = visits.map(({ visited_on }) => visited_on);
  return full({ ...head, ...JSON.parse(block.textContent) }, tables, days);
}

/**
 * @param {object} block as the page carries it: {facts, by: {day: {code: value}}, read: {code: n}, before:
 *   {form: {field: [value, day]}}, …}; `read` is how many rows of a table belong to `by`. Pages of older builds
 *   say seen and last. A day is a date, or the number of a visit
 * @param {Object<string, [string, number[]][]>} [tables] bp and fpg -> [day, figures], newest first
 * @param {string[]} [days] of the visits that the page lists
 * @returns {object} the same with facts, measured {field: {value, on}} and last {form: {field: {value, on}}}
 */
export function full(
  { seen: older, last, by = older, before = last, read = {}, ...block },
  tables = {},
  days = [],
) {
  const dayOf = (day) => days[day] || day;
  const seen = withRead(dated(by || {}, dayOf), read, tables);
  const facts = { ...block.facts, birth_date: block.birth_date };
  const measured = {};
  for (const on of Object.keys(seen).sort().reverse()) {
    for (const [code, value] of Object.entries(seen[on])) {
      const parts = partsOf(code, value);
      for (const [key, part] of Object.entries(FIELDS[code] || { [code]: 'value' })) {
        const known = FIELDS[code] || MEASURES.includes(code);
        if (known && !measured[key] && (parts[part] ?? null) !== null)
          measured[key] = { value: parts[part], on };
      }
      if (READINGS.includes(code)) facts[code] = [...(facts[code] || []), { date: on, ...parts }];
      else if (!MEASURES.includes(code) && !facts[code]) facts[code] = { date: on, ...parts };
    }
  }
  return { ...block, facts, measured, last: lastOf(before || {}, dayOf) };
}

function withRead(told, read, tables) {
  const seen = { ...told };
  for (const [code, rows] of Object.entries(read)) {
    for (const [day, figures] of (tables[code] || []).slice(0, rows))
      seen[day] = { ...seen[day], [code]: code === 'bp' ? figures : figures[0] };
  }
  return seen;
}

function partsOf(code, value) {
  if (code === 'bp') return { sbp: value[0], dbp: value[1] };
  if (typeof value === 'object' && value !== null) return value;
  return { [FIGURES[code] || 'value']: value };
}

const dated = (told, dayOf) =>
  Object.fromEntries(Object.entries(told).map(([day, values]) => [dayOf(day), values]));

function lastOf(forms, dayOf) {
  const made = {};
  for (const [form, fields] of Object.entries(forms)) {
    made[form] = {};
    for (const [key, [value, on]] of Object.entries(fields)) made[form][key] = { value, on: dayOf(on) };
  }
  return made;
}
