// The phone's own sums about orders: no browser needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ahead, moment, movesOf, tomorrow, wanted } from '../../static/js/orders/words.js';

const move = (op_id, to, order_id = 'o1') => ({ op_id, kind: 'order.transition', payload: { order_id, to } });

test('steps that wait on the phone build on each other', () => {
  const row = { id: 'o1', state: 'scheduled', revision: 2, ops: ['a', 'b'] };
  const ops = [move('c', 'accepted'), move('x', 'cancelled', 'o2'), move('d', 'en_route')];
  assert.deepEqual(ahead(ops, row), { state: 'en_route', revision: 4, waiting: 2 });
});

test('a step the page already shows is not counted again', () => {
  const row = { id: 'o1', state: 'accepted', revision: 3, ops: ['a', 'b', 'c'] };
  assert.deepEqual(ahead([move('c', 'accepted')], row), { state: 'accepted', revision: 3, waiting: 0 });
});

test('other operations are left alone', () => {
  const visit = { op_id: 'v', kind: 'visit.create', payload: {} };
  assert.deepEqual(movesOf([visit, move('c', 'accepted')], 'o1').length, 1);
});

test('tomorrow is tomorrow on the last day of a month and of a year', () => {
  assert.equal(tomorrow(new Date(2026, 1, 28, 23, 59)), '2026-03-01');
  assert.equal(tomorrow(new Date(2026, 11, 31, 0, 1)), '2027-01-01');
  assert.equal(tomorrow(new Date(2028, 1, 28, 12, 0)), '2028-02-29');
});

test('a chosen half day is a moment with the offset of China', () => {
  assert.equal(moment('2026-06-11', '14:00'), '2026-06-11T14:00:00+08:00');
  assert.ok(!Number.isNaN(Date.parse(moment('2026-06-11', '09:00'))));
});

test('what was asked for is said in words, and nonsense is not', () => {
  const now = new Date(2026, 5, 10, 8, 0);
  assert.equal(wanted(new Date(2026, 5, 11, 9, 0).toISOString(), now), '明天 上午');
  assert.equal(wanted(new Date(2026, 5, 14, 15, 0).toISOString(), now), '6月14日 周日 下午');
  assert.equal(wanted('soon', now), '');
});
