// Grades and explains each line of stdin: the Python side compares (tests/app/grading/test_twins.py).
// Usage: node grade_ndjson.mjs < facts.ndjson. One line out for each line in.

import { readFileSync } from 'node:fs';

import { explain } from '../../static/js/grading/explain.js';
import { grade } from '../../static/js/grading/grade.js';

const tableFile = new URL('../../static/rules/grading.json', import.meta.url);
const table = JSON.parse(readFileSync(tableFile, 'utf8'));

function answer(facts) {
  try {
    const result = grade(facts, table);
    return { grade: result, explain: explain(facts, result, table) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { error: 'as_of' };
  }
}

const lines = readFileSync(0, 'utf8').trimEnd().split('\n');
process.stdout.write(lines.map((line) => JSON.stringify(answer(JSON.parse(line)))).join('\n'));
