// The data block of a patient page unfolded, and the visits its rows name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { full } from '../../static/js/chart/data.js';
import { onward } from '../../static/js/chart/links.js';
import { dayOf, named, unlisted } from '../../static/js/chart/visits.js';

const block = {
  id: 'p1',
  birth_date: '1948-03-01',
  facts: { conditions: ['hypertension'] },
  seen: {
    '2026-05-25': {
      bp: [162, 94],
      pulse: { bpm: 104, persistent: true },
      height: 152,
      adverse: { present: false },
    },
    '2026-03-01': { bp: [150, 88], weight: 59.5, adl: 3, temp: 36.4 },
  },
  last: { hypertension: { weight_target: [57, '2026-05-25'] } },
};

test('every record of a day becomes a fact of that day', () => {
  const { facts } = full(block);
  assert.deepEqual(facts.bp, [
    { date: '2026-05-25', sbp: 162, dbp: 94 },
    { date: '2026-03-01', sbp: 150, dbp: 88 },
  ]);
  assert.deepEqual(facts.adl, { date: '2026-03-01', score: 3 });
  assert.deepEqual(facts.pulse, { date: '2026-05-25', bpm: 104, persistent: true });
  assert.deepEqual([facts.birth_date, facts.conditions], ['1948-03-01', ['hypertension']]);
  assert.equal(facts.height, undefined, 'a measure, no fact');
});

test('the newest of each measurement is what stands beside its field', () => {
  const { measured, last } = full(block);
  assert.deepEqual(measured.sbp, { value: 162, on: '2026-05-25' });
  assert.deepEqual(measured.heart_rate, { value: 104, on: '2026-05-25' });
  assert.deepEqual(measured.weight, { value: 59.5, on: '2026-03-01' });
  assert.deepEqual(measured.temperature, { value: 36.4, on: '2026-03-01' });
  assert.equal(measured.adl, undefined);
  assert.deepEqual(last.hypertension.weight_target, { value: 57, on: '2026-05-25' });
});

test('a person nobody has visited yet', () => {
  const nobody = { id: 'p1', birth_date: '1948-03-01', facts: { conditions: null }, seen: {} };
  const { facts, measured } = full(nobody);
  assert.deepEqual([facts, measured], [{ conditions: null, birth_date: '1948-03-01' }, {}]);
});

test('a day without a year is of the year of the newest visit', () => {
  assert.equal(dayOf('6月8日', '2026-10-20'), '2026-06-08');
  assert.equal(dayOf('2025年11月21日', '2026-10-20'), '2025-11-21');
});

test('a day is named by the first of the visits that is of it', () => {
  const days = ['2026-05-25', '2026-05-25', '2026-03-01'];
  const { id, birth_date, facts, seen } = block;
  const by = { 0: seen['2026-05-25'], 2: seen['2026-03-01'] };
  const before = { hypertension: { weight_target: [57, '0'] } };
  assert.deepEqual(full({ id, birth_date, facts, by, before }, {}, days), full(block));
});

const op = (n, given = {}) => ({
  op_id: `o${n}`,
  kind: 'visit.create',
  state: 'done',
  ...given,
  payload: { form: 'adl', visited_at: '2026-11-12T10:00:00+08:00', ...given.payload },
});

test('a visit that arrived is on the page when a row is of its day and form', () => {
  const adl = { form: 'adl', visited_on: '2026-11-12' };
  assert.deepEqual(unlisted([op(1)], [adl]), []);
  for (const other of [
    { ...adl, visited_on: '2026-11-11' },
    { ...adl, form: 'general' },
  ])
    assert.equal(unlisted([op(1)], [other]).length, 1);
});

test('two visits of a day and form take two rows', () => {
  const adl = { form: 'adl', visited_on: '2026-11-12' };
  assert.deepEqual(
    unlisted([op(1), op(2)], [adl]).map((one) => one.op_id),
    ['o2'],
  );
  assert.deepEqual(unlisted([op(1), op(2)], [adl, adl]), []);
});

test('what has not arrived, and what is no visit, is never taken for a row', () => {
  const adl = { form: 'adl', visited_on: '2026-11-12' };
  const ops = [op(1, { state: 'saved' }), op(2, { state: 'sending' }), op(3, { kind: 'visit.correct' })];
  assert.deepEqual(unlisted(ops, [adl]), ops);
});

test('a visit is called by its day and form', () => {
  assert.equal(named('2026-11-12', 'adl', Number(undefined)), '20261112-adl');
  assert.equal(named('2026-11-12', 'adl', 2), '20261112-adl-2');
});

test('readings that stand in a table of the page are told once', () => {
  const told = { ...block, seen: { '2026-05-25': { height: 152 } }, read: { bp: 2, fpg: 1 } };
  const tables = {
    bp: [
      ['2026-05-25', [162, 94]],
      ['2026-03-01', [150, 88]],
      ['2025-11-20', [149, 87]],
    ],
    fpg: [['2026-05-25', [7.8]]],
  };
  const { facts, measured } = full(told, tables);
  assert.deepEqual(facts.bp, [
    { date: '2026-05-25', sbp: 162, dbp: 94 },
    { date: '2026-03-01', sbp: 150, dbp: 88 },
  ]);
  assert.deepEqual(facts.fpg, [{ date: '2026-05-25', mmol_l: 7.8 }]);
  assert.deepEqual([measured.sbp.value, measured.fpg.value, measured.height.value], [162, 7.8, 152]);
});

test('links that name only what differs have a whole address, those of older builds too', () => {
  const want = {
    '?to=edit': '/patients/p1/edit',
    '?to=order': '/orders/new?patient=p1',
    '?form=adl': '/visits/new/adl?patient=p1',
    '?visit=2': '/patients/p1/visits/20261101-general',
    '?visit=5a25b7': '/patients/p1/visits/5a25b7',
    '?visit=3': null,
    '?to=constructor': null,
    '?q=1': null,
    '': null,
  };
  const visits = [{ name: '20261112-adl' }, { name: '20261101-general' }];
  for (const [href, whole] of Object.entries(want)) assert.equal(onward(href, 'p1', visits), whole);
});
