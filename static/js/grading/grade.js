// The grade of a person: 红黄绿 by the table static/rules/grading.json. Twin: app/grading/rules.py.

import { matching } from '../rules/decide.js';
import { derive } from './derive.js';

/** Fired rules by number, only the first of each domain. */
function reported(rules, known) {
  const first = new Map();
  for (const rule of matching(
    [...rules].sort((a, b) => a.number - b.number),
    known,
  )) {
    if (!first.has(rule.domain)) first.set(rule.domain, rule);
  }
  return [...first.values()];
}

function colourOf(reasons, missing, table) {
  const colours = reasons.map((rule) => rule.colour);
  if (colours.includes('red')) return 'red';
  if (colours.includes('yellow')) return 'yellow';
  return table.blocks_green.some((key) => missing.includes(key)) ? 'unrated' : 'green';
}

/**
 * Grade of one person on the day as_of. Facts absent, null or of the wrong type count as missing,
 * never as normal. Throws RangeError when as_of is not a date.
 * @param {object} facts JSON shapes, dates as YYYY-MM-DD strings
 * @param {object} table the content of static/rules/grading.json
 * @returns {{colour: string, emergency: boolean, reasons: string[], missing: string[], due_in_days: number}}
 */
export function grade(facts, table) {
  const known = derive(facts, table);
  const reasons = reported(table.rules, known);
  const missing = matching(table.missing, known).map((row) => row.key);
  const colour = colourOf(reasons, missing, table);
  const base = matching(table.base_days, { ...known, colour })[0].then;
  return {
    colour,
    emergency: reasons.some((rule) => rule.emergency),
    reasons: reasons.map((rule) => rule.code),
    missing,
    due_in_days: Math.min(base, ...reasons.map((rule) => rule.due)),
  };
}
