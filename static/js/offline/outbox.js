// What was recorded on this phone, kept until the server confirms it. Knows storage; knows no screen.
//
// States: saved -> sending -> done | conflict | rejected. `sending` found by a new sender means that an
// answer was lost: nobody knows whether the server has it, so it is sent again under the same op_id.

import { deviceId, uuid7 } from '../ids.js';
import { localIso } from '../when.js';
import { post } from './channel.js';
import { opener } from './idb.js';

export const DATABASE = 'nuanxun-outbox'; // never deleted, whatever happens to the pages
const VERSION = 1;
const SCHEMA = 1;
const STRICT = { durability: 'strict' };
const KEEP_DONE_MS = 30 * 86400000;
const SENT_AT_LEAST_ONCE = '这条记录已经发出，不能在原处修改。';

export const openStore = opener(DATABASE, VERSION, (db, oldVersion) => {
  if (oldVersion < 1) {
    const ops = db.createObjectStore('ops', { keyPath: 'op_id' });
    ops.createIndex('author_state', ['author_id', 'state']);
    ops.createIndex('patient_id', 'patient_id');
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

function neverSent(record) {
  return record.state === 'saved' && record.tries === 0;
}

/**
 * Keep one operation. Resolves only once it is safely on the disk.
 *
 * An `op_id` that waits here refused (or was never sent) is replaced in place: 改好，再上传. Where the server
 * knows the old content under that id, the operation gets a fresh one and the old record goes.
 * @returns {Promise<object>} the record as stored
 */
export async function add({
  kind,
  payload,
  base_revision,
  label,
  patient_id,
  patient_name,
  op_id,
  author_id,
  hold_ms = 0,
}) {
  const now = new Date();
  const record = {
    op_id: op_id || uuid7(now.getTime()),
    author_id: author(author_id),
    device_id: deviceId(),
    kind,
    recorded_at: localIso(now),
    payload: JSON.parse(JSON.stringify(payload)), // what is sent, frozen now
    schema: SCHEMA,
    state: 'saved',
    version: 1,
    tries: 0,
    label: label || '',
    saved_at: now.getTime(),
    hold_until: hold_ms > 0 ? now.getTime() + hold_ms : 0,
  };
  if (base_revision !== undefined && base_revision !== null) record.base_revision = base_revision;
  if (patient_id) record.patient_id = patient_id;
  if (patient_name) record.patient_name = patient_name;
  await write(async (ops, meta) => {
    record.n = await nextNumber(meta);
    const old = op_id && (await ops.get(op_id));
    if (old) {
      if (old.author_id !== record.author_id) throw new Error('这条记录是别人写的。');
      if (!neverSent(old) && old.state !== 'rejected' && old.state !== 'conflict') {
        throw new Error(SENT_AT_LEAST_ONCE);
      }
      if (old.state === 'conflict' || old.result?.code === 'op_id_reused') {
        await ops.delete(old.op_id);
        record.op_id = uuid7(now.getTime());
      } else {
        Object.assign(record, { n: old.n, version: (old.version || 1) + 1, tries: old.tries });
      }
    }
    await ops.put(record);
  });
  post({ t: 'outbox', change: 'added', op_id: record.op_id });
  return record;
}

export async function get(op_id) {
  return (await openStore()).get('ops', op_id);
}

/** Every record of this author, in the order it was made. */
export async function all(author_id) {
  const range = IDBKeyRange.bound([author_id], [author_id, '\uffff']);
  const found = await (await openStore()).getAllFromIndex('ops', 'author_state', range);
  return found.sort((a, b) => a.n - b.n);
}

async function inState(author_id, ...states) {
  const db = await openStore();
  const lists = await Promise.all(
    states.map((state) => db.getAllFromIndex('ops', 'author_state', [author_id, state])),
  );
  return lists.flat().sort((a, b) => a.n - b.n);
}

/** What the server has not confirmed and nobody needs to look at: saved or under way. */
export function pending(author_id) {
  return inState(author_id, 'saved', 'sending');
}

/** What waits for a person: refused or overtaken. */
export function needsCare(author_id) {
  return inState(author_id, 'conflict', 'rejected');
}

/** Confirmed at or after `since` (milliseconds). */
export async function doneSince(author_id, since) {
  return (await inState(author_id, 'done')).filter((record) => record.done_at >= since);
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

/** Unsent records of everybody on this phone: a number only, for the sign-in page. */
export async function unsentOnPhone() {
  const found = await (await openStore()).getAll('ops');
  return found.filter((record) => record.state !== 'done').length;
}

/** Take back a record that has never left the phone. @returns {Promise<boolean>} false: it has left */
export async function undo(op_id) {
  const removed = await write(async (ops) => {
    const record = await ops.get(op_id);
    if (!record || !neverSent(record)) return false;
    await ops.delete(op_id);
    return true;
  });
  post({ t: 'outbox', change: 'undone', op_id });
  return removed;
}

/** Drop a refused or overtaken record, after the person said so. */
export async function discard(op_id) {
  const removed = await write(async (ops) => {
    const record = await ops.get(op_id);
    if (!record || !(record.state === 'conflict' || record.state === 'rejected')) return false;
    await ops.delete(op_id);
    return true;
  });
  post({ t: 'outbox', change: 'discarded', op_id });
  return removed;
}

// ---- for the sender ----

/** Mark these as under way and return them as they stand on the disk now. Undone ones are left out. */
export async function claim(op_ids) {
  const claimed = await write(async (ops) => {
    const taken = [];
    for (const op_id of op_ids) {
      const record = await ops.get(op_id);
      if (!record || !(record.state === 'saved' || record.state === 'sending')) continue;
      record.state = 'sending';
      record.tries += 1;
      await ops.put(record);
      taken.push(record);
    }
    return taken;
  });
  post({ t: 'outbox', change: 'sending' });
  return claimed;
}

const STATE_AFTER = { applied: 'done', duplicate: 'done', conflict: 'conflict', rejected: 'rejected' };
// The server takes these later, or from somebody else's session: no person has to mend anything.
const SEND_AGAIN = new Set(['missing_dependency', 'author_mismatch']);

/**
 * Write down what the server answered. `sent` and `results` are paired by op_id; an operation without its
 * own answer, or changed since it was sent, stays waiting.
 * @returns {Promise<{done: object[], needs: number, again: number}>}
 */
export async function settle(sent, results, now = Date.now()) {
  const answers = new Map();
  for (const result of results) {
    if (result && typeof result.op_id === 'string') answers.set(result.op_id, result);
  }
  const outcome = await write(async (ops) => {
    const found = { done: [], needs: 0, again: 0 };
    for (const copy of sent) {
      const record = await ops.get(copy.op_id);
      if (!record || record.state === 'done') continue;
      const result = answers.get(copy.op_id);
      const known = result && STATE_AFTER[result.status];
      if (record.version !== copy.version || !known || SEND_AGAIN.has(result.code)) {
        record.state = 'saved';
        if (result?.code) record.last_error = { code: result.code, detail: result.detail };
        found.again += 1;
      } else {
        record.state = known;
        record.result = result;
        delete record.last_error;
        if (known === 'done') {
          record.done_at = now;
          found.done.push(record);
        } else {
          found.needs += 1;
        }
      }
      await ops.put(record);
    }
    return found;
  });
  post({ t: 'outbox', change: 'settled' });
  return outcome;
}

/** Nothing is known about these: back to waiting, with the reason. */
export async function release(sent, error) {
  await write(async (ops) => {
    for (const copy of sent) {
      const record = await ops.get(copy.op_id);
      if (!record || record.state !== 'sending') continue;
      record.state = 'saved';
      record.last_error = error;
      await ops.put(record);
    }
  });
  post({ t: 'outbox', change: 'released' });
}

/** The server was restored from a backup: what it confirmed may be gone, so send the kept copies again. */
export async function requeueDone(author_id) {
  const found = await inState(author_id, 'done');
  await write(async (ops) => {
    for (const record of found) {
      await ops.put({ ...record, state: 'saved' });
    }
  });
  post({ t: 'outbox', change: 'requeued' });
  return found.length;
}

/** Receipts older than 30 days go; nothing else ever does by itself. */
export async function dropOldReceipts(author_id, now = Date.now()) {
  const old = (await inState(author_id, 'done')).filter((r) => r.done_at < now - KEEP_DONE_MS);
  if (!old.length) return;
  await write(async (ops) => {
    for (const record of old) await ops.delete(record.op_id);
  });
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
