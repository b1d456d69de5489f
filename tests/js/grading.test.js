import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { ageOn, dayNumber, daysSince, number, numberText } from '../../static/js/grading/derive.js';
import { colourWords, explain, missingText } from '../../static/js/grading/explain.js';
import { grade } from '../../static/js/grading/grade.js';

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const table = read('../../static/rules/grading.json');
const { vectors, rule_version: version } = read('../contracts/grading_vectors.json');
const edges = read('../contracts/grading_edges.json');

test('the table ships under the version the vectors were made for', () => {
  assert.equal(table.rule_version, version);
});

for (const vector of vectors) {
  test(`vector ${vector.id}: ${vector.name}`, () => {
    assert.deepStrictEqual(grade(vector.input, table), vector.expected);
  });
}

for (const one of edges.cases) {
  test(`edge: ${one.name}`, () => {
    assert.deepStrictEqual(grade({ ...edges.base, ...one.set }, table), one.expected);
  });
}

test('no grade without a day to grade on', () => {
  for (const asOf of [null, undefined, '', '2026-02-29', '2026-3-1', 20260301, new Date()]) {
    assert.throws(() => grade({ ...edges.base, as_of: asOf }, table), RangeError);
  }
  for (const facts of [null, undefined, [], 'x', {}]) {
    assert.throws(() => grade(facts, table), RangeError);
  }
});

test('grading does not depend on the clock or the time zone of the phone', () => {
  const zone = process.env.TZ;
  const answers = ['Asia/Shanghai', 'America/Los_Angeles', 'Pacific/Kiritimati'].map((name) => {
    process.env.TZ = name;
    return vectors.map((vector) => grade(vector.input, table));
  });
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
  assert.deepStrictEqual(answers[0], answers[1]);
  assert.deepStrictEqual(answers[0], answers[2]);
});

test('a 29 February birthday falls on 1 March in common years', () => {
  assert.equal(ageOn('1948-02-29', '2027-02-28'), 78);
  assert.equal(ageOn('1948-02-29', '2027-03-01'), 79);
  assert.equal(ageOn('1948-02-29', '2028-02-29'), 80);
  assert.equal(ageOn('2026-03-02', '2026-03-01'), null);
});

test('days are counted over leap days and not into the future', () => {
  assert.equal(daysSince('2024-02-28', '2024-03-01'), 2);
  assert.equal(daysSince('2023-02-28', '2023-03-01'), 1);
  assert.equal(daysSince('2026-03-02', '2026-03-01'), null);
});

test('what is no date has no day', () => {
  for (const value of ['0000-01-01', '2026-13-01', '2026-02-30', '２026-01-01', '2026-01-01\n', 5]) {
    assert.equal(dayNumber(value), null);
  }
});

test('what is no measured number is missing', () => {
  for (const value of [true, '7', null, undefined, [], {}, Number.NaN, Infinity, 1e9]) {
    assert.equal(number(value), null);
  }
});

test('numbers are printed as stored, without trailing zeros', () => {
  assert.deepEqual([7.0, 16.7, -0, 0.00001, 0.0001].map(numberText), ['7', '16.7', '0', '0', '0.0001']);
});

test('a reason is told in words, with the numbers measured, and plainly to the family', () => {
  const facts = { ...edges.base, bp: [{ date: '2026-02-20', sbp: 186, dbp: 104 }] };
  const [told] = explain(facts, grade(facts, table), table);
  assert.equal(told.text, '血压达危急值 186/104mmHg');
  assert.match(told.family, /家庭医生/);
});

test('a reason of another table version is shown as its code', () => {
  assert.deepEqual(explain(edges.base, { reasons: ['OLD_RULE'] }, table), [
    { code: 'OLD_RULE', colour: null, emergency: false, text: 'OLD_RULE', family: null },
  ]);
});

test('missing keys and colours have words', () => {
  assert.equal(missingText('adl', table), '生活自理能力未评估');
  assert.equal(missingText('constructor', table), 'constructor');
  assert.equal(colourWords({ colour: 'unrated', emergency: false }, table).word, '待评估');
  assert.equal(colourWords({ colour: 'red', emergency: true }, table).word, '危急');
});
