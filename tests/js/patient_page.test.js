// What pending operations change on the patient page, and the places of the drawing.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dayOf, filledIn, gradeWith, readings, sorted } from '../../static/js/chart/pending.js';
import { colourAt, merged, scale } from '../../static/js/chart/trend.js';

const root = new URL('../../', import.meta.url);
const json = (path) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
const table = json('static/rules/grading.json');
const definitions = { hypertension: json('app/forms/definitions/hypertension.json') };
const TODAY = '2026-06-10';

const data = {
  id: 'p1',
  facts: {
    birth_date: '1956-01-01',
    conditions: ['hypertension'],
    bp: [{ date: '2026-03-02', sbp: 138, dbp: 84 }],
    adl: { date: '2026-03-02', score: 0 },
    falls: { date: '2026-03-02', count_12m: 0, injurious: false, risk_high: false },
    cognition: { date: '2026-03-02', tool: 'cog3', positive: false },
    depression: { date: '2026-03-02', positive: false, suicidal: false },
  },
  grade: { colour: 'green', emergency: false },
  tasks: [{ form: 'hypertension', label: '高血压随访', due_on: '2026-05-31' }],
};

function visit(answers, given = {}) {
  const payload = {
    patient_id: 'p1',
    form: 'hypertension',
    visited_at: `${TODAY}T10:12:00+08:00`,
    answers: { symptoms: [1], emergency_flags: [], ...answers },
    grade: { colour: 'yellow', emergency: false, reasons: [], missing: [], due_in_days: 14 },
  };
  return {
    op_id: 'o1',
    kind: 'visit.create',
    state: 'saved',
    patient_id: 'p1',
    ...given,
    payload: { ...payload, ...given.payload },
  };
}

test('only operations about this person count, by kind', () => {
  const other = { ...visit({}), patient_id: 'p2' };
  const order = { op_id: 'o2', kind: 'order.create', state: 'saved', payload: { patient_id: 'p1' } };
  const found = sorted([visit({}), other, order], 'p1');
  assert.deepEqual([found.visits.length, found.orders.length, found.corrections.length], [1, 1, 0]);
});

test('a dangerous reading on the phone turns the page red with its words', () => {
  const next = gradeWith(data, [visit({ sbp: 186, dbp: 104 })], definitions, table, TODAY);
  assert.deepEqual([next.colour, next.emergency, next.held], ['red', true, null]);
  assert.match(next.words[0].text, /血压达危急值 186\/104/);
  assert.equal(next.next_on, '2026-06-24');
  assert.deepEqual(next.missing, []);
});

test('the date the doctor wrote stands before the rule’s', () => {
  const op = visit({ sbp: 132, dbp: 80 }, { payload: { next_visit_on: '2026-06-17' } });
  op.payload.answers = { sbp: 132, dbp: 80 };
  assert.equal(gradeWith(data, [op], definitions, table, TODAY).next_on, '2026-06-17');
});

test('a stored red stays until a clinician agrees', () => {
  const red = { ...data, grade: { colour: 'red', emergency: true } };
  const next = gradeWith(red, [visit({ sbp: 132, dbp: 80 })], definitions, table, TODAY);
  assert.deepEqual([next.colour, next.emergency, next.held], ['red', false, 'green']);
});

test('without the form’s definition the phone’s own answer stands, without words', () => {
  const next = gradeWith(data, [visit({ sbp: 150, dbp: 80 })], {}, table, TODAY);
  assert.deepEqual([next.colour, next.words], ['yellow', []]);
});

test('no visit, no new grade', () => {
  assert.equal(gradeWith(data, [], definitions, table, TODAY), null);
});

test('forms are ticked, and not by a visit that found nobody', () => {
  const lost = visit({ lost_reason: 3 }, { payload: {} });
  lost.payload.form = 'adl';
  lost.payload.answers = { lost_reason: 3 };
  const found = filledIn([visit({}), lost]);
  assert.deepEqual([...found], [['hypertension', true]]);
  assert.deepEqual([...filledIn([visit({}, { state: 'done' })])], [['hypertension', false]]);
});

test('readings of pending visits by their stated day', () => {
  assert.deepEqual(readings([visit({ sbp: 186, dbp: 104 }), visit({})], 'sbp'), [[TODAY, 186]]);
  assert.equal(dayOf(visit({})), TODAY);
});

test('the drawing places days and values as the server does', () => {
  const place = scale({ first: '2025-06-10', last: '2025-10-08', low: 110, high: 200 });
  assert.equal(place.x('2025-06-10'), 10);
  assert.equal(place.x('2025-10-08'), 276);
  assert.equal(Math.round(place.x('2025-07-10') * 10) / 10, 76.5); // 30 of 120 days
  assert.equal(place.y(200), 20);
  assert.equal(place.y(110), 125);
  assert.equal(place.y(999), 20, 'outside is drawn at the edge');
  assert.equal(scale({ first: TODAY, last: TODAY, low: 0, high: 1 }).x(TODAY), 143);
});

test('bands: an edge belongs to the higher one', () => {
  const bands = 'red:90,green:150,yellow:180,red:';
  const want = { 89: 'red', 90: 'green', 149: 'green', 150: 'yellow', 180: 'red', 300: 'red' };
  for (const [value, colour] of Object.entries(want)) assert.equal(colourAt(Number(value), bands), colour);
});

test('a second reading of a day replaces the first', () => {
  const old = [
    ['2026-03-01', 140],
    [TODAY, 150],
  ];
  assert.deepEqual(merged(old, [[TODAY, 186]]), [
    ['2026-03-01', 140],
    [TODAY, 186],
  ]);
});
