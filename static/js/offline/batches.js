// Which operations the next request holds: in order, and beside others under way only what they do not concern.

import * as vault from '../vault/vault.js';
import * as outbox from './outbox.js';
import { asPlain, asSealed, packed, size } from './push.js';

export const AT_ONCE = 4; // what a server of two processes works on side by side
const WORTH_IT = 25; // fewer are not shared out

/**
 * The next request: which operations go in it, and its body as they stand now.
 * @param {object} run as pushes.js begins it
 * @param {object[]} beside the batches that will be under way with it; alone it may hold anything
 * @returns {Promise<{chosen: object[], sealed: boolean, request: object, ready: number, alone: boolean} | null>}
 *   ready: how many may go in all
 */
export async function nextBatch(run, beside) {
  const waiting = await stillWaiting(run);
  const ready = waiting.filter((one) => may(one, run.reason));
  const going = beside.length ? apart(waiting, run.reason, beside) : ready;
  if (!going.length) return null;
  const { sealed, chosen } = cut(going, Math.min(run.most.ops, share(ready, beside)), run.most.bytes);
  const records = chosen.map(({ row, record }) => ({ ...record, sealed: row.sealed }));
  const request = await packed(records, howToSend(sealed));
  return { chosen, sealed, request, ready: ready.length, alone: !beside.length };
}

/** What has no answer and is not under way. Nothing is opened twice in one sending, nor after the lock fell. */
async function stillWaiting(run) {
  const but = new Set(run.tried);
  for (const { batch } of run.under_way) for (const { op_id } of batch) but.add(op_id);
  if (vault.userId() !== run.user_id) run.opened.clear();
  const waiting = await outbox.toSend(run.user_id, but, run.opened);
  for (const { record } of waiting) run.opened.set(record.op_id, record);
  return waiting;
}

/** Only somebody who can keep them is given the words of a refusal back. */
export function howToSend(sealed) {
  return { sealed, echo: Boolean(vault.holding()) };
}

/** Whether one waiting operation may go now: not within its ten seconds of undo, and not in vain. */
function may({ row, record }, reason) {
  if (reason !== 'button' && row.hold_until > Date.now()) return false;
  if (!record.unreadable) return true;
  return Boolean(row.sealed) && !(row.refused && !vault.holding());
}

/**
 * What may leave before others are answered, since its order cannot matter: visits of people whom nothing
 * under way, and nothing that waits before them, concerns.
 */
function apart(waiting, reason, beside) {
  const concerned = new Set();
  for (const { people } of beside) {
    if (!people) return [];
    for (const id of people) concerned.add(id);
  }
  const found = [];
  for (const one of waiting) {
    const people = peopleOf(one.record);
    if (!people) break; // whoever comes after it may be one of them
    const clear = one.record.kind === 'visit.create' && !people.some((id) => concerned.has(id));
    if (clear && may(one, reason)) found.push(one);
    else for (const id of people) concerned.add(id);
  }
  return found;
}

/** So many that the requests that can leave together are of one size, and no process of the server is idle. */
function share(ready, beside) {
  if (ready.some(({ record }) => record.kind !== 'visit.create' || record.unreadable)) return Infinity;
  const free = AT_ONCE - beside.length || AT_ONCE;
  return Math.max(WORTH_IT, Math.ceil(ready.length / free));
}

/** Everybody whom a batch concerns; null: nobody can say. */
export function peopleOfAll(batch) {
  const all = batch.map(peopleOf);
  return all.includes(null) ? null : new Set(all.flat());
}

function peopleOf({ kind, op_id, replaces, payload, patient_id, unreadable }) {
  if (unreadable) return null;
  if (kind === 'patient.create') return replaces ? [op_id, replaces] : [op_id];
  // A correction names its visit only; the page it was written on knew whose that is.
  const named = [payload.patient_id, patient_id].filter(Boolean);
  return named.length ? named : null;
}

/**
 * As many operations, in order, as one request may hold; at least one. Sealed and plain ones go to different
 * doors, so a batch ends where the kind changes.
 */
function cut(ready, maxOps, maxBytes) {
  const sealed = Boolean(ready[0].record.unreadable);
  const chosen = [];
  let bytes = 100;
  for (const one of ready) {
    const { row, record } = one;
    if (Boolean(record.unreadable) !== sealed) break;
    bytes += size(JSON.stringify(sealed ? asSealed(row) : asPlain(record))) + 1;
    if (chosen.length && (chosen.length >= maxOps || bytes > maxBytes)) break;
    chosen.push(one);
  }
  return { sealed, chosen };
}
