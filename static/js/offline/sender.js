// Sends what waits in the outbox. The only code that pushes; used by pages and by the worker's sync event.
//
// Anything but a 200 JSON answer holding an operation's own result means "unknown": the operation is kept
// and sent again. The server knows it by its op_id, so sending twice keeps one.

import * as vault from '../vault/vault.js';
import { post } from './channel.js';
import { alone } from './lock.js';
import { ask, json, outcomeOf, report, retryAfter } from './net.js';
import * as outbox from './outbox.js';
import { asPlain, asSealed, packed, push, size } from './push.js';
import * as readlog from './readlog.js';
import * as receipts from './receipts.js';

const DEFAULT_LIMITS = { max_ops: 100, max_bytes: 1024 * 1024 };
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 120000;

let running = null;
let again = null;
let pressed = false;

/**
 * Send everything that may be sent now. Calls that overlap share one run, and one more after it.
 *
 * `reason` 'button' ignores the back-off and the ten seconds of undo, but never a server's Retry-After.
 * @returns {Promise<{outcome: string, sent: number, user_id?: string, retry_ms?: number}>} outcome: idle,
 *   sent, waiting (not before retry_ms), partly (some must go again), unreachable, signed_out, revoked, busy
 */
export function send({ reason = 'timer', fetch } = {}) {
  if (running) {
    pressed = pressed || reason === 'button'; // a pressed button counts, whoever queued before it
    if (!again) {
      again = running
        .catch(() => {})
        .then(() => {
          again = null;
          const why = pressed ? 'button' : reason;
          pressed = false;
          return send({ reason: why, fetch });
        });
    }
    return again;
  }
  running = (async () => {
    try {
      return (await alone('sync', () => drain(reason, fetch))) || { outcome: 'waiting', sent: 0 };
    } finally {
      running = null;
    }
  })();
  return running;
}

async function drain(reason, fetch) {
  const wait = await mustWait(reason);
  if (wait > 0) return { outcome: 'waiting', sent: 0, retry_ms: wait };
  let me;
  try {
    const response = await ask('/api/auth/me', { fetch });
    me = await json(response);
    const outcome = outcomeOf(response, me);
    if (outcome !== 'ok' || !me.user?.id) {
      return stop(outcome === 'ok' ? 'unreachable' : outcome, 0, retryAfter(response));
    }
  } catch {
    return stop('unreachable', 0, null);
  }
  // Somebody else's session: what waits for them goes, but whoever has the phone open must sign in again.
  report(!vault.userId() || vault.userId() === me.user.id ? 'ok' : 'signed_out');
  await greeted(me);
  const state = { user_id: me.user.id, limits: { ...DEFAULT_LIMITS, ...me.limits }, fetch, reason };
  const result = await pushAll(state);
  const well = result.outcome === 'idle' || result.outcome === 'sent';
  if (well) await forgetFailures();
  if (well) await compareReceipts(state, result);
  if (well) await readlog.report(me.user.id, { fetch }).catch(() => {});
  await outbox.dropOldReceipts(me.user.id);
  return { ...result, user_id: me.user.id };
}

/** What turned out to be missing is sent at once, and compared once more. */
async function compareReceipts(state, result) {
  const { user_id, fetch } = state;
  if (!(await receipts.compare(user_id, { fetch, now: result.sent > 0 }))) return;
  const again = await pushAll(state);
  if (again.sent) await receipts.compare(user_id, { fetch, now: true });
}

/** What the server tells whoever greets it: its newest key, the rules of the lock, its epoch. */
async function greeted(me) {
  const { username, name } = me.user;
  await vault.contact(me.user.id, { username, name, ...me.policy }).catch(() => {}); // no lock kept here
  await vault.open();
  await unlessFull(async () => {
    await outbox.learnSealKey(me.seal);
    if (vault.userId() === me.user.id) await outbox.protect(me.user.id);
    await heedEpoch(me);
  });
}

/** A new epoch: the server came back from a backup, so its confirmations may be gone. */
async function heedEpoch(me) {
  if (!me.epoch) return;
  const key = `epoch:${me.user.id}`;
  const known = await outbox.getMeta(key);
  if (known === me.epoch) return;
  if (known) await outbox.requeueDone(me.user.id);
  await outbox.setMeta(key, me.epoch);
}

/**
 * A phone without room can note nothing, but what it holds can still be sent: the server knows each
 * operation by its op_id, so what could not be noted is asked about again later.
 */
async function unlessFull(work, otherwise) {
  try {
    return await work();
  } catch (error) {
    if (error?.name !== 'QuotaExceededError') throw error;
    return otherwise;
  }
}

function note(k, v) {
  return unlessFull(() => outbox.setMeta(k, v));
}

async function pushAll(state) {
  const tried = new Set();
  const total = { sent: 0, needs: 0, again: 0 };
  const most = {
    ops: Math.max(1, state.limits.max_ops),
    bytes: Math.max(1024, state.limits.max_bytes),
  };
  let next = await madeReady(state, tried, most);
  while (next) {
    const { chosen, sealed, ready } = next;
    const gone = total.sent + total.needs + total.again;
    post({ t: 'sending', done: gone, total: gone + ready });
    // Unmarked, a record could be taken back while it is sent: those wait until that is over.
    const unmarked = chosen.filter(({ row }) => row.tries > 0 || !(row.hold_until > Date.now()));
    const known = new Map(chosen.map(({ row, record }) => [row.op_id, record]));
    const batch = await unlessFull(
      () => outbox.claim([...known.keys()], known),
      unmarked.map(({ row, record }) => ({ ...record, sealed: row.sealed })),
    );
    if (!batch.length) break;
    if (batch.some((record) => Boolean(record.unreadable) !== sealed)) {
      await unlessFull(() => outbox.release(batch, 'locked')); // it goes to the other door
      next = await madeReady(state, tried, most);
      continue;
    }
    const request = stillSo(next, batch) ? next.request : await packed(batch, howToSend(sealed));
    const answering = push(request, { fetch: state.fetch });
    // While it is under way: what goes after it. If it does not arrive, that is thrown away.
    const after = new Set([...tried, ...batch.map((record) => record.op_id)]);
    const coming = madeReady(state, after, most);
    coming.catch(() => {}); // asked for below, or not needed
    const answer = await answering;
    if (answer.too_large && batch.length > 1) {
      await unlessFull(() => outbox.release(batch, 'too_large'));
      most.ops = Math.max(1, Math.min(Math.floor(batch.length / 2), answer.too_large.max_ops || Infinity));
      most.bytes = Math.max(
        1024,
        Math.min(Math.floor(most.bytes / 2), answer.too_large.max_bytes || Infinity),
      );
      next = await madeReady(state, tried, most);
      continue;
    }
    if (answer.too_large?.code) answer.results = [tooLarge(batch[0])];
    if (!answer.results) {
      await unlessFull(() => outbox.release(batch, answer.outcome));
      return stop(answer.outcome, total.sent, answer.retry_ms);
    }
    const unnoted = { done: [], needs: 0, again: batch.length };
    const settled = await unlessFull(() => outbox.settle(batch, answer.results), unnoted);
    for (const record of batch) tried.add(record.op_id);
    total.sent += settled.done.length;
    total.needs += settled.needs;
    total.again += settled.again;
    if (settled.done.length) post({ t: 'sent', op_ids: settled.done.map((r) => r.op_id) });
    // What was saved meanwhile may go too, once nothing older is left.
    next = (await coming) || (await madeReady(state, tried, most));
  }
  post({ t: 'sending', done: total.sent, total: 0 });
  const { sent, needs } = total;
  if (total.again) return { ...(await stop('partly', sent, null)), needs };
  return { outcome: sent || needs ? 'sent' : 'idle', sent, needs };
}

/**
 * The next request: which operations go in it, and its body as they stand now.
 * @returns {Promise<{chosen: object[], sealed: boolean, request: object, ready: number} | null>} ready: how
 *   many may go in all
 */
async function madeReady(state, tried, most) {
  const ready = (await outbox.toSend(state.user_id, tried)).filter((one) => may(one, state.reason, tried));
  if (!ready.length) return null;
  const { sealed, chosen } = cut(ready, most.ops, most.bytes);
  const records = chosen.map(({ row, record }) => ({ ...record, sealed: row.sealed }));
  return { chosen, sealed, request: await packed(records, howToSend(sealed)), ready: ready.length };
}

/** Only somebody who can keep them is given the words of a refusal back. */
function howToSend(sealed) {
  return { sealed, echo: Boolean(vault.holding()) };
}

/** Nobody took one back, or mended what it builds on, since the request was made. */
function stillSo({ chosen }, batch) {
  const same = ({ row }, place) => row.op_id === batch[place]?.op_id && row.version === batch[place].version;
  return chosen.length === batch.length && chosen.every(same);
}

/** Whether one waiting operation may go now: not within its ten seconds of undo, and not in vain. */
function may({ row, record }, reason, tried) {
  if (tried.has(row.op_id)) return false;
  if (reason !== 'button' && row.hold_until > Date.now()) return false;
  if (!record.unreadable) return true;
  return Boolean(row.sealed) && !(row.refused && !vault.holding());
}

/** This one operation alone is more than the server takes: that is an answer about it. */
function tooLarge({ op_id }) {
  return { op_id, status: 'rejected', code: 'too_large', detail: '这条记录太大，服务器收不下。' };
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

/** Note a failure and when to try again: after the server's own Retry-After, else with growing, jittered waits. */
async function stop(outcome, sent, asked_ms) {
  if (outcome !== 'partly') report(outcome);
  post({ t: 'sending', done: sent, total: 0 });
  const failures = ((await outbox.getMeta('failures')) || 0) + 1;
  const grown = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10), LONGEST_WAIT_MS);
  const retry_ms = asked_ms ?? Math.round(grown * (0.5 + Math.random()));
  await note('failures', failures);
  await note('not_before', {
    at: Date.now() + retry_ms,
    set_at: Date.now(),
    asked: asked_ms !== null,
  });
  return { outcome, sent, retry_ms };
}

/** The line is well again: what waits out its ten seconds of undo does not also wait for an old failure. */
async function forgetFailures() {
  if (await outbox.getMeta('failures')) await note('failures', 0);
  if (await outbox.getMeta('not_before')) await note('not_before', null);
}

/** Milliseconds until the next try is allowed. A phone clock that was moved back does not make us wait for ever. */
async function mustWait(reason) {
  const row = await outbox.getMeta('not_before');
  if (!row || Date.now() < row.set_at) return 0;
  if (!row.asked && reason !== 'timer') return 0; // a real event is worth a real try
  return Math.max(0, row.at - Date.now());
}
