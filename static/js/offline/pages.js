// The pages this phone keeps, and typed text not yet saved. Every read and write of a stored page passes
// through seal() and open() below: the one seam for encryption.

import { opener } from './idb.js';

export const DATABASE = 'nuanxun-pages';
const VERSION = 1;
const STRICT = { durability: 'strict' };

// One page per form: what comes after "?" is read by the page's own script.
const ONE_PAGE = /^\/(visits\/new\/[^/]+|orders\/new)$/;

export const openStore = opener(DATABASE, VERSION, (db, oldVersion) => {
  if (oldVersion < 1) {
    db.createObjectStore('pages', { keyPath: 'url' });
    db.createObjectStore('meta', { keyPath: 'k' });
    db.createObjectStore('drafts', { keyPath: 'key' });
  }
});

function seal(record) {
  return record;
}

function open(record) {
  return record;
}

/** The key under which an address is kept. */
export function pageKey(address) {
  const url = new URL(address, 'http://phone');
  return ONE_PAGE.test(url.pathname) ? url.pathname : url.pathname + url.search;
}

/** @returns {Promise<{url: string, rev: string, html: string, packed: boolean, stored_at: number} | undefined>} */
export async function get(url) {
  const record = await (await openStore()).get('pages', pageKey(url));
  return record && open(record);
}

/** Keep one page that was just fetched. It stays a packed page if it was one. */
export async function put(url, { rev, html }) {
  const key = pageKey(url);
  const tx = (await openStore()).transaction('pages', 'readwrite', STRICT);
  const [before] = await Promise.all([tx.store.get(key)]);
  const record = { url: key, rev, html, packed: Boolean(before?.packed), stored_at: Date.now() };
  await Promise.all([tx.store.put(seal(record)), tx.done]);
}

export async function remove(url) {
  const tx = (await openStore()).transaction('pages', 'readwrite', STRICT);
  await Promise.all([tx.store.delete(pageKey(url)), tx.done]);
}

/**
 * What is known about the pack: {user, cursor, build, epoch, expires_at, fetched_at, started_at, revs}.
 * revs maps each packed address to the revision the server last named. Undefined: there is no pack.
 */
export async function meta() {
  return (await (await openStore()).get('meta', 'pack'))?.v;
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
  const tx = (await openStore()).transaction(['pages', 'meta'], 'readwrite', STRICT);
  const pages = tx.objectStore('pages');
  const stored_at = Date.now();
  const work = everything ? [pages.clear()] : [];
  for (const url of gone) work.push(pages.delete(url));
  for (const { url, rev, html } of list)
    work.push(pages.put(seal({ url, rev, html, packed: true, stored_at })));
  work.push(tx.objectStore('meta').put({ k: 'pack', v: about }));
  work.push(tx.done);
  await Promise.all(work);
}

/** Forget all pages: at sign-out, or when somebody else signs in. The outbox is another database. */
export async function clear() {
  const tx = (await openStore()).transaction(['pages', 'meta'], 'readwrite', STRICT);
  await Promise.all([tx.objectStore('pages').clear(), tx.objectStore('meta').clear(), tx.done]);
}

// ---- drafts ----

export async function getDraft(key) {
  const record = await (await openStore()).get('drafts', key);
  return record && open(record);
}

export async function putDraft(record) {
  const tx = (await openStore()).transaction('drafts', 'readwrite', STRICT);
  await Promise.all([tx.store.put(seal(record)), tx.done]);
}

export async function removeDraft(key) {
  const tx = (await openStore()).transaction('drafts', 'readwrite', STRICT);
  await Promise.all([tx.store.delete(key), tx.done]);
}
