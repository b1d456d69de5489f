// All that can be said about the answers of a form. Twin of app/forms/check.py.
import { softLimit } from './compute.js';
import { holds, isNumber, same } from './conditions.js';
import { day, spoken } from './dates.js';
import { isObject, read } from './read.js';
import { absent, aloneOption, own, plain } from './values.js';

const PICKED = ['enum', 'multi', 'bool', 'date'];

/**
 * Errors keep a visit from being saved, warnings ask to look again: {pointer, code, message},
 * an error with one obvious remedy also has fix {key, value, zh}. Pointers are those of the
 * visit: /answers/sbp, /answers/meds/0/drug_name, /visited_at, /next_visit_on.
 * @returns {{errors: Array<object>, warnings: Array<object>}}
 */
export function check(form, answers, context) {
  const found = { errors: [], warnings: [] };
  if (!isObject(answers)) {
    found.errors.push(finding('/answers', 'type', '答案看不懂。'));
    return found;
  }
  const { values, broken } = read(form, answers, context, found.errors);
  const lost = values.get('lost_reason') !== null;
  for (const field of form.fields) {
    if (!broken.has(field.key)) checkField(field, values, found, lost);
  }
  for (const field of form.computed) checkComputed(field, answers, values, broken, found);
  for (const rule of form.checks) {
    // a mistyped list is not an empty one
    if (!(rule.sound || []).some((key) => broken.has(key))) cross(rule, values, found);
  }
  return found;
}

function finding(pointer, code, message) {
  return { pointer, code, message };
}

const isEmpty = (value) => Array.isArray(value) && value.length === 0;

function checkField(field, values, found, lost) {
  const pointer = `/answers/${field.key}`;
  const value = values.get(field.key);
  const shown = holds(field.shown_when, values.of);
  if (value === null || (isEmpty(value) && !field.empty_ok)) {
    if (shown && isRequired(field, values, lost)) {
      const verb = PICKED.includes(field.type) ? '选择' : '填写';
      found.errors.push(finding(pointer, 'required', `请${verb}${field.zh}。`));
    }
    return;
  }
  if (!shown) {
    if (!isEmpty(value)) {
      found.errors.push(finding(pointer, 'not_applicable', `${field.zh}在这种情况下不填，请去掉。`));
    }
    return;
  }
  const alone = field.other && values.get(field.other) !== null ? aloneOption(field, value) : null;
  if (alone) {
    found.errors.push(finding(`/answers/${field.other}`, 'excludes', `选了“${alone.zh}”就不能再写别的。`));
  }
  soft(field, value, pointer, values, found);
  if (field.type !== 'list') return;
  value.forEach((row, place) => {
    for (const item of field.item) {
      soft(item, own(row, item.key), `${pointer}/${place}/${item.key}`, values, found);
    }
  });
}

/** A visit that did not take place needs only the fields that say why. */
export function isRequired(field, values, lost) {
  if (lost && !field.even_if_lost) return false;
  if (field.other && values.get(field.other) !== null) return false;
  const rule = field.required;
  return rule === true || (isObject(rule) && holds(rule.when, values.of));
}

function soft(field, value, pointer, values, found) {
  const limit = softLimit(field, value, values);
  if (!limit) return;
  const code = limit.level === 'emergency' ? 'emergency_value' : 'unusual';
  found.warnings.push(finding(pointer, code, limit.zh));
}

function checkComputed(field, answers, values, broken, found) {
  const pointer = `/answers/${field.key}`;
  const value = values.get(field.key);
  const sent = own(answers, field.key);
  if (!absent(sent) && !broken.has(field.key) && !same(sent, value)) {
    found.errors.push(finding(pointer, 'mismatch', `${field.zh}应为 ${labelled(field, value)}。`));
  }
  if (field.shown) soft(field, value, pointer, values, found);
}

function cross(rule, values, found) {
  if (!holds(rule.when, values.of)) return;
  const pointer = rule.at[0] === '/' ? rule.at : `/answers/${rule.at}`;
  const made = finding(pointer, rule.id, worded(rule.zh, values));
  const fix = fixOf(rule, values);
  if (fix) made.fix = fix;
  (rule.action === 'reject' ? found.errors : found.warnings).push(made);
}

function fixOf(rule, values) {
  if (!rule.fix) return null;
  const key = rule.fix.key;
  const value = values.of(rule.fix.value.slice(1));
  const field = values.form.fields.find((one) => one.key === key);
  const option = field.options.find((one) => same(one.code, value));
  return option ? { key, value, zh: `改成 ${option.zh}` } : null;
}

/** A message with its {names} filled in. */
export function worded(template, values) {
  return template.replace(/\{([^}]+)\}/g, (_, name) => {
    const field = values.form.computed.find((one) => one.key === name) || {};
    return labelled(field, values.of(name));
  });
}

/** A value in words: its label if it has one, days as 6月8日, — for nothing. */
export function labelled(field, value) {
  if (value === null || value === undefined) return '—';
  if (isNumber(value)) return field.labels?.[plain(value)] || plain(value);
  if (typeof value === 'string') return day(value) ? spoken(value) : value;
  return value === true ? '是' : '否';
}
