// The one door to IndexedDB. A relative path, so that browsers and `node --test` read the same file.

import { openDB } from '../../vendor/idb.js';

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
    if (!store) {
      store = openDB(name, version, {
        upgrade,
        blocking(_current, _blocked, event) {
          forget();
          event.target.close();
        },
        terminated: forget,
      });
      store.catch(forget);
    }
    return store;
  };
}
