import assert from 'node:assert/strict';
import { test } from 'node:test';

const policy = await import('../../static/js/vault/policy.js');
const MINUTE = 60000;
const HOUR = 3600000;

test('four wrong tries are free, then each costs longer', () => {
  const waits = Array.from({ length: 12 }, (_, tries) => policy.waitAfter(tries) / 1000);
  assert.deepEqual(waits, [0, 0, 0, 0, 0, 30, 60, 120, 300, 600, 600, 600]);
  assert.equal(policy.TRIES, 10);
});

test('the wait runs by the clock, and a clock moved back gains nothing', () => {
  const at = (tries, gone) => policy.waitLeft({ tries, tried_at: 1000 * HOUR }, 1000 * HOUR + gone);
  const table = [
    [4, 0, 0],
    [5, 0, 30000],
    [5, 12500, 17500],
    [5, 30000, 0],
    [9, 10 * MINUTE - 1, 1],
    [9, 10 * MINUTE, 0],
    [5, -1, 30000],
    [9, -9 * HOUR, 600000],
  ];
  for (const [tries, gone, left] of table) assert.equal(at(tries, gone), left, `${tries} tries, ${gone} ms`);
  assert.equal(policy.waitLeft({}, 5), 0);
});

test('time without the server is added up as it is seen to pass', () => {
  let row = policy.inTouch(1000 * HOUR);
  for (const hour of [1, 5, 30, 71]) row = policy.aged(row, (1000 + hour) * HOUR);
  assert.deepEqual(row, { away_ms: 71 * HOUR, seen_at: 1071 * HOUR, turned_back: false });
  assert.equal(policy.outOfTouch(row), false);
  assert.equal(policy.outOfTouch(policy.aged(row, 1072 * HOUR)), false);
  assert.equal(policy.outOfTouch(policy.aged(row, 1072 * HOUR + 1)), true);
  assert.equal(policy.outOfTouch({ ...row, offline_hours: 70 }), true);
});

test('a clock moved back takes nothing off, and more than ten minutes shut the store', () => {
  const row = { away_ms: 50 * HOUR, seen_at: 1000 * HOUR, turned_back: false };
  const back = (ms) => policy.aged(row, 1000 * HOUR - ms);
  for (const ms of [1, MINUTE, 10 * MINUTE, 10 * MINUTE + 1, HOUR, 8000 * HOUR]) {
    assert.deepEqual(back(ms), { ...row, turned_back: ms > 10 * MINUTE }, `${ms} ms back`);
  }
  // Once shut, walking forward again does not open it; only the server does.
  assert.equal(policy.aged(back(HOUR), 1001 * HOUR).turned_back, true);
  assert.equal(policy.aged(back(HOUR), 1001 * HOUR).away_ms, 51 * HOUR);
  assert.deepEqual(policy.inTouch(7), { away_ms: 0, seen_at: 7, turned_back: false });
});

test('moving the clock back and forth lets time pass, never the other way', () => {
  let row = policy.inTouch(1000 * HOUR);
  for (let turn = 0; turn < 8; turn += 1) {
    row = policy.aged(row, row.seen_at + 10 * HOUR);
    row = policy.aged(row, row.seen_at - 9 * MINUTE);
  }
  assert.equal(policy.outOfTouch(row), true);
});

test('a row that has never seen the time begins now', () => {
  assert.deepEqual(policy.aged({}, 42), { away_ms: 0, seen_at: 42, turned_back: false });
});

test('a PIN that anybody would try first is refused', () => {
  const refused =
    '000000 111111 999999 123456 654321 012345 987654 121212 909090 123123 520520 112233 889900 123321';
  const taken = '246813 190842 135790 824571 100200 246802 314159 470819';
  for (const pin of refused.split(' ')) assert.equal(policy.guessable(pin), true, pin);
  for (const pin of taken.split(' ')) assert.equal(policy.guessable(pin), false, pin);
});

test('idle is longer than the minutes, not as long', () => {
  assert.equal(policy.idle(0, 5 * MINUTE), false);
  assert.equal(policy.idle(0, 5 * MINUTE + 1), true);
  assert.equal(policy.idle(0, 5 * MINUTE + 1, 30), false);
  assert.equal(policy.idle(0, 30 * MINUTE + 1, 30), true);
});
