// The panel on the phone: the same order and counts as on the server, search, and pending visits laid over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAfter, readPanel, rowsOf } from '../../static/js/plans/panel.js';
import {
  bandOf,
  bandsOf,
  coming,
  gradeCounts,
  matches,
  ordered,
  overlaid,
  stateCounts,
  tasksOf,
  whenOf,
} from '../../static/js/plans/rows.js';

const TODAY = '2026-06-10';
const ALL = { state: 'todo', sort: 'urgency', grade: '', town: '', village: '', q: '' };
const ID = '01900000-0000-7000-8000-00000000000';

function day(offset) {
  return new Date(Date.parse(`${TODAY}T00:00:00Z`) + offset * 86400000).toISOString().slice(0, 10);
}

function row(name, due, given = {}) {
  const list = due === null ? [] : [{ label: '高血压随访', form: 'hypertension', on: day(due) }];
  return {
    id: name,
    href: `/patients/${name}`,
    name,
    py: 'mr',
    sex: '2',
    birth_date: '1948-03-02',
    village_code: '370406102101',
    village: '向阳村',
    town_code: '370406102',
    town: '西集镇',
    phone4: '0123',
    colour: 'green',
    emergency: false,
    due: list,
    due_on: list.length ? list[0].on : null,
    visited_on: null,
    ...given,
  };
}

const names = (rows) => rows.map((one) => one.name);

const PANEL = {
  base: TODAY,
  columns: ['id', 'name', 'py', 'sex', 'birth', 'village', 'phone4', 'grade', 'due', 'visited'],
  grades: ['red', 'yellow', 'green', 'unrated', 'emergency'],
  towns: [['370406102', '西集镇']],
  villages: [['370406102101', '向阳村', 0]],
  tasks: [
    ['高血压随访', 'hypertension'],
    ['生活自理能力评估', 'adl'],
  ],
  rows: [
    ['019000000000700080000000000000ab', '张秀兰', 'zxl', 2, 19480302, 0, '0123', 4, [0, -2, 1, 5], -40],
    ['short', '李德福', 'ldf', 1, 19500229, 0, '', 3, [], null],
  ],
};

test('the index is read back whole', () => {
  const { columns: _, rows: __, ...rest } = PANEL;
  const folded = {
    ...rest,
    name: ['张秀兰', '李 德福'],
    id: 'AZAAAAAAcACAAAAAAAAAqw short',
    py: 'zxl ldf',
    sex: '2 1',
    birth: '19480302 19500229',
    village: '0 0',
    phone4: '0123 ',
    grade: '4 3',
    due: '0,-2,1,5 ',
    visited: '-40 ',
  };
  const [zhang, li] = rowsOf(PANEL); // as older builds wrote it
  assert.deepEqual(rowsOf(folded), [zhang, { ...li, name: '李 德福' }]);
});

test('the index of an older build is read back whole', () => {
  const [zhang, li] = rowsOf(PANEL);
  assert.equal(zhang.id, '01900000-0000-7000-8000-0000000000ab');
  assert.equal(zhang.href, `/patients/${zhang.id}`);
  assert.deepEqual([zhang.colour, zhang.emergency, zhang.birth_date], ['red', true, '1948-03-02']);
  assert.deepEqual([zhang.due_on, zhang.visited_on], ['2026-06-08', '2026-05-01']);
  assert.deepEqual(zhang.due[1], { label: '生活自理能力评估', form: 'adl', on: '2026-06-15' });
  assert.deepEqual([li.id, li.colour, li.due_on, li.visited_on], ['short', 'unrated', null, null]);
});

test('a page without a panel has no rows', () => {
  assert.deepEqual(readPanel({ getElementById: () => null }), []);
  const block = { textContent: JSON.stringify(PANEL) };
  assert.equal(readPanel({ getElementById: (id) => id === 'panel' && block }).length, 2);
});

test('the most urgent come first, as on the server', () => {
  const red = { colour: 'red' };
  const rows = [
    row('绿 逾期 9', -9),
    row('黄 今天', 0, { colour: 'yellow' }),
    row('红 逾期 1', -1, red),
    row('红 逾期 5', -5, red),
    row('危急 逾期 1', -1, { colour: 'red', emergency: true }),
    row('红 今天', 0, red),
    row('待评 逾期 3', -3, { colour: 'unrated' }),
    row('红 以后', 3, red),
    row('红 已访', 30, { colour: 'red', visited_on: TODAY }),
  ];
  const want = '危急 逾期 1|红 逾期 5|红 逾期 1|待评 逾期 3|绿 逾期 9|红 今天|黄 今天|红 以后|红 已访';
  assert.equal(names(ordered(rows, 'urgency', TODAY)).join('|'), want);
  assert.equal(ordered(rows, 'due', TODAY)[0].name, '绿 逾期 9');
});

test('counts and bands agree', () => {
  const rows = [
    row('a', -1),
    row('b', 0),
    row('c', 0),
    row('d', 2),
    row('e', 40),
    row('f', 14, { visited_on: TODAY }),
    row('g', null),
  ];
  assert.deepEqual(stateCounts(rows, TODAY), { todo: 3, late: 1, done: 1, all: 7 });
  const bands = bandsOf(rows, ALL, TODAY).map((band) => [band.word, band.rows.length]);
  assert.deepEqual(bands, [
    ['逾期', 1],
    ['今天', 2],
    ['以后', 1],
  ]);
  assert.deepEqual(
    bandsOf(rows, { ...ALL, state: 'all', sort: 'village' }, TODAY).map((band) => [
      band.word,
      band.rows.length,
    ]),
    [['向阳村', 7]],
  );
  assert.equal(gradeCounts(rows).green, 7);
});

test('a page of last week counts by the phone’s own day', () => {
  const someone = row('a', 0);
  assert.equal(bandOf(someone, day(-1)), 'later');
  assert.equal(bandOf(someone, TODAY), 'today');
  assert.equal(bandOf(someone, day(3)), 'late');
  assert.equal(whenOf(someone, day(3)), '逾期 3 天');
  assert.equal(whenOf(someone, TODAY), '');
  assert.equal(whenOf(someone, day(-2)), '6月10日 周三');
  assert.equal(whenOf(row('b', -3, { visited_on: TODAY }), TODAY), '6月7日');
});

test('with nobody left for today the coming week is offered, not mixed in', () => {
  const rows = [row('a', 1), row('b', 1), row('c', 5), row('d', 20)];
  assert.deepEqual(bandsOf(rows, ALL, TODAY), []);
  assert.equal(bandsOf(rows, { ...ALL, ahead: true }, TODAY)[0].rows.length, 3);
  assert.deepEqual(coming(rows, TODAY), [
    { on: day(1), count: 2 },
    { on: day(5), count: 1 },
  ]);
});

test('search by name, initials, village and last digits of the phone', () => {
  const zhang = row('张秀兰', 0, { py: 'zxl' });
  for (const text of ['张秀', 'zxl', 'ZX', '向阳', '0123', '23', '13900000123', '张 秀'])
    assert.ok(matches(zhang, text), text);
  for (const text of ['xl', '24', '<b>', '李']) assert.ok(!matches(zhang, text), text);
});

test('a search looks at everybody whatever the filters', () => {
  const rows = [row('张秀兰', 40, { py: 'zxl', colour: 'red' }), row('李德福', 0)];
  const found = bandsOf(rows, { ...ALL, grade: 'green', q: 'zxl' }, TODAY);
  assert.deepEqual(names(found[0].rows), ['张秀兰']);
  assert.deepEqual(bandsOf(rows, { ...ALL, q: '没有这个人' }, TODAY), []);
});

test('tasks are what a visit today would do', () => {
  const due = [
    { label: '高血压随访', form: 'hypertension', on: day(-2) },
    { label: '糖尿病随访', form: 'diabetes', on: day(0) },
    { label: '老年人一般访视', form: 'general', on: day(9) },
  ];
  const someone = row('a', 0, { due, due_on: due[0].on });
  assert.deepEqual(tasksOf(someone, TODAY), ['高血压随访', '糖尿病随访']);
  assert.deepEqual(tasksOf({ ...someone, due: [due[2]], due_on: due[2].on }, TODAY), ['老年人一般访视']);
});

function visitOp(patient, given = {}, state = 'saved') {
  const payload = {
    patient_id: patient,
    form: 'hypertension',
    visited_at: `${TODAY}T09:00:00+08:00`,
    answers: { sbp: 186, dbp: 104 },
    grade: { colour: 'red', emergency: true, reasons: [], missing: [], due_in_days: 14 },
    next_visit_on: day(14),
    ...given,
  };
  return { op_id: `op-${patient}`, kind: 'visit.create', state, patient_id: patient, payload, saved_at: 0 };
}

test('a visit still on the phone moves the person to the visited', () => {
  const rows = [row('a', -3), row('b', 0)];
  const [a, b] = overlaid(rows, [visitOp('a')]);
  assert.deepEqual(
    [a.visited_on, a.colour, a.emergency, a.due_on, a.pending],
    [TODAY, 'red', true, day(14), true],
  );
  assert.equal(a.due[0].label, '高血压随访');
  assert.equal(b, rows[1], 'others are left as they are');
  assert.equal(rows[0].visited_on, null, 'the panel itself is not changed: undo paints again');
  assert.equal(overlaid(rows, [visitOp('a', {}, 'done')])[0].pending, false, 'arrived: ticked, but no mark');
});

test('a red person is lowered by a clinician, not by the phone', () => {
  const rows = [row('a', 0, { colour: 'red', emergency: true })];
  const grade = { colour: 'green', emergency: false, reasons: [], missing: [], due_in_days: 90 };
  const [a] = overlaid(rows, [visitOp('a', { grade })]);
  assert.deepEqual([a.colour, a.emergency], ['red', false]);
});

test('a visit that found nobody is marked but not ticked', () => {
  const [a] = overlaid([row('a', -3)], [visitOp('a', { answers: { lost_reason: 3 } })]);
  assert.deepEqual([a.visited_on, a.due_on, a.pending], [null, day(-3), true]);
});

test('orders and changes only leave their mark', () => {
  const op = { op_id: 'x', kind: 'order.create', state: 'saved', payload: { patient_id: 'a' } };
  const [a] = overlaid([row('a', 0)], [op]);
  assert.deepEqual([a.pending, a.visited_on], [true, null]);
});

test('somebody registered on this phone is in the list at once, once', () => {
  const op = {
    op_id: `${ID}1`,
    kind: 'patient.create',
    state: 'saved',
    payload: {
      name: '新来的',
      id_card: '370406195001010012',
      phone: '13900001234',
      village_id: '370406102101',
    },
  };
  const found = overlaid([row('a', 0)], [op]);
  assert.deepEqual(names(found), ['a', '新来的']);
  const fresh = found[1];
  assert.deepEqual(
    [fresh.sex, fresh.birth_date, fresh.village, fresh.phone4],
    ['1', '1950-01-01', '向阳村', '1234'],
  );
  assert.equal(overlaid([row('a', 0, { id: `${ID}1` })], [{ ...op, state: 'done' }]).length, 1);
});

test('the next one is the most urgent still to be seen', () => {
  const rows = [row('a', -3), row('b', -1, { visited_on: TODAY }), row('c', 0), row('d', 5)];
  assert.equal(nextAfter(rows, 'a', TODAY).name, 'c');
  assert.equal(nextAfter([row('a', 0), row('d', 5)], 'a', TODAY), null);
});
