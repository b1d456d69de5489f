// The first release kept pages and drafts in one open database. What is worth keeping moves under the data
// key; the rest is fetched again.

import { openDB } from '../../vendor/idb.js';
import { remove } from '../offline/idb.js';
import * as pages from '../offline/pages.js';

const OLD = 'nuanxun-pages';
const PATIENCE_MS = 5000; // an old page asleep can hold up a deletion, and with it whoever wants to open

/**
 * Bring this person's drafts over and delete the old database. Every page asks for it as it opens, not only the
 * first one after a PIN was set: that one may have been killed before it came to it, and an old page that is
 * still open elsewhere makes the database anew with what is typed there.
 */
export async function moveIn(user_id) {
  if (!(await stands())) return;
  let timer;
  const enough = new Promise((go) => {
    timer = setTimeout(go, PATIENCE_MS);
  });
  await Promise.race([move(user_id), enough]).finally(() => clearTimeout(timer));
}

/** To open it would make it; a browser that cannot tell makes it, and deletes it again. */
async function stands() {
  const found = await indexedDB.databases?.();
  return !found || found.some(({ name }) => name === OLD);
}

async function move(user_id) {
  const db = await openDB(OLD, undefined, { blocking: (_mine, _theirs, event) => event.target.close() });
  try {
    if (db.objectStoreNames.contains('drafts')) {
      const range = IDBKeyRange.bound(`${user_id}|`, `${user_id}|\uffff`);
      for (const draft of await db.getAll('drafts', range)) await take(draft);
    }
  } finally {
    db.close();
  }
  await remove(OLD);
}

/** Unless more was typed since, where it is kept now. */
async function take(draft) {
  const mine = await pages.getDraft(draft.key).catch(() => undefined);
  if (!(mine?.saved_at >= draft.saved_at)) await pages.putDraft(draft);
}
