// The one door to IndexedDB. A relative path, so that browsers and `node --test` read the same file.

import { openDB } from '../../vendor/idb.js';

const open = new Set();
let over = false;

/**
 * A function that gives the database, opened once. A newer version opening elsewhere makes us let go, so
 * that it can migrate; a database that failed or was taken away is opened again at the next call.
 * @param {(db: object, oldVersion: number) => void} upgrade only ever adds
 */
export function opener(name, version, upgrade) {
  let store = null;
  const forget = () => {
    store = null;
  };
  return () => {
    if (over) return Promise.reject(new Error('this phone was emptied'));
    if (!store) {
      store = opened(
        openDB(name, version, {
          upgrade,
          blocking(_current, _blocked, event) {
            forget();
            event.target.close();
          },
          terminated: forget,
        }),
      );
      store.catch(forget);
    }
    return store;
  };
}

async function opened(opening) {
  const db = await opening;
  if (over) {
    db.close();
    throw new Error('this phone was emptied');
  }
  open.add(db);
  return db;
}

/** Let go of every database and open none again: opening one would make it anew. */
export function closeForGood() {
  over = true;
  for (const db of open) db.close();
  open.clear();
}

/**
 * Delete a database, when those who have it open have let go. One that is asked and does not, a page asleep
 * in the background, is not waited for: it goes when that page wakes or ends.
 */
export function remove(name, patience_ms = 5000) {
  return new Promise((resolve) => {
    const asked = indexedDB.deleteDatabase(name);
    asked.onsuccess = asked.onerror = resolve;
    asked.onblocked = () => setTimeout(resolve, patience_ms);
  });
}
