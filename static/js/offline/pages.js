// The pages this phone keeps for whoever has it open, and typed text not yet saved. Each person has a
// database of their own; everything in it but addresses and revisions is under their data key.

import * as vault from '../vault/vault.js';
import * as idb from './idb.js';

const PREFIX = 'nuanxun-store-';
const VERSION = 1;
const STRICT = { durability: 'strict' };

// One page per form: what comes after "?" is read by the page's own script.
const ONE_PAGE = /^\/(visits\/new\/[^/]+|orders\/new)$/;

const openers = new Map();

export const databaseOf = (user_id) => PREFIX + user_id;

/** The database of this person. Throws LockedError when nobody has the phone open. */
function openStore(user_id = vault.userId()) {
  if (!user_id) throw new vault.Locked('locked');
  if (!openers.has(user_id)) {
    const upgrade = (db, oldVersion) => {
      if (oldVersion < 1) {
        db.createObjectStore('pages', { keyPath: 'url' });
        db.createObjectStore('meta', { keyPath: 'k' });
        db.createObjectStore('drafts', { keyPath: 'key' });
      }
    };
    openers.set(user_id, idb.opener(databaseOf(user_id), VERSION, upgrade));
  }
  return openers.get(user_id)();
}

/** The key under which an address is kept. */
export function pageKey(address) {
  const url = new URL(address, 'http://phone');
  // Which record is to be mended on it is for the page's own script.
  if (url.searchParams.has('op')) url.searchParams.delete('op');
  return ONE_PAGE.test(url.pathname) ? url.pathname : url.pathname + url.search;
}

async function sealed({ url, rev, html, packed }) {
  return { url, rev, packed, stored_at: Date.now(), box: await vault.encrypt(html, `page|${url}|${rev}`) };
}

/** @returns {Promise<{url: string, rev: string, html: string, packed: boolean, stored_at: number} | undefined>} */
export async function get(address) {
  if (!vault.holding()) return undefined;
  const row = await (await openStore()).get('pages', pageKey(address));
  if (!row) return undefined;
  const { box, ...rest } = row;
  return { ...rest, html: await vault.decrypt(box, `page|${row.url}|${row.rev}`) };
}

/** Keep one page that was just fetched. It stays a packed page if it was one. */
export async function put(address, { rev, html }) {
  const url = pageKey(address);
  const row = await sealed({ url, rev, html });
  const tx = (await openStore()).transaction('pages', 'readwrite', STRICT);
  row.packed = Boolean((await tx.store.get(url))?.packed);
  await Promise.all([tx.store.put(row), tx.done]);
}

export async function remove(address) {
  const tx = (await openStore()).transaction('pages', 'readwrite', STRICT);
  await Promise.all([tx.store.delete(pageKey(address)), tx.done]);
}

/**
 * What is known about the pack: {user, cursor, build, epoch, expires_at, fetched_at, started_at, revs}.
 * revs maps each packed address to the revision the server last named. Undefined: there is no pack, or the
 * phone is locked.
 */
export async function meta() {
  if (!vault.holding()) return undefined;
  const row = await (await openStore()).get('meta', 'pack');
  return row && vault.decrypt(row.box, 'pack');
}

/** Swap in a whole pack: all of it or nothing. */
export function replaceAll(list, about) {
  return write(list, [], about, true);
}

/** Bring in what changed, together with the cursor that says so. */
export function applyChanges(list, gone, about) {
  return write(list, gone, about, false);
}

async function write(list, gone, about, everything) {
  // Encrypted beforehand: a transaction ends by itself while it waits for anything else.
  const rows = await Promise.all(list.map((page) => sealed({ ...page, packed: true })));
  const box = await vault.encrypt(about, 'pack');
  const tx = (await openStore()).transaction(['pages', 'meta'], 'readwrite', STRICT);
  const pages = tx.objectStore('pages');
  const work = everything ? [pages.clear()] : [];
  for (const url of gone) work.push(pages.delete(url));
  for (const row of rows) work.push(pages.put(row));
  work.push(tx.objectStore('meta').put({ k: 'pack', box }));
  work.push(tx.done);
  await Promise.all(work);
}

/** Forget all pages, not the drafts: they are fetched again. The outbox is another database. */
export async function clear() {
  const tx = (await openStore()).transaction(['pages', 'meta'], 'readwrite', STRICT);
  await Promise.all([tx.objectStore('pages').clear(), tx.objectStore('meta').clear(), tx.done]);
}

/** Everything kept for this person goes, drafts too: at sign-out, or when its key is gone. */
export async function drop(user_id) {
  openers.delete(user_id);
  await idb.remove(databaseOf(user_id));
}

// ---- drafts ----

export async function getDraft(key) {
  const row = await (await openStore()).get('drafts', key);
  return row && vault.decrypt(row.box, `draft|${key}`);
}

/** Every record whose key begins so. */
export async function draftsFrom(prefix) {
  const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
  const rows = await (await openStore()).getAll('drafts', range);
  return Promise.all(rows.map(({ key, box }) => vault.decrypt(box, `draft|${key}`)));
}

/** @param {{key: string}} record anything JSON, found again by its key */
export async function putDraft(record) {
  const row = { key: record.key, box: await vault.encrypt(record, `draft|${record.key}`) };
  const tx = (await openStore()).transaction('drafts', 'readwrite', STRICT);
  await Promise.all([tx.store.put(row), tx.done]);
}

export async function draftKeys() {
  return (await openStore()).getAllKeys('drafts');
}

export async function removeDraft(key) {
  const tx = (await openStore()).transaction('drafts', 'readwrite', STRICT);
  await Promise.all([tx.store.delete(key), tx.done]);
}
