// What the lock itself keeps on the disk: the device key, and for each person of this phone their wrapped
// data key with what the rules need. Nothing here names a patient.

import { opener } from '../offline/idb.js';

export const DATABASE = 'nuanxun-vault';
const STRICT = { durability: 'strict' };

const openStore = opener(DATABASE, 1, (db, oldVersion) => {
  if (oldVersion < 1) {
    db.createObjectStore('people', { keyPath: 'user_id' });
    db.createObjectStore('meta', { keyPath: 'k' });
  }
});

export async function person(user_id) {
  return user_id ? (await openStore()).get('people', user_id) : undefined;
}

export async function people() {
  return (await openStore()).getAll('people');
}

/** Change a person's row in one transaction on the disk: `change(row)` gives the new row, undefined removes it. */
export async function changePerson(user_id, change) {
  const tx = (await openStore()).transaction('people', 'readwrite', STRICT);
  const row = change(await tx.store.get(user_id));
  if (row) tx.store.put(row);
  else tx.store.delete(user_id);
  await tx.done;
  return row;
}

export async function getMeta(k) {
  return (await (await openStore()).get('meta', k))?.v;
}

export async function setMeta(k, v) {
  const tx = (await openStore()).transaction('meta', 'readwrite', STRICT);
  await Promise.all([tx.store.put({ k, v }), tx.done]);
}

/** The key that outer wrappings are made with, made once for this browser. */
export async function deviceKey(make) {
  const known = await getMeta('device-key');
  if (known) return known;
  const fresh = await make();
  const tx = (await openStore()).transaction('meta', 'readwrite', STRICT);
  const row = await tx.store.get('device-key'); // another tab may have been quicker
  if (!row) tx.store.put({ k: 'device-key', v: fresh });
  await tx.done;
  return row ? row.v : fresh;
}
