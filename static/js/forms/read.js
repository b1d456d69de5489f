// What of a form's answers can be trusted. Twin of read() and trusted() in Python.
import { Values } from './compute.js';
import { absent, escaped, faults, own, unknownKeys } from './values.js';

/** Everything after the checks of single values. */
export function read(form, answers, context, errors) {
  const known = [...form.fields, ...form.computed];
  for (const key of unknownKeys(answers, new Set(known.map((field) => field.key)))) {
    errors.push({ pointer: `/answers/${escaped(key)}`, code: 'unknown_field', message: '表里没有这一项。' });
  }
  const bare = new Values(form, {}, context);
  const broken = new Set();
  const kept = {};
  for (const field of known) {
    const value = own(answers, field.key);
    if (absent(value)) continue;
    const wrong = faults(field, value, bare.of);
    for (const [below, code, message] of wrong) {
      errors.push({ pointer: `/answers/${field.key}${below}`, code, message });
    }
    if (wrong.length) broken.add(field.key);
    else kept[field.key] = value;
  }
  return { values: new Values(form, kept, context), broken };
}

/** Answers without the values that cannot be right, so that a half-typed form can be graded. */
export function trusted(form, answers, context) {
  return read(form, isObject(answers) ? answers : {}, context, []).values;
}

/** All computed values of a form by key, null where something is missing. */
export function compute(form, answers, context) {
  const values = trusted(form, answers, context);
  return Object.fromEntries(form.computed.map((field) => [field.key, values.get(field.key)]));
}

export function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
