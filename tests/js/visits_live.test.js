// What a half-filled form means on the phone: context, grade, next date, and the operation it becomes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { contextOf, factsWith, gradeOf, lastOf, plusDays, within } from '../../static/js/visits/live.js';
import { errorsOf, payloadOf, visitedAt } from '../../static/js/visits/payload.js';

const read = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
const table = read('static/rules/grading.json');
const form = read('app/forms/definitions/hypertension.json');
const adl = read('app/forms/definitions/adl.json');
const TODAY = '2026-06-10';

const person = (given = {}) => ({
  id: 'p1',
  birth_date: '1948-03-01',
  sex: '2',
  facts: {
    conditions: ['hypertension'],
    bp: [{ date: '2026-05-25', sbp: 162, dbp: 94 }],
    birth_date: '1948-03-01',
  },
  grade: { colour: 'yellow' },
  measured: {
    sbp: { value: 162, on: '2026-05-25' },
    weight: { value: 59, on: '2026-05-25' },
    height: { value: 152, on: '2026-05-25' },
    spo2: { value: 97, on: '2026-05-25' },
  },
  last: { hypertension: { meds: { value: [{ drug_name: '氨氯地平' }], on: '2026-05-25' } } },
  visits: [{ name: '20260525-hypertension', form: 'hypertension', visited_on: '2026-05-25' }],
  ...given,
});
const visit = (answers, given = {}) => ({
  op_id: 'op1',
  payload: { form: 'hypertension', visited_at: '2026-06-09T10:00:00+08:00', answers, ...given },
});
const grades = (data, answers, header = {}) =>
  gradeOf({
    ...{ data, form, answers, table, today: TODAY, context: {}, visited_on: header.visited_on || TODAY },
    known: factsWith(data, header.visits || [], { hypertension: form, adl }),
  });

test('the grade follows what is typed, with its reasons in words', () => {
  const live = grades(person(), { sbp: 186, dbp: 104 });
  assert.equal(live.result.colour, 'red');
  assert.equal(live.result.emergency, true);
  assert.equal(live.result.rule_version, table.rule_version);
  assert.equal(live.words[0].text, '血压达危急值 186/104mmHg');
  assert.equal(live.next_on, '2026-06-24');
  assert.equal(live.held, false);
});

test('half a reading is no reading, and nothing typed leaves what was known', () => {
  assert.deepEqual(grades(person(), { sbp: 13 }).result.reasons, ['BP_UNCONTROLLED']);
  assert.deepEqual(grades(person(), {}).result.reasons, ['BP_UNCONTROLLED']);
});

test('visits still waiting on this phone count', () => {
  const waiting = [visit({ meal: 5, grooming: 7, dressing: 5, toileting: 5, activity: 0 }, { form: 'adl' })];
  const live = grades(person(), { sbp: 132, dbp: 78 }, { visits: waiting });
  assert.deepEqual(live.result.reasons, ['ADL_DEPENDENT']);
});

test('a waiting visit whose form this phone does not hold is left to the server', () => {
  const data = person();
  assert.deepEqual(factsWith(data, [visit({}, { form: 'nobody' })], {}), data.facts);
});

test('a stored red is said to wait for a clinician', () => {
  const data = person({ grade: { colour: 'red' } });
  assert.equal(grades(data, { sbp: 132, dbp: 78 }).held, true);
  assert.equal(grades(data, { sbp: 186, dbp: 104 }).held, false);
});

test('the next date counts from the visit but is never today or earlier', () => {
  const late = grades(person(), { sbp: 152, dbp: 80 }, { visited_on: '2026-05-26' });
  assert.equal(late.next_on, '2026-06-11');
  assert.equal(plusDays('2026-12-31', 1), '2027-01-01');
  assert.equal(plusDays('2028-02-28', 1), '2028-02-29');
  assert.deepEqual([within(14), within(20)], ['两周内', '20 天内']);
});

test('last values are those of this form, then of waiting visits, newest first', () => {
  const last = lastOf(person(), form, [visit({ sbp: 150, note: null })]);
  assert.deepEqual(last.sbp, { value: 150, on: '2026-06-09' });
  assert.deepEqual(last.weight, { value: 59, on: '2026-05-25' });
  assert.equal(last.height.value, 152);
  assert.equal(last.meds.value.length, 1);
  assert.equal(last.spo2, undefined, 'this form does not ask for it');
  const older = lastOf(person(), form, [visit({ sbp: 150 }, { visited_at: '2026-05-01T10:00:00+08:00' })]);
  assert.equal(older.sbp.value, 162);
  assert.deepEqual(lastOf({ last: {} }, form, []), {});
});

test('the context knows the days this form was filled in', () => {
  const context = contextOf(person(), form, [visit({ sbp: 150 })], TODAY);
  assert.equal(context.previous_visit_on, '2026-06-09');
  assert.deepEqual(context.days_with_visit, ['2026-05-25', '2026-06-09']);
  assert.deepEqual(context.conditions, ['hypertension']);
  const correcting = contextOf(person(), form, [], TODAY, '20260525-hypertension');
  assert.equal(correcting.previous_visit_on, null);
  assert.deepEqual(correcting.days_with_visit, []);
});

test('the payload is what the contract asks for and nothing more', () => {
  const now = new Date(2026, 5, 10, 9, 12, 0);
  const header = { mode: 'home', visited_on: '2026-06-10', next_visit_on: '2026-06-24' };
  const made = payloadOf({ form, patient_id: 'p1', answers: { sbp: 186 }, header, grade: null }, now);
  assert.deepEqual(Object.keys(made).sort(), [
    ...['answers', 'form', 'form_version', 'mode', 'next_visit_on', 'patient_id', 'visited_at'],
  ]);
  assert.match(made.visited_at, /^2026-06-10T09:12:00[+-]\d\d:\d\d$/);
  assert.match(visitedAt('2026-06-01', now), /^2026-06-01T12:00:00/);
});

test('a correction names its visit and keeps the stated moment while the day stays', () => {
  const about = {
    form,
    patient_id: 'p1',
    answers: {},
    visit_id: 'v1',
    reason: '看错',
    stated_at: '2026-06-09T10:00:00+08:00',
  };
  const same = payloadOf({ ...about, header: { visited_on: '2026-06-09' } });
  assert.equal(same.visited_at, '2026-06-09T10:00:00+08:00');
  assert.deepEqual(
    [same.visit_id, same.reason, same.patient_id, same.mode],
    ['v1', '看错', undefined, 'home'],
  );
  const moved = payloadOf({ ...about, header: { visited_on: '2026-06-08' } });
  assert.match(moved.visited_at, /^2026-06-08T12:00:00/);
});

test('the words of a refusal find their fields', () => {
  const errors = errorsOf({
    errors: [{ pointer: '/payload/answers/sbp', code: 'range', message: '…' }, { code: 'invalid' }],
  });
  assert.deepEqual(
    errors.map((error) => error.pointer),
    ['/answers/sbp', '/visited_at'],
  );
  assert.deepEqual(errorsOf(undefined), []);
});
