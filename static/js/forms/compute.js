// Values a form works out by itself. Twin of app/forms/compute.py.
import { holds, isNumber } from './conditions.js';
import { ageOn, day, daysBetween } from './dates.js';

const DAYS = ['visited_on', 'today', 'birth_date', 'previous_visit_on', 'next_visit_on'];

function tenths(value) {
  return Math.floor(value * 10 + 0.5);
}

/** Weight over height in metres squared, one decimal, half up. Source: forms.md §1. */
export function bmi(weightKg, heightCm) {
  const weight = tenths(weightKg);
  const square = tenths(heightCm) ** 2;
  return Math.floor((2 * weight * 1000000 + square) / (2 * square)) / 10;
}

/**
 * Answers, computed values and the patient's context behind one lookup by name. Names with @
 * come from the context: {visited_on, today, birth_date, previous_visit_on, next_visit_on: ISO
 * days, mode, sex, same_day_visit, conditions: list or null, last: {key: {value, on}} or null}.
 */
export class Values {
  constructor(form, answers, context) {
    this.form = form;
    this.known = {};
    for (const key of Object.keys(answers)) {
      if (answers[key] !== null && answers[key] !== undefined) this.known[key] = answers[key];
    }
    this.context = { ...(context || {}) };
    for (const name of DAYS) this.context[name] = day(this.context[name]);
    this.of = (name) => (name[0] === '@' ? this.ofContext(name.slice(1)) : this.get(name));
    for (const field of form.computed) {
      const value = computeOne(field, this);
      if (value !== null && value !== undefined) this.known[field.key] = value;
    }
  }

  get(key) {
    return key in this.known ? this.known[key] : null;
  }

  last(key) {
    return this.lastOf(key).value ?? null;
  }

  lastOf(key) {
    return this.context.last?.[key] || {};
  }

  /** Diagnoses on record or just answered, with those the form itself implies. */
  conditions() {
    const answered = this.get('conditions');
    const recorded = Array.isArray(answered) ? answered : (this.context.conditions ?? null);
    const implied = this.form.assumes.conditions;
    return recorded === null ? implied : [...recorded, ...implied];
  }

  ofContext(name) {
    const [head, key] = name.split('.');
    const visited = this.context.visited_on;
    switch (head) {
      case 'conditions':
        return this.conditions();
      case 'history':
        return Boolean(this.context.last);
      case 'age':
        return ageOn(this.context.birth_date, visited);
      case 'days_ago':
        return daysBetween(visited, this.context.today);
      case 'days_to_next':
        return daysBetween(visited, this.context.next_visit_on);
      case 'last':
        return this.last(key);
      case 'days_since':
        return daysBetween(day(this.lastOf(key).on), visited);
      case 'days_since_date':
        return daysBetween(day(this.get(key)), visited);
      case 'change':
      case 'change_pct':
        return this.change(key, head === 'change_pct');
      default:
        return this.context[name] ?? null;
    }
  }

  change(key, percent) {
    const now = this.get(key);
    const before = this.last(key);
    if (!isNumber(now) || !isNumber(before) || before <= 0) return null;
    const difference = Math.abs(tenths(now) - tenths(before));
    return percent ? (difference * 100) / tenths(before) : difference / 10;
  }
}

/** One computed value; where its parts are unknown, the value that was sent along stands in. */
function computeOne(field, values) {
  return madeOf(field, values) ?? values.get(field.key);
}

function madeOf(field, values) {
  switch (field.fn) {
    case 'bmi': {
      const [weight, given] = field.args.map(values.of);
      const height = given ?? values.last('height');
      return isNumber(weight) && isNumber(height) ? bmi(weight, height) : null;
    }
    case 'sum':
    case 'product':
      return fold(field, field.args.map(values.of));
    case 'emergency':
      return isEmergency(values.form, values, field.args);
    case 'same_as_last':
      return sameAsLast(field.args, values);
    default: {
      const fitting = field.cases.find(([condition]) => holds(condition, values.of));
      return fitting ? fitting[1] : field.else;
    }
  }
}

/** No partial totals: one part missing and there is no sum. */
function fold(field, parts) {
  if (!parts.every(isNumber)) return null;
  return field.fn === 'sum' ? parts.reduce((a, b) => a + b, 0) : parts.reduce((a, b) => a * b, 1);
}

function isEmergency(form, values, flagKeys) {
  if (flagKeys.some((key) => (values.get(key) || []).length > 0)) return true;
  return form.fields.some((field) => {
    const limit = softLimit(field, values.get(field.key), values);
    return limit !== null && limit.level === 'emergency';
  });
}

/** The first soft limit the value crosses; a definition lists the gravest first. */
export function softLimit(field, value, values) {
  if (value === null || value === undefined) return null;
  const lookedUp = (name) => (name === '.' ? value : values.of(name));
  const crossed = (limit) => holds(['.', limit.op, limit.value], lookedUp) && holds(limit.when, values.of);
  return (field.soft || []).find(crossed) || null;
}

function sameAsLast(keys, values) {
  const compared = keys
    .map((key) => [values.get(key), values.last(key)])
    .filter(([now, before]) => now !== null && before !== null);
  return compared.length >= 2 && compared.every(([now, before]) => now === before);
}
