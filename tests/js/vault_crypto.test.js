import assert from 'node:assert/strict';
import { test } from 'node:test';
import 'fake-indexeddb/auto';

const crypt = await import('../../static/js/vault/crypto.js');
const FEW = 1000; // rounds: what is judged here is not how long it takes
const device = await crypt.newDeviceKey();
const salt = crypt.random(16);
const data = await crypt.newDataKey();
const pinKey = (pin, rounds = FEW) => crypt.pinKey(pin, salt, rounds);

test('the right PIN gives the data key back, and no script can take it out', async () => {
  const wrapped = await crypt.wrap(data, await pinKey('246813'), device);
  const box = await crypt.encrypt(data, { 血压: 186 }, 'page|/a|1');
  const key = await crypt.unwrap(wrapped, await pinKey('246813'), device);
  assert.deepEqual(await crypt.decrypt(key, box, 'page|/a|1'), { 血压: 186 });
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey('raw', key));
  const again = await crypt.unwrap(wrapped, await pinKey('246813'), device, true);
  assert.equal(again.extractable, true); // for being wrapped anew, when the PIN is changed
});

test('another PIN, another salt, other rounds or another device give nothing', async () => {
  const wrapped = await crypt.wrap(data, await pinKey('246813'), device);
  await assert.rejects(crypt.unwrap(wrapped, await pinKey('246814'), device));
  await assert.rejects(crypt.unwrap(wrapped, await crypt.pinKey('246813', crypt.random(16), FEW), device));
  await assert.rejects(crypt.unwrap(wrapped, await pinKey('246813', FEW + 1), device));
  await assert.rejects(crypt.unwrap(wrapped, await pinKey('246813'), await crypt.newDeviceKey()));
});

test('neither the device key nor a wrapping key can be taken out', async () => {
  assert.equal(device.extractable, false);
  assert.equal((await pinKey('246813')).extractable, false);
  assert.equal((await crypt.secretKey(crypt.random(32), 'finger')).extractable, false);
});

test('the wrapped key is not the data key in other words', async () => {
  const raw = Buffer.from(await crypto.subtle.exportKey('raw', data));
  const first = await crypt.wrap(data, await pinKey('246813'), device);
  const second = await crypt.wrap(data, await pinKey('246813'), device);
  assert.equal(Buffer.from(first.ct).includes(raw.subarray(0, 8)), false);
  assert.notDeepEqual(first, second); // a fresh vector each time
});

test('what is bound to one place cannot be passed off as another, nor be altered', async () => {
  const box = await crypt.encrypt(data, 'x', 'ann|page|/patients/1|7');
  for (const place of ['ann|page|/patients/2|7', 'ann|page|/patients/1|8', 'bea|page|/patients/1|7', '']) {
    await assert.rejects(crypt.decrypt(data, box, place), place);
  }
  box.ct[0] ^= 1;
  await assert.rejects(crypt.decrypt(data, box, 'ann|page|/patients/1|7'));
});

test('secrets of different labels wrap differently', async () => {
  const bytes = crypt.random(32);
  const wrapped = await crypt.wrap(data, await crypt.secretKey(bytes, 'finger'), device);
  assert.ok(await crypt.unwrap(wrapped, await crypt.secretKey(bytes, 'finger'), device));
  await assert.rejects(crypt.unwrap(wrapped, await crypt.secretKey(bytes, 'other'), device));
});

test('rounds follow how fast the phone is, between a floor and a ceiling', async () => {
  const taking = (ms) => {
    const moments = [0, ms + 400, 1000, 1000 + ms, 2000, 2000 + ms + 1]; // the first one is always slow
    return crypt.rounds(() => moments.shift());
  };
  assert.equal(await taking(1000), 600000); // a slow phone waits longer rather than getting fewer
  assert.equal(await taking(25), 1200000);
  assert.equal(await taking(0), 10000000); // a clock too coarse to see it
});
