// Requests under way, several at a time where their order cannot matter. Each is settled by its own answer. When
// one fails, none is begun any more, and those under way are waited for.

import { AT_ONCE, howToSend, nextBatch, peopleOfAll } from './batches.js';
import { post } from './channel.js';
import { sharedLine } from './line.js';
import { report } from './net.js';
import * as outbox from './outbox.js';
import { packed, push } from './push.js';
import { unlessFull } from './room.js';

const DEFAULT_LIMITS = { max_ops: 100, max_bytes: 1024 * 1024 };
const LIGHT_TO_GRAVE = ['other_user', 'unreachable', 'busy', 'signed_out', 'revoked'];

/**
 * One sending of one person's records.
 *
 * `failure` {outcome, retry_ms} ends it. `tried` holds what was answered and still waits: it does not go again in
 * this sending. `again` counts those, `needs` what waits for a person, `sent` what the server has.
 */
export function begin({ user_id, limits, reason, fetch }) {
  const run = {
    user_id,
    reason,
    fetch,
    failure: null,
    sent: 0,
    needs: 0,
    again: 0,
    tried: new Set(),
    under_way: new Set(), // {batch, people, most, ending}
    ended: 0,
    line: sharedLine(),
    opened: new Map(), // op_id -> record
    ahead: null, // a promise of the batch after those under way
    stuck: false, // no room to mark what could still be taken back
    error: null,
    smaller: false, // a batch was too large: the rest of them is waited for
    shrunk: false,
    answered: 0, // for the strip
    rest: 0,
  };
  heedLimits(run, limits);
  return run;
}

/** What the server takes at once. A batch that was too large has said more already. */
export function heedLimits(run, limits) {
  if (run.shrunk) return;
  const { max_ops, max_bytes } = { ...DEFAULT_LIMITS, ...limits };
  run.most = { ops: Math.max(1, max_ops), bytes: Math.max(1024, max_bytes) };
}

/** From now on no request is begun. */
export function fail(run, { outcome, retry_ms = null }) {
  if (outcome === 'revoked') report(outcome); // whatever else is under way: this phone is emptied
  run.failure = worse(run.failure, { outcome, retry_ms });
}

/** Two failures of one sending, as one: however long any of them asks us to wait, we do. */
export function worse(one, other) {
  if (!one || !other) return one || other;
  const weight = ({ outcome }) => LIGHT_TO_GRAVE.indexOf(outcome);
  const graver = weight(one) > weight(other) ? one : other;
  const asked = [one.retry_ms, other.retry_ms].filter((ms) => ms !== null && ms !== undefined);
  return { outcome: graver.outcome, retry_ms: asked.length ? Math.max(...asked) : null };
}

/** Send all that may go now. Resolves when nothing is under way any more; what came of it stands in `run`. */
export async function pushAll(run) {
  run.stuck = false;
  let before;
  do {
    before = run.ended;
    await beginMore(run).catch((error) => broken(run, error));
    prepare(run);
    if (run.under_way.size) await Promise.race([...run.under_way].map((one) => one.ending));
  } while (run.ended > before); // also one that ended while something was looked for
  post({ t: 'sending', done: run.answered, total: 0 });
  if (run.error) throw run.error;
}

/** The store failed us: those under way are waited for, and then it is said. */
function broken(run, error) {
  run.error = run.error || error;
  fail(run, { outcome: 'unreachable' });
}

async function beginMore(run) {
  while (!run.failure && !run.stuck && run.under_way.size < AT_ONCE) {
    if (run.smaller && run.under_way.size) return; // what was too large goes before anything new
    run.smaller = false;
    const next = await upcoming(run);
    if (!next) return;
    if (!run.failure && !run.smaller) await beginOne(run, next);
  }
}

/** While others are under way: what goes after them. If one does not arrive, that is thrown away. */
function prepare(run) {
  if (!run.under_way.size || run.failure || run.smaller || run.ahead) return;
  const beside = run.under_way.size < AT_ONCE ? [] : [...run.under_way];
  run.ahead = nextBatch(run, beside).catch(() => null); // made anew when it is needed
}

async function upcoming(run) {
  const ready = await run.ahead;
  if (ready && !(ready.alone && run.under_way.size)) return ready;
  // What was saved meanwhile may go too, and what waited for one that is answered now.
  return nextBatch(run, [...run.under_way]);
}

async function beginOne(run, next) {
  const { chosen, sealed, alone } = next;
  run.ahead = null;
  run.rest = next.ready;
  tell(run);
  // Unmarked, a record could be taken back while it is sent: those wait until that is over.
  const unmarked = chosen.filter(({ row }) => row.tries > 0 || !(row.hold_until > Date.now()));
  const known = new Map(chosen.map(({ row, record }) => [row.op_id, record]));
  let batch = await unlessFull(() => outbox.claim([...known.keys()], known));
  if (!batch) {
    batch = unmarked.map(({ row, record }) => ({ ...record, sealed: row.sealed }));
    run.stuck = !batch.length;
  }
  if (!batch.length) return;
  const otherDoor = batch.some((record) => Boolean(record.unreadable) !== sealed);
  const mended = !alone && batch.some((record) => record.version !== known.get(record.op_id).version);
  if (run.failure || otherDoor || mended) {
    await unlessFull(() => outbox.release(batch, run.failure?.outcome || (otherDoor ? 'locked' : 'mended')));
    return;
  }
  const request = stillSo(chosen, batch) ? next.request : await packed(batch, howToSend(sealed));
  const one = { batch, people: peopleOfAll(batch), most: run.most };
  run.rest -= batch.length;
  run.under_way.add(one);
  one.ending = push(request, { as: run.user_id, fetch: run.fetch, line: run.line })
    .then((answer) => settle(run, one, answer))
    .catch((error) => broken(run, error))
    .finally(() => over(run, one));
}

/** Nobody took one back, or mended what it builds on, since the request was made. */
function stillSo(chosen, batch) {
  const same = ({ row }, place) => row.op_id === batch[place]?.op_id && row.version === batch[place].version;
  return chosen.length === batch.length && chosen.every(same);
}

function over(run, one) {
  if (run.under_way.delete(one)) run.ended += 1;
}

async function settle(run, one, answer) {
  const { batch, most } = one;
  if (answer.too_large && batch.length > 1) {
    shrink(run, batch, most, answer.too_large);
    await unlessFull(() => outbox.release(batch, 'too_large'));
    over(run, one);
    run.rest += batch.length;
    return;
  }
  if (answer.too_large?.code) answer.results = [tooLarge(batch[0])];
  if (!answer.results) {
    fail(run, answer);
    await unlessFull(() => outbox.release(batch, answer.outcome));
    return;
  }
  const unnoted = { done: [], needs: 0, again: batch.length };
  const settled = await unlessFull(() => outbox.settle(batch, answer.results), unnoted);
  const done = new Set(settled.done.map((record) => record.op_id));
  for (const { op_id } of batch) if (!done.has(op_id)) run.tried.add(op_id);
  run.sent += done.size;
  run.needs += settled.needs;
  run.again += settled.again;
  if (done.size) post({ t: 'sent', op_ids: [...done] });
  over(run, one);
  run.answered += batch.length;
  tell(run);
}

/** Half of what was sent, or what the server names: whichever of several batches asks for less. */
function shrink(run, batch, most, { max_ops, max_bytes }) {
  run.most = {
    ops: Math.max(1, Math.min(run.most.ops, Math.floor(batch.length / 2), max_ops || Infinity)),
    bytes: Math.max(1024, Math.min(run.most.bytes, Math.floor(most.bytes / 2), max_bytes || Infinity)),
  };
  Object.assign(run, { shrunk: true, smaller: true, ahead: null });
}

/** How many are answered, of how many: those, what is under way, and what waits its turn. */
function tell(run) {
  let count = 0;
  for (const { batch } of run.under_way) count += batch.length;
  post({ t: 'sending', done: run.answered, total: run.answered + count + run.rest });
}

/** This one operation alone is more than the server takes: that is an answer about it. */
function tooLarge({ op_id }) {
  return { op_id, status: 'rejected', code: 'too_large', detail: '这条记录太大，服务器收不下。' };
}
