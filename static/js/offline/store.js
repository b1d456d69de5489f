// The outbox as it lies on the disk: its database, its transactions, its rows by author and state.

import { opener } from './idb.js';

export const DATABASE = 'nuanxun-outbox'; // never deleted, whatever happens to the pages
const VERSION = 2; // 2 has no new store: it shuts out code that does not know how rows are closed
const STRICT = { durability: 'strict' };
export const NEEDS_CARE = ['conflict', 'rejected'];

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
export async function write(work) {
  const tx = (await openStore()).transaction(['ops', 'meta'], 'readwrite', STRICT);
  const ending = tx.done;
  ending.catch(() => {}); // reported below; without this the browser reports it twice
  let answer;
  try {
    answer = await work(tx.objectStore('ops'), tx.objectStore('meta'));
    // Nothing more comes: the browser need not wait until the last answers were heard.
    commit(tx);
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

function commit(tx) {
  try {
    tx.commit?.();
  } catch {
    // it is over already, well or not: tx.done says which
  }
}

/** Write without waiting for the answer: what went wrong ends the transaction, and write() says so. */
export function put(store, row) {
  store.put(row).catch(() => {});
}

/** Rows of this author in these states, in the order they were made. */
export async function inState(author_id, ...states) {
  const db = await openStore();
  const lists = await Promise.all(
    states.map((state) => db.getAllFromIndex('ops', 'author_state', [author_id, state])),
  );
  return lists.flat().sort((a, b) => a.n - b.n);
}

/** What `row` replaced: refused records that wait, out of the way, until it has arrived. */
export async function mendedBy(ops, row) {
  const mended = await ops.index('author_state').getAll([row.author_id, 'mended']);
  return mended.filter((old) => old.replaced_by === row.op_id);
}

/** What these rows of one author replaced, and what that had replaced, is not needed any more. */
export async function dropMended(ops, rows) {
  if (!rows.length) return;
  const over = new Set(rows.map(({ op_id }) => op_id));
  const mended = await ops.index('author_state').getAll([rows[0].author_id, 'mended']);
  let before;
  do {
    before = over.size;
    for (const old of mended) if (over.has(old.replaced_by)) over.add(old.op_id);
  } while (over.size > before);
  for (const old of mended) if (over.has(old.op_id)) await ops.delete(old.op_id);
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
