// The rules of the lock, without storage, keys or a clock of their own: easy to test, easy to trust.

export const PIN_LENGTH = 6;
export const TRIES = 10; // the tenth wrong one ends the data key
const FREE_TRIES = 5;
const WAITS_S = [30, 60, 120, 300, 600]; // after the 5th, 6th … 9th wrong try
const TURNED_BACK_MS = 10 * 60000; // less is a phone setting its clock right
const HOUR_MS = 3600000;

export const DEFAULTS = { lock_minutes: 5, offline_hours: 72 };

/** How long to wait after the `tries`-th wrong PIN in a row, in milliseconds. */
export function waitAfter(tries) {
  if (tries < FREE_TRIES) return 0;
  return WAITS_S[Math.min(tries - FREE_TRIES, WAITS_S.length - 1)] * 1000;
}

/**
 * What is left of that wait. A clock that was moved back begins the wait again: moving it gains nothing.
 * @param {{tries: number, tried_at: number}} row
 */
export function waitLeft({ tries = 0, tried_at = 0 }, now) {
  const wait = waitAfter(tries);
  const gone = now - tried_at;
  return gone < 0 ? wait : Math.max(0, wait - gone);
}

/**
 * How long this phone has been without its server, carried forward to `now`.
 *
 * Time is added up as it is seen to pass, so that a clock moved back takes nothing off; one that was moved
 * back by more than ten minutes keeps the store shut until the server was reached.
 * @param {{away_ms?: number, seen_at?: number, turned_back?: boolean}} row
 */
export function aged({ away_ms = 0, seen_at = 0, turned_back = false }, now) {
  if (!seen_at) return { away_ms: 0, seen_at: now, turned_back: false };
  const passed = now - seen_at;
  if (passed >= 0) return { away_ms: away_ms + passed, seen_at: now, turned_back };
  // The later time stays: what was once seen to have passed has passed.
  return { away_ms, seen_at, turned_back: turned_back || passed < -TURNED_BACK_MS };
}

/** The server has just been reached. */
export function inTouch(now) {
  return { away_ms: 0, seen_at: now, turned_back: false };
}

/** Too long without the server: what is kept here may not be read any more, and for good. */
export function outOfTouch({ away_ms = 0, offline_hours = DEFAULTS.offline_hours }) {
  return away_ms > offline_hours * HOUR_MS;
}

/** A PIN that anybody would try first: one digit repeated, digits in a row, doubled, or said twice. */
export function guessable(pin) {
  const steps = new Set([...pin].slice(1).map((digit, place) => Number(digit) - Number(pin[place])));
  if (steps.size === 1) return Math.abs([...steps][0]) <= 1;
  const half = pin.length / 2;
  if (pin.slice(0, half) === pin.slice(half) || pin.slice(0, 2).repeat(half) === pin) return true;
  return /^(?:(\d)\1)+$/.test(pin) || [...pin].reverse().join('') === pin;
}

/** Whether somebody has been away from the screen for longer than `minutes`. */
export function idle(last_ms, now, minutes = DEFAULTS.lock_minutes) {
  return now - last_ms > minutes * 60000;
}
