import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { decide, evaluate, matching } from '../../static/js/rules/decide.js';

const cases = JSON.parse(readFileSync(new URL('../contracts/decide.json', import.meta.url), 'utf8'));

for (const one of cases.decide) {
  test(`decide: ${one.why}`, () => {
    assert.deepEqual(decide(cases.tables[one.table], one.facts), one.want);
  });
}

for (const one of cases.evaluate) {
  test(`evaluate: ${one.why}`, () => {
    assert.equal(evaluate(one.if, one.facts), one.want);
  });
}

test('an operator the twins do not have stops loudly', () => {
  assert.throws(() => evaluate(['n', 'eq', 1], { n: 1 }));
});

test('matching gives only rows known to apply, in table order', () => {
  const rows = [
    { id: 1, all: [['a', 'ge', 1]] },
    { id: 2, all: [['b', 'ge', 1]] },
    { id: 3, all: [] },
  ];
  assert.deepEqual(
    matching(rows, { a: 1 }).map((row) => row.id),
    [1, 3],
  );
});
