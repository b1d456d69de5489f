// The text of a QR code that carries sealed records.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpack } from '../../static/js/offline/handover.js';

const packed = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const entry = { op_id: '0197', author_id: '周明', key_id: '202611', data: 'AA-_' };

test('what was packed comes out again, in order', () => {
  const two = [entry, { ...entry, op_id: '0198' }];
  assert.deepEqual(unpack(packed({ sealed: two })), two);
});

test('anything else is nothing', () => {
  const other = ['', '%', 'main', packed([]), packed({}), packed({ sealed: [] }), packed({ sealed: [1] })];
  other.push(packed({ sealed: 'x' }), packed(null), packed({ sealed: [entry] }).slice(0, -9));
  other.push(Buffer.from([0xff, 0xfe]).toString('base64url'), packed({ sealed: [entry, {}] }));
  for (const text of other) assert.equal(unpack(text), null, text);
});
