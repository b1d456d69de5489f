// What was recorded on this phone, kept until the server confirms it. Knows storage; knows no screen.
//
// States: saved -> sending -> done | conflict | rejected, and mended: refused, and a better one goes in its
// place. `sending` found by a new sender means that an answer was lost: nobody knows whether the server has
// it, so it is sent again under the same op_id.

import { deviceId, uuid7 } from '../ids.js';
import { isoDay, localIso } from '../when.js';
import { post } from './channel.js';
import { follow } from './followers.js';
import { readSealKey } from './protect.js';
import * as rows from './rows.js';
import { dropMended, inState, mendedBy, NEEDS_CARE, openStore, put, write } from './store.js';

export { expectRecord, learnSealKey, protect } from './protect.js';
export { claim, dropOldReceipts, release, requeueDone, settle, toSend } from './sending.js';
export { DATABASE, getMeta, openStore, setMeta, takeLease } from './store.js';

/** A new worker takes over only between writes (see sw.js). */
async function whileWriting(work) {
  const { locks } = globalThis.navigator || {};
  return locks ? locks.request('write', { mode: 'shared' }, work) : work();
}

/** This phone's own order of recording: the clock may jump, this does not. */
async function nextNumber(meta) {
  const row = (await meta.get('counter')) || { k: 'counter', n: 0 };
  row.n += 1;
  put(meta, row);
  return row.n;
}

function author(given) {
  const id = given || (typeof document !== 'undefined' && document.body?.dataset.user);
  if (!id) throw new Error('an operation needs its author');
  return id;
}

/** What somebody wants to mend was mended, sent or dropped already: perhaps in another tab. */
export class Settled extends Error {
  name = 'SettledError';
}

function neverSent(row) {
  return row.state === 'saved' && row.tries === 0;
}

/**
 * Keep one operation. Resolves only once it is safely on the disk.
 *
 * `corrects` is what the record that is corrected is called on its patient's page; it stays on the phone.
 * `replaces` names a refused record that this one mends: the new one has a name of its own and says whom it
 * replaces; the old one stays, out of the way, until the new one has arrived. Others that wait here and speak
 * of the record the old one would have made (a visit of a patient registered offline) speak of the new one.
 * @returns {Promise<object>} the record
 */
export async function add({
  kind,
  payload,
  base_revision,
  label,
  patient_id,
  patient_name,
  corrects,
  replaces,
  author_id,
  hold_ms = 0,
}) {
  const now = new Date();
  const old = replaces ? await get(replaces) : undefined;
  const record = {
    op_id: uuid7(now.getTime()),
    author_id: author(author_id),
    device_id: deviceId(),
    kind,
    recorded_at: localIso(now),
    payload: JSON.parse(JSON.stringify(payload)), // what is sent, frozen now
    schema: rows.SCHEMA,
    state: 'saved',
    version: 1,
    tries: 0,
    label: label || '',
    saved_at: now.getTime(),
    saved_on: isoDay(now),
    hold_until: hold_ms > 0 ? now.getTime() + hold_ms : 0,
  };
  if (base_revision !== undefined && base_revision !== null) record.base_revision = base_revision;
  if (patient_id) record.patient_id = patient_id;
  if (patient_name) record.patient_name = patient_name;
  if (corrects) record.corrects = corrects;
  if (replaces && !old) throw new Settled('这条记录已经处理过了。');
  if (old) {
    if (old.author_id !== record.author_id) throw new Error('这条记录是别人写的。');
    if (!NEEDS_CARE.includes(old.state)) throw new Settled('这条记录已经处理过了。');
    record.replaces = old.replaces || old.op_id; // of a chain, the first one is named
  }
  const closing = closed(record, old);
  closing.catch(() => {}); // heard below
  const row = await whileWriting(async () => {
    const { row, followers } = await closing; // meanwhile the turn to write has come
    await write(async (ops, meta) => {
      row.n = await nextNumber(meta);
      if (old) {
        const standing = await ops.get(old.op_id);
        if (!NEEDS_CARE.includes(standing?.state)) throw new Settled('这条记录已经在别处改好了。');
        // It keeps its place in the order, before whatever builds on it.
        row.n = standing.n;
        await ops.put({ ...standing, state: 'mended', was: standing.state, replaced_by: row.op_id });
      }
      await putMoved(ops, followers);
      put(ops, row);
    });
    return row;
  });
  record.n = row.n;
  post({ t: 'outbox', change: 'added', op_id: record.op_id });
  return record;
}

/** Everything that takes a key is done before the transaction: it would end while it waits. */
async function closed(record, old) {
  await readSealKey();
  const [row, followers] = await Promise.all([
    rows.closed(record),
    old ? moved(old, old.op_id, record.op_id) : [],
  ]);
  return { row, followers };
}

/** Rows of what builds on `from`, building on `to` from now on. Only a record that creates is built upon. */
async function moved({ kind, author_id }, from, to) {
  if (!kind.endsWith('.create')) return [];
  return Promise.all(follow(await all(author_id), from, to).map(rows.closed));
}

/** Put them where they stand: whether one is under way, or was dropped meanwhile, is known here only. */
async function putMoved(ops, list) {
  for (const row of list) {
    const now = await ops.get(row.op_id);
    if (now?.version !== row.version - 1 || now.state === 'done') continue;
    await ops.put({ ...row, state: now.state, tries: now.tries });
  }
}

export async function get(op_id) {
  const row = await (await openStore()).get('ops', op_id);
  return row && rows.opened(row);
}

async function openedIn(author_id, ...states) {
  return Promise.all((await inState(author_id, ...states)).map(rows.opened));
}

/** Every record of this author, in the order it was made. */
export async function all(author_id) {
  const range = IDBKeyRange.bound([author_id], [author_id, '\uffff']);
  const found = await (await openStore()).getAllFromIndex('ops', 'author_state', range);
  return Promise.all(found.sort((a, b) => a.n - b.n).map(rows.opened));
}

/** What the server has not confirmed and nobody needs to look at: saved or under way. Readable ones only. */
export async function pending(author_id) {
  return (await openedIn(author_id, 'saved', 'sending')).filter((record) => !record.unreadable);
}

/** The same, with those that this phone cannot read any more. */
export function waiting(author_id) {
  return openedIn(author_id, 'saved', 'sending');
}

/** What waits for a person: refused or overtaken. */
export function needsCare(author_id) {
  return openedIn(author_id, ...NEEDS_CARE);
}

/** Confirmed at or after `since` (milliseconds). */
export async function doneSince(author_id, since) {
  const found = (await inState(author_id, 'done')).filter((row) => row.done_at >= since);
  return Promise.all(found.map(rows.opened));
}

/** @returns {Promise<{waiting: number, sending: number, needs: number}>} waiting includes sending */
export async function counts(author_id) {
  const db = await openStore();
  const count = (state) => db.countFromIndex('ops', 'author_state', [author_id, state]);
  const [saved, sending, conflict, rejected] = await Promise.all(
    ['saved', 'sending', 'conflict', 'rejected'].map(count),
  );
  return { waiting: saved + sending, sending, needs: conflict + rejected };
}

/** How many of this author's go up without anybody unlocking the phone: not what was refused already. */
export async function goesLocked(author_id) {
  const found = await inState(author_id, 'saved', 'sending');
  return found.filter((row) => row.sealed && !row.refused).length;
}

/** When the first of the holds that still last is over; undefined when there is none. */
export async function holdOver(author_id, now = Date.now()) {
  const ends = (await inState(author_id, 'saved')).map((row) => row.hold_until).filter((end) => end > now);
  return ends.length ? Math.min(...ends) : undefined;
}

/** Records not confirmed, of everybody on this phone but `but`: a number only. */
export async function unsentOnPhone(but) {
  const found = await (await openStore()).getAll('ops');
  return found.filter((row) => !['done', 'mended'].includes(row.state) && row.author_id !== but).length;
}

/** Ids of what the server confirmed of this device's operations that were recorded on or after a day. */
export async function confirmedSince(author_id, device_id, since) {
  const found = await inState(author_id, 'done');
  const counted = found.filter((row) => row.device_id === device_id && row.saved_on >= since);
  // What a better one replaced is held under that one's name; what was asked about twice is not asked again.
  return counted.filter((row) => !row.receipt?.replaced_by && !(row.healed > 1)).map((row) => row.op_id);
}

/** Take back a record that has never left the phone. @returns {Promise<boolean>} false: it has left */
export async function undo(op_id) {
  const record = await get(op_id);
  const old = record && (await mendedBy((await openStore()).transaction('ops').store, record))[0];
  const followers = old ? await moved(old, op_id, old.op_id) : [];
  const removed = await write(async (ops) => {
    const row = await ops.get(op_id);
    if (!row || !neverSent(row)) return false;
    await ops.delete(op_id);
    await bringBack(ops, row);
    await putMoved(ops, followers);
    return true;
  });
  post({ t: 'outbox', change: 'undone', op_id });
  return removed;
}

/** Drop a refused or overtaken record, after the person said so. */
export async function discard(op_id) {
  const removed = await write(async (ops) => {
    const row = await ops.get(op_id);
    if (!row || !NEEDS_CARE.includes(row.state)) return false;
    await ops.delete(op_id);
    await dropMended(ops, [row]);
    return true;
  });
  post({ t: 'outbox', change: 'discarded', op_id });
  return removed;
}

/** What `row` was to replace needs a person again. */
async function bringBack(ops, row) {
  for (const old of await mendedBy(ops, row)) {
    await ops.put({ ...old, state: old.was, was: undefined, replaced_by: undefined });
  }
}

/** The sealed operations that the server has not confirmed, for a file: readable by nobody but the server. */
export async function sealedUnsent(author_id) {
  const found = await inState(author_id, 'saved', 'sending', ...NEEDS_CARE);
  return found.filter((row) => row.sealed);
}
