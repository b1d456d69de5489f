// When to try again: once a minute, or when a record's ten seconds of undo are over, or when the sender may.

import * as outbox from './outbox.js';

const TICK_MS = 60000;
const SOONEST_MS = 1000;

/** @returns {Promise<number>} milliseconds until the next sending of `author_id`'s records after `result` */
export async function untilNext(author_id, result) {
  const over = await outbox.holdOver(author_id).catch(() => undefined);
  const wait = Math.min(TICK_MS, over === undefined ? TICK_MS : over - Date.now() + 100);
  return result?.retry_ms === undefined ? wait : Math.min(wait, Math.max(result.retry_ms, SOONEST_MS));
}
