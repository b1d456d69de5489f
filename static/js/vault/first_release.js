// The first release kept pages and drafts in one open database. What is worth keeping moves under the data
// key; the rest is fetched again.

import { openDB } from '../../vendor/idb.js';
import { remove } from '../offline/idb.js';
import * as pages from '../offline/pages.js';

const OLD = 'nuanxun-pages';

/** Bring this person's drafts over and delete the old database. Harmless where there is none. */
export async function moveIn(user_id) {
  const db = await openDB(OLD);
  try {
    if (db.objectStoreNames.contains('drafts')) {
      const range = IDBKeyRange.bound(`${user_id}|`, `${user_id}|\uffff`);
      for (const draft of await db.getAll('drafts', range)) await pages.putDraft(draft);
    }
  } finally {
    db.close();
  }
  await remove(OLD);
}
