// The cases both languages must agree on: tests/contracts/forms_cases.json.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { check } from '../../static/js/forms/check.js';
import { choiceOf, fromStrings } from '../../static/js/forms/collect.js';
import { bmi } from '../../static/js/forms/compute.js';
import { factsFrom, mergeFacts, observations, summary } from '../../static/js/forms/facts.js';
import { compute } from '../../static/js/forms/read.js';

const root = new URL('../../', import.meta.url);
const readJson = (path) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
const forms = {};
for (const key of ['hypertension', 'diabetes', 'adl', 'general']) {
  forms[key] = readJson(`app/forms/definitions/${key}.json`);
}
const pairs = (findings) => findings.map((one) => `${one.pointer} ${one.code}`).sort();
const wanted = (list) => list.map((one) => one.join(' ')).sort();

test('answers are judged as in Python, case by case', () => {
  for (const { why, form: key, answers, context, want } of readJson('tests/contracts/forms_cases.json')) {
    const form = forms[key];
    const found = check(form, answers, context);
    assert.deepEqual(pairs(found.errors), wanted(want.errors), why);
    assert.deepEqual(pairs(found.warnings), wanted(want.warnings), why);
    const computed = compute(form, answers, context);
    for (const [name, value] of Object.entries(want.computed || {})) assert.equal(computed[name], value, why);
    if (want.facts) assert.deepEqual(factsFrom(form, answers, context.visited_on, context), want.facts, why);
    if (want.observations) assert.deepEqual(observations(form, answers, context), want.observations, why);
    if (want.summary !== undefined) assert.equal(summary(form, answers), want.summary, why);
  }
});

test('a remedy is offered where there is one', () => {
  const answers = { sbp: 162, dbp: 94, visit_class: 1, adverse_reaction: 1 };
  const found = check(forms.hypertension, answers, {}).errors.find(
    (one) => one.code === 'class_above_target',
  );
  assert.equal(found.message, '血压 162/94 高于目标 150/90，不能选“控制满意”。');
  assert.deepEqual(found.fix, { key: 'visit_class', value: 2, zh: '改成 控制不满意' });
});

test('BMI rounds half up', () => {
  assert.equal(bmi(64.8, 180), 20);
  assert.equal(bmi(50.05, 100), 50.1);
  assert.equal(bmi(57.8, 152), 25);
});

test('a newer fact replaces an older one and not the other way round', () => {
  const old = { adl: { date: '2026-05-01', score: 3 }, bp: [{ date: '2026-05-01', sbp: 150, dbp: 90 }] };
  assert.equal(mergeFacts(old, { adl: { date: '2026-04-01', score: 9 } }).adl.score, 3);
  assert.equal(mergeFacts(old, { adl: { date: '2026-05-01', score: 9 } }).adl.score, 9);
  const twice = mergeFacts(old, { bp: [{ date: '2026-05-01', sbp: 140, dbp: 80 }] });
  assert.deepEqual(twice.bp, [{ date: '2026-05-01', sbp: 140, dbp: 80 }]);
  assert.equal(old.bp[0].sbp, 150);
  const grown = mergeFacts(old, { bp: [{ date: '2026-06-01', sbp: 138, dbp: 80 }] });
  assert.deepEqual(
    grown.bp.map((reading) => reading.date),
    ['2026-06-01', '2026-05-01'],
  );
});

test('texts of a page become the same answers as on the server', () => {
  const form = forms.hypertension;
  const read = (lists) => {
    const { emergency_flags: flags, ...rest } = fromStrings(form, lists);
    assert.deepEqual(flags, []);
    return rest;
  };
  assert.deepEqual(read({ sbp: [' １３２ '], weight: ['58．5'] }), { sbp: 132, weight: 58.5 });
  assert.deepEqual(read({ sbp: ['132.0'], dbp: [''], heart_rate: ['?'] }), { sbp: 132, heart_rate: '?' });
  assert.deepEqual(read({ symptoms: ['2', '3'], bp_arm: ['L'] }), { symptoms: [2, 3], bp_arm: 'L' });
  assert.deepEqual(read({ referral: ['refused'] }), { referral: false, emergency_action: 2 });
  assert.deepEqual(read({ mode: ['home'], unknown: ['x'] }), {});
  const rows = {
    'meds-0-drug_name': ['氨氯地平'],
    'meds-0-dose_per_time': ['2.5'],
    'meds-3-drug_name': [''],
  };
  assert.deepEqual(read(rows), { meds: [{ drug_name: '氨氯地平', dose_per_time: 2.5 }] });
});

test('the button of an answer is the most telling one', () => {
  const field = forms.hypertension.fields.find((one) => one.key === 'referral');
  assert.equal(choiceOf(field, { referral: false, emergency_action: 2 }).value, 'refused');
  assert.equal(choiceOf(field, { referral: false }).value, 'no');
  assert.equal(choiceOf(field, {}), null);
});
