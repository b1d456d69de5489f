// An open store for ann: what every test of the queue stands on.

import 'fake-indexeddb/auto';

const vault = await import('../../static/js/vault/vault.js');
const rows = await import('../../static/js/vault/rows.js');
const crypt = await import('../../static/js/vault/crypto.js');

/** As after unlocking, without the half second that a PIN takes. */
export async function openFor(user_id) {
  const data = await crypt.newDataKey();
  await rows.changePerson(user_id, () => ({ user_id, wrapped: {}, away_ms: 0, seen_at: Date.now() }));
  vault.drop();
  vault.adopt({ user_id, key: data });
  return data;
}
