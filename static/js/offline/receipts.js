// Proof that what this phone calls 已送达 is really there: once in a while phone and server compare a digest
// of this device's operations of the last thirty days. What is missing there is sent again from the kept copy.

import { deviceId } from '../ids.js';
import { isoDay } from '../when.js';
import { post } from './channel.js';
import { sha256 } from './digest.js';
import { ask, json } from './net.js';
import * as outbox from './outbox.js';

const WINDOW_DAYS = 29;
const AT_LEAST_EVERY_MS = 6 * 3600000;

/**
 * Compare and heal. Harmless when anything goes wrong: it is tried again with the next sending. What was
 * healed is remembered until the person has read of it.
 * @param {string} author_id
 * @param {{fetch?: typeof fetch, now?: boolean}} how now: something was just sent, so do not wait
 * @returns {Promise<number>} how many were missing there and wait to be sent again
 */
export async function compare(author_id, { fetch, now = false } = {}) {
  const device_id = await outbox.getMeta(`device:${author_id}`);
  if (!device_id) return 0;
  const before = await last(author_id);
  const age = Date.now() - (before?.checked_at || 0);
  if (!now && age >= 0 && age < AT_LEAST_EVERY_MS) return 0;
  try {
    const found = await compared(author_id, device_id, fetch);
    const healed = (before?.healed || 0) + found.missing;
    await outbox.setMeta(`receipts:${author_id}`, { ...found, ...(healed ? { healed } : {}) });
    post({ t: 'outbox', change: 'receipts' });
    return found.missing;
  } catch {
    return 0; // no answer, or not ours
  }
}

/** The last comparison of this person's phone: {checked_at, held, missing, healed}. */
export function last(author_id) {
  return outbox.getMeta(`receipts:${author_id}`);
}

/** Read and understood: the warning may go. */
export async function understood(author_id) {
  const { healed, ...rest } = (await last(author_id)) || {};
  if (healed) await outbox.setMeta(`receipts:${author_id}`, rest);
}

async function compared(author_id, device_id, fetch) {
  const since = isoDay(new Date(Date.now() - WINDOW_DAYS * 86400000));
  const mine = (await outbox.confirmedSince(author_id, device_id, since)).sort();
  const asked = `/api/sync/receipts?device_id=${encodeURIComponent(device_id)}&since=${since}`;
  let theirs = await answer(asked, fetch);
  let missing = [];
  if (theirs.digest !== (await digestOf(mine))) {
    theirs = await answer(`${asked}&list=1`, fetch);
    const held = new Set(theirs.op_ids);
    missing = mine.filter((op_id) => !held.has(op_id));
    if (missing.length) await outbox.requeueDone(author_id, missing);
  }
  return { checked_at: Date.now(), since, held: mine.length - missing.length, missing: missing.length };
}

async function answer(path, fetch) {
  const response = await ask(path, { fetch });
  const body = await json(response);
  if (response.status !== 200 || typeof body?.digest !== 'string') throw new Error('no comparison');
  return body;
}

/** As the server computes it: hex SHA-256 over the sorted ids, each followed by a line feed. */
export function digestOf(op_ids) {
  return sha256(op_ids.map((op_id) => `${op_id}\n`).join(''));
}

/** The name under which this browser's operations are found on the server; the worker cannot ask for it. */
export async function knowDevice(author_id) {
  if ((await outbox.getMeta(`device:${author_id}`)) !== deviceId()) {
    await outbox.setMeta(`device:${author_id}`, deviceId());
  }
}
