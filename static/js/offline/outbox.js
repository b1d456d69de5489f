// What was recorded on this phone, kept until the server confirms it. Knows storage; knows no screen.
//
// States: saved -> sending -> done | conflict | rejected, and mended: refused, and a better one goes in its
// place. `sending` found by a new sender means that an answer was lost: nobody knows whether the server has
// it, so it is sent again under the same op_id.

import { deviceId, uuid7 } from '../ids.js';
import { isoDay, localIso } from '../when.js';
import { post } from './channel.js';
import { follow } from './followers.js';
import { opener } from './idb.js';
import * as rows from './rows.js';
import { sealable, sealTo } from './seal.js';

export const DATABASE = 'nuanxun-outbox'; // never deleted, whatever happens to the pages
const VERSION = 2; // 2 has no new store: it shuts out code that does not know how rows are closed
const STRICT = { durability: 'strict' };
const KEEP_DONE_MS = 30 * 86400000;
const NEEDS_CARE = ['conflict', 'rejected'];

export const openStore = opener(DATABASE, VERSION, (db, oldVersion) => {
  if (oldVersion < 1) {
    const ops = db.createObjectStore('ops', { keyPath: 'op_id' });
    ops.createIndex('author_state', ['author_id', 'state']);
    ops.createIndex('patient_id', 'patient_id'); // of rows of schema 1
    db.createObjectStore('meta', { keyPath: 'k' });
  }
});

/**
 * Run `work(ops, meta)` in one transaction that is on the disk when the promise resolves.
 * A put() that resolved is not yet saved: the transaction can still abort.
 */
async function write(work) {
  const tx = (await openStore()).transaction(['ops', 'meta'], 'readwrite', STRICT);
  const ending = tx.done;
  ending.catch(() => {}); // reported below; without this the browser reports it twice
  let answer;
  try {
    answer = await work(tx.objectStore('ops'), tx.objectStore('meta'));
  } catch (error) {
    try {
      tx.abort();
    } catch {
      // it is over already
    }
    throw error;
  }
  await ending;
  return answer;
}

/** A new worker takes over only between writes (see sw.js). */
async function whileWriting(work) {
  const { locks } = globalThis.navigator || {};
  return locks ? locks.request('write', { mode: 'shared' }, work) : work();
}

/** This phone's own order of recording: the clock may jump, this does not. */
async function nextNumber(meta) {
  const row = (await meta.get('counter')) || { k: 'counter', n: 0 };
  row.n += 1;
  await meta.put(row);
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
  if (replaces && !old) throw new Settled('这条记录已经处理过了。');
  if (old) {
    if (old.author_id !== record.author_id) throw new Error('这条记录是别人写的。');
    if (!NEEDS_CARE.includes(old.state)) throw new Settled('这条记录已经处理过了。');
    record.replaces = old.replaces || old.op_id; // of a chain, the first one is named
  }
  await readSealKey();
  const row = await rows.closed(record);
  const followers = old ? await moved(old, old.op_id, record.op_id) : [];
  await whileWriting(() =>
    write(async (ops, meta) => {
      row.n = await nextNumber(meta);
      if (old) {
        const standing = await ops.get(old.op_id);
        if (!NEEDS_CARE.includes(standing?.state)) throw new Settled('这条记录已经在别处改好了。');
        // It keeps its place in the order, before whatever builds on it.
        row.n = standing.n;
        await ops.put({ ...standing, state: 'mended', was: standing.state, replaced_by: row.op_id });
      }
      await putMoved(ops, followers);
      await ops.put(row);
    }),
  );
  record.n = row.n;
  post({ t: 'outbox', change: 'added', op_id: record.op_id });
  return record;
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

async function inState(author_id, ...states) {
  const db = await openStore();
  const lists = await Promise.all(
    states.map((state) => db.getAllFromIndex('ops', 'author_state', [author_id, state])),
  );
  return lists.flat().sort((a, b) => a.n - b.n);
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
    await dropMended(ops, row);
    return true;
  });
  post({ t: 'outbox', change: 'discarded', op_id });
  return removed;
}

async function mendedBy(ops, row) {
  const mended = await ops.index('author_state').getAll([row.author_id, 'mended']);
  return mended.filter((old) => old.replaced_by === row.op_id);
}

/** What `row` replaced, and what that had replaced, is not needed any more. */
async function dropMended(ops, row) {
  for (const old of await mendedBy(ops, row)) {
    await dropMended(ops, old);
    await ops.delete(old.op_id);
  }
}

/** What `row` was to replace needs a person again. */
async function bringBack(ops, row) {
  for (const old of await mendedBy(ops, row)) {
    await ops.put({ ...old, state: old.was, was: undefined, replaced_by: undefined });
  }
}

// ---- for the sender ----

/** What may be sent of this author: rows with their records, in order. */
export async function toSend(author_id) {
  const found = await inState(author_id, 'saved', 'sending');
  return Promise.all(found.map(async (row) => ({ row, record: await rows.opened(row) })));
}

/** Mark these as under way and return them as they stand on the disk now. Undone ones are left out. */
export async function claim(op_ids) {
  const taken = await write(async (ops) => {
    const found = [];
    for (const op_id of op_ids) {
      const row = await ops.get(op_id);
      if (!row || !(row.state === 'saved' || row.state === 'sending')) continue;
      row.state = 'sending';
      row.tries += 1;
      await ops.put(row);
      found.push(row);
    }
    return found;
  });
  post({ t: 'outbox', change: 'sending' });
  return Promise.all(taken.map(async (row) => ({ ...(await rows.opened(row)), sealed: row.sealed })));
}

const STATE_AFTER = { applied: 'done', duplicate: 'done', conflict: 'conflict', rejected: 'rejected' };
// The server takes these later, from somebody else's session, or under a newer key: nobody has to mend anything.
const SEND_AGAIN = new Set(['missing_dependency', 'author_mismatch', 'cannot_open']);

/**
 * Write down what the server answered. `sent` and `results` are paired by op_id; an operation without its
 * own answer, or changed since it was sent, stays waiting. So does a refusal whose words cannot be kept
 * because the phone is locked: it is asked for again once somebody can read it.
 * @returns {Promise<{done: object[], needs: number, again: number}>}
 */
export async function settle(sent, results, now = Date.now()) {
  const answers = new Map();
  for (const result of results) {
    if (result && typeof result.op_id === 'string') answers.set(result.op_id, result);
  }
  const judged = await Promise.all(sent.map((record) => judgement(record, answers.get(record.op_id), now)));
  const outcome = await write(async (ops) => {
    const found = { done: [], needs: 0, again: 0 };
    for (const { record, changes } of judged) {
      const row = await ops.get(record.op_id);
      if (!row || row.state === 'done') continue;
      const stale = row.version !== record.version;
      await ops.put(stale ? { ...row, state: 'saved' } : { ...row, ...changes });
      if (stale || changes.state === 'saved') found.again += 1;
      else if (changes.state !== 'done') found.needs += 1;
      else {
        found.done.push({ ...record, ...changes });
        await dropMended(ops, row);
      }
    }
    return found;
  });
  post({ t: 'outbox', change: 'settled' });
  return outcome;
}

async function judgement(record, result, now) {
  const known = result && STATE_AFTER[result.status];
  if (!known || SEND_AGAIN.has(result.code)) {
    return { record, changes: { state: 'saved', why: result?.code, reseal: result?.code === 'cannot_open' } };
  }
  if (known === 'done') {
    const { status, entity_id, revision, replaced_by } = result;
    const receipt = { status, entity_id, revision, ...(replaced_by ? { replaced_by } : {}) };
    return { record, changes: { state: 'done', done_at: now, receipt } };
  }
  // A copy that this phone could not read comes back from the server with its content.
  const { op, ...words } = result;
  const readable =
    record.unreadable && op
      ? { ...record, ...op, patient_id: op.payload?.patient_id, unreadable: undefined }
      : record;
  try {
    const row = await rows.closed({ ...readable, result: words });
    if (readable.unreadable) throw new Error('unreadable');
    const { body, sealed, answer } = row;
    return { record, changes: { state: known, body, sealed, answer, why: undefined } };
  } catch {
    return { record, changes: { state: 'saved', refused: result.code } };
  }
}

/** Nothing is known about these: back to waiting, with the reason. */
export async function release(sent, why) {
  await write(async (ops) => {
    for (const { op_id } of sent) {
      const row = await ops.get(op_id);
      if (row?.state === 'sending') await ops.put({ ...row, state: 'saved', why });
    }
  });
  post({ t: 'outbox', change: 'released' });
}

/** Confirmed ones that the server turned out not to hold: sent again. Without `op_ids` all of them. */
export async function requeueDone(author_id, op_ids) {
  const wanted = op_ids && new Set(op_ids);
  const found = (await inState(author_id, 'done')).filter((row) => !wanted || wanted.has(row.op_id));
  await write(async (ops) => {
    for (const row of found)
      await ops.put({ ...row, state: 'saved', healed: (row.healed || 0) + (wanted ? 1 : 0) });
  });
  post({ t: 'outbox', change: 'requeued' });
  return found.length;
}

/** Receipts older than 30 days go; nothing else ever does by itself. */
export async function dropOldReceipts(author_id, now = Date.now()) {
  const old = (await inState(author_id, 'done')).filter((row) => row.done_at < now - KEEP_DONE_MS);
  if (!old.length) return;
  await write(async (ops) => {
    for (const row of old) await ops.delete(row.op_id);
  });
}

// ---- closing what lies open ----

/**
 * Close and seal what is not: rows of the first release, rows saved before the server's key was known, and
 * those it could not open. Ask again about refused ones that the data key took along. Called when a store is
 * opened, and when a new key comes; meanwhile the worker, or another page, may be sending the same rows.
 */
export async function protect(author_id) {
  await readSealKey();
  const states = ['saved', 'sending', 'mended', 'done', ...NEEDS_CARE];
  for (const found of await inState(author_id, ...states)) {
    let row = found;
    while (row && !(await protectRow(row))) row = await (await openStore()).get('ops', row.op_id);
  }
}

/** @returns {Promise<boolean>} false: it was sent or answered meanwhile, and is to be looked at anew */
async function protectRow(row) {
  const open = !row.body || Boolean(row.payload); // a refusal may have been closed beside its plain words
  const unsealed = sealable() && row.state !== 'done' && (!row.sealed || row.reseal);
  const care = NEEDS_CARE.includes(row.state);
  if (!open && !unsealed && !care) return true;
  const record = await rows.opened(row);
  if (record.unreadable && care && row.sealed) await askAgain(row);
  if (record.unreadable || !(open || unsealed)) return true;
  const fresh = await rows.closed({
    ...record,
    reseal: undefined,
    saved_on: record.recorded_at.slice(0, 10),
  });
  if (open && row.result) {
    const { status, entity_id, revision } = row.result;
    if (row.state === 'done') fresh.receipt = { status, entity_id, revision };
  }
  return write(async (ops) => {
    const now = await ops.get(row.op_id);
    if (now && ['version', 'state', 'tries'].some((name) => now[name] !== row[name])) return false;
    if (now) await ops.put(fresh);
    return true;
  });
}

/**
 * A refused record whose content went with the data key: nobody can mend what nobody can read. Sent again as
 * it was sealed, it is either taken now, or refused once more and given back with its content.
 */
async function askAgain({ op_id, state }) {
  await write(async (ops) => {
    const row = await ops.get(op_id);
    if (row?.state === state) await ops.put({ ...row, state: 'saved', hold_until: 0 });
  });
}

async function readSealKey() {
  if (!sealable()) sealTo(await getMeta('seal'));
}

/** The server's newest public key, as it comes with the pack and with every greeting. */
export async function learnSealKey(key) {
  if (!key?.key_id || (await getMeta('seal'))?.key_id === key.key_id) return;
  await setMeta('seal', key);
  sealTo(key);
}

/** The sealed operations that the server has not confirmed, for a file: readable by nobody but the server. */
export async function sealedUnsent(author_id) {
  const found = await inState(author_id, 'saved', 'sending', ...NEEDS_CARE);
  return found.filter((row) => row.sealed);
}

export async function getMeta(k) {
  return (await (await openStore()).get('meta', k))?.v;
}

export function setMeta(k, v) {
  return write((_ops, meta) => meta.put({ k, v }));
}

/** Take the sender's lease where Web Locks are missing. @returns {Promise<boolean>} */
export function takeLease(holder, ms, now = Date.now()) {
  return write(async (_ops, meta) => {
    const lease = (await meta.get('lease'))?.v;
    const held = lease && lease.holder !== holder && lease.until > now && lease.until < now + 600000;
    if (!held) await meta.put({ k: 'lease', v: { holder, until: now + ms } });
    return !held;
  });
}
