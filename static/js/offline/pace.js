// When to try again: once a minute, or when a record's ten seconds of undo are over, or when the sender may.

import * as outbox from './outbox.js';
import { unlessFull } from './room.js';

const TICK_MS = 60000;
const SOONEST_MS = 1000;
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 120000;

/** @returns {Promise<number>} milliseconds until the next sending of `author_id`'s records after `result` */
export async function untilNext(author_id, result) {
  const over = await outbox.holdOver(author_id).catch(() => undefined);
  const wait = Math.min(TICK_MS, over === undefined ? TICK_MS : over - Date.now() + 100);
  return result?.retry_ms === undefined ? wait : Math.min(wait, Math.max(result.retry_ms, SOONEST_MS));
}

/** Milliseconds until the next try is allowed. A phone clock that was moved back does not make us wait for ever. */
export async function mustWait(reason) {
  const row = await outbox.getMeta('not_before');
  if (!row || Date.now() < row.set_at) return 0;
  if (!row.asked && reason !== 'timer') return 0; // a real event is worth a real try
  return Math.max(0, row.at - Date.now());
}

/**
 * Note a failure and when to try again: after the server's own Retry-After, else with growing, jittered waits.
 * @param {number | null} [asked_ms]
 * @returns {Promise<number>} milliseconds
 */
export async function failed(asked_ms) {
  const failures = ((await outbox.getMeta('failures')) || 0) + 1;
  const grown = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10), LONGEST_WAIT_MS);
  const retry_ms = asked_ms ?? Math.round(grown * (0.5 + Math.random()));
  const asked = asked_ms !== null && asked_ms !== undefined;
  await note('failures', failures);
  await note('not_before', { at: Date.now() + retry_ms, set_at: Date.now(), asked });
  return retry_ms;
}

/** The line is well again: what waits out its ten seconds of undo does not also wait for an old failure. */
export async function forgetFailures() {
  if (await outbox.getMeta('failures')) await note('failures', 0);
  if (await outbox.getMeta('not_before')) await note('not_before', null);
}

function note(k, v) {
  return unlessFull(() => outbox.setMeta(k, v));
}
