// An open store for ann: what every test of the queue stands on.

import 'fake-indexeddb/auto';

const vault = await import('../../static/js/vault/vault.js');
const crypt = await import('../../static/js/vault/crypto.js');

export async function openFor(user_id) {
  const data = await crypt.newDataKey();
  vault.drop();
  vault.adopt({ user_id, key: data });
  return data;
}
