// Facts the rule table speaks of, derived from what is recorded about a person.
//
// Line-for-line twin of app/grading/derive.py. Whatever is absent, null, in the future or of the
// wrong type becomes null, which the table reads as unknown. No clock, no locale, no rounding.

import { evaluate, matching } from '../rules/decide.js';

const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const TOO_LARGE = 1e9;
const DAY_MS = 86400000;

/** The number itself; null for everything else, NaN and what no instrument can show. */
export function number(value) {
  return typeof value === 'number' && Math.abs(value) < TOO_LARGE ? value : null;
}

/** As stored, without trailing zeros. Below 0.0001 is 0. */
export function numberText(value) {
  return Math.abs(value) < 0.0001 ? '0' : String(value);
}

const flag = (value) => (typeof value === 'boolean' ? value : null);

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Distinct codes in the order given; null when there are none. Numeric codes become text. */
function codes(value) {
  if (!Array.isArray(value)) return null;
  const found = value.map((item) => (typeof item === 'string' ? item : codeText(item)));
  const distinct = [...new Set(found.filter((item) => item))];
  return distinct.length ? distinct : null;
}

function codeText(value) {
  const known = number(value);
  return known === null ? '' : numberText(known);
}

/** Days since 1970-01-01 for a calendar date YYYY-MM-DD; null for anything else. */
export function dayNumber(value) {
  if (typeof value !== 'string' || !DATE.test(value)) return null;
  const [year, month, day] = value.split('-').map(Number);
  const moment = new Date(0);
  moment.setUTCFullYear(year, month - 1, day);
  const same = moment.getUTCMonth() === month - 1 && moment.getUTCDate() === day;
  return same && year >= 1 ? moment.getTime() / DAY_MS : null;
}

/** Whole days from value to asOf; null when value lies after it: a future record is no record. */
export function daysSince(value, asOf) {
  const then = dayNumber(value);
  const now = dayNumber(asOf);
  return then !== null && now !== null && then <= now ? now - then : null;
}

/** Full years. A 29 February birthday falls on 1 March in other years. */
export function ageOn(birthDate, asOf) {
  if (daysSince(birthDate, asOf) === null) return null;
  const years = Number(asOf.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return asOf.slice(5) >= birthDate.slice(5) ? years : years - 1;
}

/** Distinct codes; [] is "recorded, none". null is "never recorded": also a list with no code in it. */
function recordedConditions(value) {
  if (!Array.isArray(value)) return null;
  const found = [...new Set(value.filter((item) => typeof item === 'string' && item))];
  return found.length || !value.length ? found : null;
}

const records = (value) => (Array.isArray(value) ? value.filter(isRecord) : []);

const within = (value, limits) => (value !== null && limits[0] <= value && value <= limits[1] ? value : null);

/** A plausible reading, or null. A half reading counts only when that half is an emergency. */
function bpReading(item, asOf, table) {
  const days = daysSince(item.date, asOf);
  const sbp = within(number(item.sbp), table.plausible.sbp);
  const dbp = within(number(item.dbp), table.plausible.dbp);
  const complete = sbp !== null && dbp !== null;
  if (days === null || days > table.windows.bp_history) return null;
  if (complete && dbp >= sbp) return null;
  const urgent = evaluate(table.keep_incomplete_bp, { ...named(table), sbp, dbp }) === true;
  if (!complete && !urgent) return null;
  return { days, sbp, dbp, complete, urgent };
}

function outranks(one, other, keys) {
  for (const key of keys) {
    const a = Number(one[key] ?? 0);
    const b = Number(other[key] ?? 0);
    if (a !== b) return a > b;
  }
  return false;
}

/** One item per day, newest day first. Of two on one day the higher by keys stands, in any order given. */
function newestFirst(items, keys) {
  const byDay = new Map();
  for (const item of items) {
    const held = byDay.get(item.days);
    if (held === undefined || outranks(item, held, keys)) byDay.set(item.days, item);
  }
  return [...byDay.values()].sort((a, b) => a.days - b.days);
}

function keptBp(value, asOf, table) {
  const readings = records(value).map((item) => bpReading(item, asOf, table));
  // An emergency stands before a higher complete reading of the same day: 85/60 is not undone by 150/90.
  return newestFirst(
    readings.filter((one) => one !== null),
    ['urgent', 'sbp', 'dbp'],
  );
}

function keptGlucose(value, asOf, table) {
  const kept = [];
  for (const item of records(value)) {
    const days = daysSince(item.date, asOf);
    const mmolL = within(number(item.mmol_l), table.plausible.mmol_l);
    if (days !== null && mmolL !== null) kept.push({ days, mmol_l: mmolL });
  }
  return kept;
}

/** The table's own numbers and lists under the names its conditions use. */
function named(table) {
  const facts = {};
  const groups = { window: table.windows, limit: table.limits, list: table.lists };
  for (const [prefix, group] of Object.entries(groups)) {
    for (const [key, value] of Object.entries(group)) facts[`${prefix}.${key}`] = value;
  }
  return facts;
}

/** bp = newest kept reading; bp1, bp2 = the two newest complete ones. */
function putBp(known, readings) {
  const complete = readings.filter((reading) => reading.complete);
  for (const [name, source] of Object.entries({
    bp: readings[0],
    bp1: complete[0],
    bp2: complete[1],
  })) {
    if (source) for (const key of ['days', 'sbp', 'dbp']) known[`${name}.${key}`] = source[key];
  }
}

const highest = (values) => (values.length ? Math.max(...values) : null);

/** glu = values of the newest glucose date; fpg1, fpg2 = highest of the two newest fasting days. */
function putGlucose(known, fpg, rbg) {
  if (fpg.length || rbg.length) {
    const newest = Math.min(...[...fpg, ...rbg].map((item) => item.days));
    const fasting = fpg.filter((item) => item.days === newest).map((item) => item.mmol_l);
    const random = rbg.filter((item) => item.days === newest).map((item) => item.mmol_l);
    known['glu.days'] = newest;
    known['glu.max'] = Math.max(...fasting, ...random);
    known['glu.min'] = Math.min(...fasting, ...random);
    known['glu.fpg_max'] = highest(fasting);
    known['glu.rbg_max'] = highest(random);
  }
  const days = newestFirst(fpg, ['mmol_l']);
  for (const [name, item] of Object.entries({ fpg1: days[0], fpg2: days[1] })) {
    if (!item) continue;
    known[`${name}.days`] = item.days;
    known[`${name}.mmol_l`] = item.mmol_l;
  }
}

/** A latest record: its age in days and its fields, or nothing when its date is no past date. */
function putRecord(known, name, record, fields, asOf) {
  const days = isRecord(record) ? daysSince(record.date, asOf) : null;
  if (days === null) return;
  known[`${name}.days`] = days;
  for (const [field, kind] of Object.entries(fields)) {
    const value = record[field];
    if (kind === 'days') known[`${name}.${field}`] = daysSince(value, asOf);
    else known[`${name}.${field}`] = { number, flag, codes }[kind](value);
  }
}

/** Flat facts by the names used in the table. Throws RangeError when as_of is not a date. */
export function derive(facts, table) {
  const asOf = facts?.as_of;
  if (dayNumber(asOf) === null) throw new RangeError('as_of must be a date YYYY-MM-DD');
  const conditions = recordedConditions(facts.conditions);
  const had = table.lists.major_diseases.filter((code) => (conditions ?? []).includes(code));
  const known = named(table);
  known.age = ageOn(facts.birth_date, asOf);
  known.conditions = conditions;
  known.conditions_count = conditions === null ? null : conditions.length;
  known.major_diseases = had;
  known.tubes = codes(facts.tubes);
  for (const name of table.flags) known[name] = flag(facts[name]);
  putBp(known, keptBp(facts.bp, asOf, table));
  putGlucose(known, keptGlucose(facts.fpg, asOf, table), keptGlucose(facts.rbg, asOf, table));
  for (const [name, fields] of Object.entries(table.records)) {
    putRecord(known, name, facts[name], fields, asOf);
  }
  const profile = table.bp_target_profiles[table.bp_target_profile];
  [known['bp.target_sbp'], known['bp.target_dbp']] = matching(profile, known)[0].then;
  return known;
}
