// What the phone makes of each data block on stdin, for tests/app/chart/test_data_block.py to compare.

import { readFileSync } from 'node:fs';
import { full } from '../../static/js/chart/data.js';

const made = ({ tables, days, ...block }) => JSON.stringify(full(block, tables, days));
const lines = readFileSync(0, 'utf8').trimEnd().split('\n');
process.stdout.write(lines.map((line) => made(JSON.parse(line))).join('\n'));
