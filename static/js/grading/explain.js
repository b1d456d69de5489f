// Words for a grade, from the same table. Twin: app/grading/explain.py.
//
// The family is given plain advice and never the reasons of §8 (安宁, 轻生, 认知): their family text is null.

import { own } from '../rules/decide.js';
import { derive, number, numberText } from './derive.js';

const PLACEHOLDER = /\{([a-z0-9_.]+)(?:\|([a-z0-9_]+))?\}/g;

/** The code's Chinese label; a code the table does not know is shown as it is. */
export function label(table, group, code) {
  return own(own(table.labels, group) ?? {}, code) ?? code;
}

function worded(value, group, table) {
  if (Array.isArray(value)) return value.map((item) => worded(item, group, table)).join('、');
  const known = number(value);
  const text = typeof value === 'string' ? value : known === null ? '—' : numberText(known);
  return group ? label(table, group, text) : text;
}

/** {fact} becomes the fact as stored, {fact|group} its label; an unknown fact is a dash. */
function filled(template, known, table) {
  return template.replace(PLACEHOLDER, (_, name, group) => worded(own(known, name), group, table));
}

/**
 * One entry for each reason of result, in its order. A code of another table version is shown bare.
 * @returns {{code: string, colour: ?string, emergency: boolean, text: string, family: ?string}[]}
 */
export function explain(facts, result, table) {
  const known = derive(facts, table);
  const byCode = new Map(table.rules.map((rule) => [rule.code, rule]));
  const unknown = (code) => ({ colour: null, emergency: false, text: code, family: null });
  return result.reasons.map((code) => {
    const rule = byCode.get(code) ?? unknown(code);
    return {
      code,
      colour: rule.colour,
      emergency: rule.emergency,
      text: filled(rule.text, known, table),
      family: rule.family && filled(rule.family, known, table),
    };
  });
}

export const missingText = (key, table) => label(table, 'missing', key);

/** {word, meaning, family, shape}: 红/黄/绿/待评估 in words; an emergency has words of its own. */
export function colourWords(result, table) {
  return table.colours[result.emergency ? 'emergency' : result.colour];
}
