// A form knows only flat names; the payload of a rating is an object.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nested } from '../../static/js/orders/nested.js';

test('dotted names become one object', () => {
  assert.deepEqual(nested({ to: 'confirmed', 'rating.overall': 5, 'rating.by': '家属' }), {
    to: 'confirmed',
    rating: { overall: 5, by: '家属' },
  });
});

test('without the main answer there is no rating, but no word is lost', () => {
  const said = nested({ to: 'confirmed', 'rating.by': '家属', 'rating.comment': '好' });
  assert.deepEqual(said, { to: 'confirmed', note: '好' });
  assert.deepEqual(nested({ to: 'confirmed', 'rating.by': '家属' }), { to: 'confirmed' });
});

test('plain names stay as they are', () => {
  assert.deepEqual(nested({ order_id: 'o1', note: 'a.b' }), { order_id: 'o1', note: 'a.b' });
});
