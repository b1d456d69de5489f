// Calendar days as ISO text. Twin of app/forms/dates.py.

/**
 * `value` if it names a real day of 1880 to 2199, else null.
 * @param {*} value
 * @returns {string|null}
 */
export function day(value) {
  if (typeof value !== 'string' || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value)) return null;
  if (value.slice(0, 4) < '1880' || value.slice(0, 4) > '2199') return null;
  const moment = new Date(`${value}T00:00:00Z`);
  // V8 turns 30 February into 2 March
  return !Number.isNaN(moment.getTime()) && moment.toISOString().slice(0, 10) === value ? value : null;
}

/** Days from one ISO day to another; null if either is unknown. */
export function daysBetween(earlier, later) {
  if (!earlier || !later) return null;
  return (Date.parse(`${later}T00:00:00Z`) - Date.parse(`${earlier}T00:00:00Z`)) / 86400000;
}

/** Full years; somebody born on 29 February turns a year older on 1 March. */
export function ageOn(birth, on) {
  if (!birth || !on) return null;
  return Number(on.slice(0, 4)) - Number(birth.slice(0, 4)) - (on.slice(5) < birth.slice(5) ? 1 : 0);
}

/** 2026-06-08 as people say it: 6月8日. */
export function spoken(value) {
  return `${Number(value.slice(5, 7))}月${Number(value.slice(8, 10))}日`;
}
