import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { openFor } from './vault_setup.js';

const { moveIn } = await import('../../static/js/vault/first_release.js');
const { remove } = await import('../../static/js/offline/idb.js');
const pages = await import('../../static/js/offline/pages.js');
const { openDB } = await import('../../static/vendor/idb.js');

const OLD = 'nuanxun-pages';
const KEY = 'ann|adl|p1';
const names = async () => (await indexedDB.databases()).map(({ name }) => name);

beforeEach(async () => {
  await remove(OLD);
  await pages.drop('ann');
  await openFor('ann');
});

/** The store as the first release made it, with one draft in it. */
async function left(draft) {
  const db = await openDB(OLD, 1, {
    upgrade(fresh) {
      fresh.createObjectStore('pages', { keyPath: 'url' });
      fresh.createObjectStore('meta', { keyPath: 'k' });
      fresh.createObjectStore('drafts', { keyPath: 'key' });
    },
    blocking: (_mine, _theirs, event) => event.target.close(),
  });
  await db.put('pages', { url: '/today', rev: '1', html: '宁如意' });
  await db.put('drafts', draft);
  return db;
}

test('a draft of the first release moves under the data key, and nothing open is left', async () => {
  (await left({ key: KEY, values: { note: '走路慢' }, saved_at: 5 })).close();
  await moveIn('ann');
  assert.deepEqual((await pages.getDraft(KEY)).values, { note: '走路慢' });
  assert.equal((await names()).includes(OLD), false);
});

test('where there is nothing of the first release nothing is made', async () => {
  await moveIn('ann');
  assert.equal((await names()).includes(OLD), false);
  assert.deepEqual(await pages.draftKeys(), []);
});

test('what an old page keeps afterwards is brought over at the next opening', async () => {
  await moveIn('ann');
  const page = await left({ key: KEY, values: { note: '走路' }, saved_at: 5 });
  await moveIn('ann');
  assert.deepEqual((await pages.getDraft(KEY)).values, { note: '走路' });
  page.close();
});

test('an older draft does not replace what was typed since', async () => {
  await pages.putDraft({ key: KEY, values: { note: '走路慢' }, saved_at: 9 });
  (await left({ key: KEY, values: { note: '走' }, saved_at: 5 })).close();
  await moveIn('ann');
  assert.deepEqual((await pages.getDraft(KEY)).values, { note: '走路慢' });
  assert.equal((await names()).includes(OLD), false);
});

test('a draft that cannot be kept stays where it was', async () => {
  (await left({ key: KEY, values: { note: '走路慢' }, saved_at: 5 })).close();
  const { encrypt } = crypto.subtle;
  crypto.subtle.encrypt = async () => {
    throw new Error('no room');
  };
  try {
    await assert.rejects(moveIn('ann'));
  } finally {
    crypto.subtle.encrypt = encrypt;
  }
  await moveIn('ann');
  assert.deepEqual((await pages.getDraft(KEY)).values, { note: '走路慢' });
});
