// Sends what waits in the outbox. The only code that pushes; used by pages and by the worker's sync event.
//
// Anything but a 200 JSON answer holding an operation's own result means "unknown": the operation is kept
// and sent again. The server knows it by its op_id, so sending twice keeps one.

import { localIso } from '../when.js';
import { post } from './channel.js';
import { alone } from './lock.js';
import { ask, json, outcomeOf, report, retryAfter } from './net.js';
import * as outbox from './outbox.js';

const DEFAULT_LIMITS = { max_ops: 100, max_bytes: 1024 * 1024 };
const GZIP_FROM_BYTES = 1024;
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 120000;
const SLOWEST_BYTES_PER_MS = 2; // 16 kbit/s

let running = null;
let again = null;

/**
 * Send everything that may be sent now. Calls that overlap share one run, and one more after it.
 *
 * `reason` 'button' ignores the back-off and the ten seconds of undo, but never a server's Retry-After.
 * @returns {Promise<{outcome: string, sent: number, user_id?: string, retry_ms?: number}>} outcome: idle,
 *   sent, waiting (not before retry_ms), partly (some must go again), unreachable, signed_out, revoked, busy
 */
export function send({ reason = 'timer', fetch } = {}) {
  if (running) {
    if (!again) {
      again = running
        .catch(() => {})
        .then(() => {
          again = null;
          return send({ reason, fetch });
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
  report('ok');
  await heedEpoch(me);
  const state = { user_id: me.user.id, limits: { ...DEFAULT_LIMITS, ...me.limits }, fetch, reason };
  const result = await pushAll(state);
  const well = result.outcome === 'idle' || result.outcome === 'sent';
  if (well && (await outbox.getMeta('failures'))) await note('failures', 0);
  await outbox.dropOldReceipts(me.user.id);
  return { ...result, user_id: me.user.id };
}

/** A new epoch: the server came back from a backup, so its confirmations may be gone. */
async function heedEpoch(me) {
  if (!me.epoch) return;
  const key = `epoch:${me.user.id}`;
  const known = await outbox.getMeta(key);
  if (known === me.epoch) return;
  await unlessFull(async () => {
    if (known) await outbox.requeueDone(me.user.id);
    await outbox.setMeta(key, me.epoch);
  });
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
  let sent = 0;
  let needs = 0;
  let unsettled = 0;
  let maxOps = Math.max(1, state.limits.max_ops);
  let maxBytes = Math.max(1024, state.limits.max_bytes);
  for (;;) {
    const waiting = (await outbox.pending(state.user_id)).filter((r) => !tried.has(r.op_id));
    const ready = waiting.filter((r) => state.reason === 'button' || !(r.hold_until > Date.now()));
    if (!ready.length) break;
    const total = sent + needs + unsettled + ready.length;
    post({ t: 'sending', done: sent, total });
    const chosen = cut(ready, maxOps, maxBytes);
    // Unmarked, a record could be taken back while it is sent: those wait until that is over.
    const unmarked = chosen.filter((r) => r.tries > 0 || !(r.hold_until > Date.now()));
    const batch = await unlessFull(() => outbox.claim(chosen.map((r) => r.op_id)), unmarked);
    if (!batch.length) break;
    const answer = await push(batch, state.fetch);
    if (answer.too_large && batch.length > 1) {
      await unlessFull(() => outbox.release(batch, { code: 'too_large' }));
      maxOps = Math.max(1, Math.min(Math.floor(batch.length / 2), answer.too_large.max_ops || Infinity));
      maxBytes = Math.max(1024, Math.min(Math.floor(maxBytes / 2), answer.too_large.max_bytes || Infinity));
      continue;
    }
    if (answer.too_large?.code) {
      // This one operation alone is more than the server takes: that is an answer about it.
      const refusal = {
        op_id: batch[0].op_id,
        status: 'rejected',
        code: 'too_large',
        detail: '这条记录太大，服务器收不下。',
      };
      answer.results = [refusal];
    }
    if (!answer.results) {
      await unlessFull(() => outbox.release(batch, { code: answer.outcome, detail: answer.detail }));
      return stop(answer.outcome, sent, answer.retry_ms);
    }
    const unnoted = { done: [], needs: 0, again: batch.length };
    const settled = await unlessFull(() => outbox.settle(batch, answer.results), unnoted);
    for (const record of batch) tried.add(record.op_id);
    sent += settled.done.length;
    needs += settled.needs;
    unsettled += settled.again;
    if (settled.done.length) {
      post({ t: 'sent', op_ids: settled.done.map((r) => r.op_id) });
    }
  }
  post({ t: 'sending', done: sent, total: 0 });
  if (unsettled) return { ...(await stop('partly', sent, null)), needs };
  return { outcome: sent || needs ? 'sent' : 'idle', sent, needs };
}

/** As many operations, in order, as one request may hold; at least one. */
function cut(ready, maxOps, maxBytes) {
  const batch = [];
  let bytes = 100;
  for (const record of ready) {
    bytes += size(JSON.stringify(wire(record))) + 1;
    if (batch.length && (batch.length >= maxOps || bytes > maxBytes)) break;
    batch.push(record);
  }
  return batch;
}

const encoder = new TextEncoder();
const size = (text) => encoder.encode(text).length;

/** The operation as the contract writes it: exactly the same every time it is sent. */
export function wire(record) {
  const op = {
    op_id: record.op_id,
    device_id: record.device_id,
    author_id: record.author_id,
    kind: record.kind,
    recorded_at: record.recorded_at,
    payload: record.payload,
  };
  if (record.base_revision !== undefined) op.base_revision = record.base_revision;
  return op;
}

async function push(batch, fetch) {
  const text = JSON.stringify({ sent_at: localIso(new Date()), ops: batch.map(wire) });
  const bytes = size(text);
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  let body = text;
  if (bytes > GZIP_FROM_BYTES && typeof CompressionStream === 'function') {
    body = await gzip(text);
    headers['Content-Encoding'] = 'gzip';
  }
  try {
    const timeout_ms = 30000 + bytes / SLOWEST_BYTES_PER_MS;
    const response = await ask('/api/sync/push', { method: 'POST', headers, body, timeout_ms, fetch });
    const answer = await json(response);
    if (response.status === 200 && Array.isArray(answer?.results)) {
      report('ok');
      return { results: answer.results };
    }
    // Any 413 halves the batch, a proxy's too; only our own says anything about a single operation.
    if (response.status === 413) return { too_large: answer || {}, outcome: 'busy', retry_ms: null };
    const outcome = outcomeOf(response, answer);
    // Our own server, but neither results nor "wait" nor "sign in": it is broken for now.
    return {
      outcome: outcome === 'ok' ? 'busy' : outcome,
      detail: answer?.detail,
      retry_ms: retryAfter(response),
    };
  } catch {
    return { outcome: 'unreachable', retry_ms: null };
  }
}

async function gzip(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
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

/** Milliseconds until the next try is allowed. A phone clock that was moved back does not make us wait for ever. */
async function mustWait(reason) {
  const row = await outbox.getMeta('not_before');
  if (!row || Date.now() < row.set_at) return 0;
  if (!row.asked && reason !== 'timer') return 0; // a real event is worth a real try
  return Math.max(0, row.at - Date.now());
}
