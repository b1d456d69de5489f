import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import 'fake-indexeddb/auto';

const vault = await import('../../static/js/vault/vault.js');
const rows = await import('../../static/js/vault/rows.js');
const crypt = await import('../../static/js/vault/crypto.js');
const { openDB } = await import('../../static/vendor/idb.js');

const ANN = { user_id: 'ann', name: '安医生', role: 'doctor' };
const PIN = '246813';
const HOUR = 3600000;
const START = Date.parse('2026-06-01T08:00:00+08:00');
const change = (changes) => rows.changePerson('ann', (row) => ({ ...row, ...changes }));
const later = (ms) => mock.timers.setTime(Date.now() + ms);

// These tests try many PINs: each costs a thousand rounds here, not a million.
const { deriveKey } = crypto.subtle;
const quickly = (how, ...rest) =>
  deriveKey.call(crypto.subtle, how.iterations ? { ...how, iterations: 1000 } : how, ...rest);
crypto.subtle.deriveKey = quickly;

const made = (pin = PIN) => vault.create(ANN, pin);

beforeEach(async () => {
  mock.timers.enable({ apis: ['Date'], now: START });
  vault.drop();
  vault.askWith(async () => null);
  await rows.changePerson('ann', () => undefined);
});
afterEach(() => mock.timers.reset());

test('a new store is open for whoever made it, locked for everybody after', async () => {
  assert.equal(await vault.state('ann'), 'none');
  await made();
  assert.equal(vault.userId(), 'ann');
  assert.equal(vault.holding().key.extractable, false);
  assert.equal(await vault.state('ann'), 'locked');
  const row = await vault.row('ann');
  assert.equal('key' in row || 'pin' in row, false);
  vault.drop();
  assert.equal(await vault.open(), null);
  await assert.rejects(vault.encrypt(1, 'x'), { name: 'LockedError' });
});

test('a try is counted on the disk before it is judged', async () => {
  await made();
  let counted;
  crypto.subtle.deriveKey = async (...how) => {
    counted = (await vault.row('ann')).tries; // as it stands if the page were killed now
    return quickly(...how);
  };
  try {
    await vault.unlock('ann', '000001');
  } finally {
    crypto.subtle.deriveKey = quickly;
  }
  assert.equal(counted, 1);
});

test('the fifth wrong one waits, the tenth ends it, and the right one in between forgets them all', async () => {
  await made();
  for (const left of [9, 8, 7, 6]) {
    assert.deepEqual(await vault.unlock('ann', '000001'), { left, wait_ms: 0 });
  }
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
  assert.equal((await vault.row('ann')).tries, 0);
  vault.drop();
  for (const wait_s of [0, 0, 0, 0, 30, 60, 120, 300, 600]) {
    const result = await vault.unlock('ann', '000001');
    assert.equal(result.wait_ms, wait_s * 1000);
    assert.equal(result.untried, undefined);
    if (wait_s) {
      const barred = await vault.unlock('ann', PIN); // too early: not even the right one is tried
      assert.deepEqual(barred, { untried: true, wait_ms: wait_s * 1000, left: result.left });
      later(wait_s * 1000);
    }
  }
  assert.deepEqual(await vault.unlock('ann', '000001'), { ended: 'tries' });
  assert.equal(await vault.state('ann'), 'ended');
  assert.deepEqual(await vault.unlock('ann', PIN), { untried: true, ended: 'tries' });
  assert.deepEqual(Object.keys(await vault.row('ann')).sort(), [
    'ended',
    'name',
    'role',
    'user_id',
    'username',
  ]);
});

test('the right one at the tenth try still opens', async () => {
  await made();
  await change({ tries: 9, tried_at: Date.now() - HOUR });
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
});

test('a page killed while the tenth is judged has not won an eleventh', async () => {
  await made();
  await change({ tries: 10, tried_at: Date.now() - HOUR });
  assert.deepEqual(await vault.unlock('ann', PIN), { untried: true, ended: 'tries' });
  assert.equal(await vault.state('ann'), 'ended');
});

test('several tabs at once share the tries that are left', async () => {
  await made();
  const all = await Promise.all(Array.from({ length: 8 }, () => vault.unlock('ann', '000001')));
  assert.equal(all.filter((result) => !result.untried).length, 5); // then it waits, whoever asks
  assert.equal((await vault.row('ann')).tries, 5);
});

test('a clock moved back begins the wait anew, once and not for ever', async () => {
  await made();
  await change({ tries: 5, tried_at: Date.now() + 9 * 60000, seen_at: Date.now() + 9 * 60000 });
  assert.equal((await vault.bar('ann')).wait_ms, 30000);
  later(10000);
  assert.equal((await vault.bar('ann')).wait_ms, 20000);
  later(20000);
  assert.equal(await vault.bar('ann'), null);
});

test("a storage that fails is nobody's wrong try", async () => {
  await made();
  const real = IDBObjectStore.prototype.get;
  IDBObjectStore.prototype.get = function (key) {
    if (key === 'device-key') throw new DOMException('gone', 'UnknownError');
    return real.call(this, key);
  };
  try {
    await assert.rejects(vault.unlock('ann', PIN), { name: 'UnknownError' });
  } finally {
    IDBObjectStore.prototype.get = real;
  }
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
});

test('a new PIN keeps the data key and so what it closed', async () => {
  await made();
  const box = await vault.encrypt({ a: 1 }, 'draft|x');
  await assert.rejects(vault.changePin('ann', '000001', '135792'));
  await vault.changePin('ann', PIN, '135792');
  vault.drop();
  assert.deepEqual(await vault.unlock('ann', PIN), { left: 9, wait_ms: 0 });
  assert.deepEqual(await vault.unlock('ann', '135792'), { ok: true });
  assert.deepEqual(await vault.decrypt(box, 'draft|x'), { a: 1 });
});

test('a store without a PIN opens by itself, and keeps its data key when it gets one', async () => {
  await made(null);
  const box = await vault.encrypt({ a: 1 }, 'draft|x');
  assert.equal(await vault.state('ann'), 'without-pin');
  vault.drop();
  assert.ok(await vault.openWithoutPin('ann'));
  vault.drop();
  await vault.create(ANN, PIN);
  assert.equal(await vault.state('ann'), 'locked');
  assert.deepEqual(await vault.decrypt(box, 'draft|x'), { a: 1 });
  vault.drop();
  assert.equal(await vault.openWithoutPin('ann'), null);
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
});

test('of two tabs that set a PIN the first wins, and the other is told', async () => {
  await made();
  const box = await vault.encrypt({ a: 1 }, 'draft|x');
  assert.equal(await vault.create(ANN, '135792'), null);
  vault.drop();
  assert.equal((await vault.unlock('ann', '135792')).left, 9);
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
  assert.deepEqual(await vault.decrypt(box, 'draft|x'), { a: 1 });
});

test('one person cannot read what another one closed, nor the same under another name', async () => {
  await made();
  const box = await vault.encrypt('x', 'draft|ann|f');
  const { key } = vault.holding();
  vault.drop();
  vault.adopt({ user_id: 'bea', key });
  await rows.changePerson('bea', () => ({ user_id: 'bea', wrapped: {}, seen_at: Date.now() }));
  await assert.rejects(vault.decrypt(box, 'draft|ann|f'));
  vault.drop();
  vault.adopt({ user_id: 'ann', key });
  await assert.rejects(vault.decrypt(box, 'draft|ann|g'));
  assert.equal(await vault.decrypt(box, 'draft|ann|f'), 'x');
});

test('seventy-two hours without the server end it, also when the clock is set back afterwards', async () => {
  await made();
  later(71 * HOUR);
  assert.equal(await vault.shutByTime('ann'), null);
  later(2 * HOUR);
  assert.equal(await vault.shutByTime('ann'), 'offline');
  mock.timers.setTime(START);
  assert.equal(await vault.state('ann'), 'ended');
  assert.equal((await vault.row('ann')).wrapped, undefined);
  assert.equal(vault.holding(), null);
  await vault.contact('ann'); // and no answer of the server brings it back
  assert.equal(await vault.state('ann'), 'ended');
});

test('setting the clock back does not stretch the seventy-two hours', async () => {
  await made();
  later(71 * HOUR);
  await vault.shutByTime('ann');
  later(-9 * 60000);
  assert.equal(await vault.shutByTime('ann'), null);
  later(9 * 60000 + 2 * HOUR);
  assert.equal(await vault.shutByTime('ann'), 'offline');
});

test('a clock turned back by an hour keeps even the right PIN out until the server was reached', async () => {
  await made();
  vault.drop();
  later(-HOUR);
  assert.deepEqual(await vault.unlock('ann', PIN), { untried: true, ended: 'clock' });
  later(2 * HOUR);
  assert.deepEqual(await vault.unlock('ann', PIN), { untried: true, ended: 'clock' });
  assert.equal((await vault.row('ann')).tries, 0);
  await vault.contact('ann', { lock_minutes: 7, offline_hours: undefined });
  assert.deepEqual(await vault.unlock('ann', PIN), { ok: true });
  const { lock_minutes, offline_hours } = await vault.row('ann');
  assert.deepEqual([lock_minutes, offline_hours], [7, 72]);
});

test('an open store shuts by time too, in whichever realm holds the key', async () => {
  await made();
  assert.ok(await vault.open());
  later(73 * HOUR);
  assert.equal(await vault.open(), null);
});

test('a key whose store was ended or forgotten elsewhere opens nothing', async () => {
  await made();
  const was = vault.holding();
  await rows.changePerson('ann', (row) => ({ user_id: row.user_id, ended: 'tries' }));
  assert.equal(await vault.open(), null);
  vault.adopt(was);
  await rows.changePerson('ann', () => undefined);
  assert.equal(await vault.open(), null);
});

test('a key that was asked for before a lock and comes after it is not taken', async () => {
  await made();
  const was = vault.holding();
  vault.drop();
  let answer;
  vault.askWith(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const opening = vault.open();
  vault.drop();
  answer(was);
  assert.equal(await opening, null);
  vault.askWith(async () => was);
  assert.equal((await vault.open()).user_id, 'ann');
});

test("the server's answer is noted once a minute, and at once when it brings news", async () => {
  await made();
  await vault.contact('ann');
  const noted = (await vault.row('ann')).contact_at;
  later(30000);
  await vault.contact('ann');
  assert.equal((await vault.row('ann')).contact_at, noted);
  await vault.contact('ann', { lock_minutes: 3 });
  assert.equal((await vault.row('ann')).contact_at, noted + 30000);
  await vault.contact('nobody', { lock_minutes: 3 });
  assert.equal(await vault.row('nobody'), undefined);
});

test('changes of one row that overlap are all kept', async () => {
  await made();
  const add = () => rows.changePerson('ann', (row) => ({ ...row, n: (row.n || 0) + 1 }));
  await Promise.all(Array.from({ length: 20 }, add));
  assert.equal((await vault.row('ann')).n, 20);
  await assert.rejects(
    rows.changePerson('ann', () => {
      throw new Error('no');
    }),
  );
  assert.equal((await vault.row('ann')).n, 20);
  await rows.changePerson('ann', () => undefined);
  assert.equal(await vault.row('ann'), undefined);
});

test('the device key is made once, whoever asks first', async () => {
  const db = await openDB(rows.DATABASE);
  await db.delete('meta', 'device-key');
  db.close();
  const [first, second] = await Promise.all([1, 2].map(() => rows.deviceKey(crypt.newDeviceKey)));
  const box = await crypt.encrypt(first, 'x', 'y');
  assert.equal(await crypt.decrypt(second, box, 'y'), 'x');
  assert.equal(await crypt.decrypt(await rows.deviceKey(crypt.newDeviceKey), box, 'y'), 'x');
});

test('a finger opens what the PIN opens; a wrong one is not counted', async () => {
  await made();
  const box = await vault.encrypt('x', 'y');
  const kek = await crypt.secretKey(crypt.random(32), 'finger');
  await vault.keepFingerprint('ann', { wrapped: await vault.wrapAgain('ann', PIN, kek) });
  vault.drop();
  await assert.rejects(vault.unlockBySecret('ann', await crypt.secretKey(crypt.random(32), 'finger')));
  assert.equal((await vault.row('ann')).tries, 0);
  assert.deepEqual(await vault.unlockBySecret('ann', kek), { ok: true });
  assert.equal(await vault.decrypt(box, 'y'), 'x');
  await vault.changePin('ann', PIN, '135792'); // the finger goes on opening the same data key
  assert.deepEqual(await vault.unlockBySecret('ann', kek), { ok: true });
  await vault.end('ann', 'tries');
  assert.equal((await vault.row('ann')).fingerprint, undefined);
  assert.deepEqual(await vault.keepFingerprint('nobody', {}), undefined);
});

test('who has just signed in is remembered until the store is open', async () => {
  await made();
  await vault.arrive(ANN);
  assert.equal(await vault.current(), 'ann');
  assert.deepEqual(await vault.arrived(), ANN);
  await vault.unlock('ann', PIN);
  assert.equal(await vault.arrived(), null);
  await rows.changePerson('bea', () => ({ user_id: 'bea', name: '贝', wrapped: {} }));
  await rows.changePerson('cid', () => ({ user_id: 'cid', name: '茨', ended: 'tries' }));
  assert.deepEqual(
    (await vault.others()).map((row) => row.name),
    ['贝'],
  );
});
