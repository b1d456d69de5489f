// The drawing of a trend: every point where it belongs, nothing outside the frame.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoOf } from '../../static/js/chart/readings.js';
import { bandsOf, colourAt, drawing, scale } from '../../static/js/chart/trend.js';

const BANDS = 'red:90,green:150,yellow:180,red:';
const START = '2025-06-10';

const after = (days) =>
  new Date(Date.parse(`${START}T00:00:00Z`) + days * 86400000).toISOString().slice(0, 10);

function drawn(points, given = {}) {
  const { viewBox, parts } = drawing(points, { low: 110, high: 200, bands: BANDS, ...given });
  const of = (tag, name) =>
    parts
      .filter(([one, { class: classes }]) => one === tag && (!name || classes.split(' ').includes(name)))
      .map(([, attributes, words]) => ({ ...attributes, words }));
  return { viewBox, parts, of };
}

const corners = (made) =>
  made
    .of('polyline')[0]
    .points.split(' ')
    .map((pair) => pair.split(',').map(Number));

test('time is true and higher is higher', () => {
  const [[x1, y1], [x2, y2], [x3, y3]] = corners(
    drawn([
      [START, 140],
      [after(30), 150],
      [after(120), 130],
    ]),
  );
  assert.ok(Math.abs(x3 - x1 - 4 * (x2 - x1)) <= 2.5);
  assert.ok(y2 < y1 && y1 < y3);
});

test('the newest reading is the shape of its own grade', () => {
  for (const [value, colour] of [
    [186, 'red'],
    [85, 'red'],
    [150, 'yellow'],
    [149, 'green'],
    [180, 'red'],
  ]) {
    const made = drawn([
      [START, 140],
      [after(30), value],
    ]);
    assert.deepEqual(
      made.of('path', 'newest').map((one) => one['data-grade']),
      [colour],
    );
  }
});

test('a point lies in the band of its grade', () => {
  const made = drawn([
    [START, 80],
    [after(50), 149],
    [after(100), 186],
  ]);
  const place = scale({ first: START, last: after(100), low: 80, high: 200 });
  const boxes = made.of('rect').map((one) => [one.class, Number(one.y), Number(one.height)]);
  assert.deepEqual(
    boxes.map(([name]) => name),
    ['band-red', 'band-green', 'band-yellow', 'band-red'],
  );
  for (const value of [80, 89, 90, 149, 150, 179, 180, 200]) {
    const y = place.y(value);
    const inside = boxes.filter(([, top, height]) => top - 0.11 <= y && y <= top + height + 0.11);
    assert.ok(inside.some(([name]) => name === `band-${colourAt(value, BANDS)}`));
  }
});

test('thresholds are named at the right, as the page writes them', () => {
  const made = drawn([
    [START, 140],
    [after(9), 150],
  ]);
  assert.deepEqual(
    made.of('text', 'axis').flatMap(({ x, words }) => (x === 292 ? [words] : [])),
    ['150', '180'],
  );
  const sugar = drawn([[START, 6.2]], { low: 3.5, high: 10, bands: 'red:3.9,green:7.0,yellow:13.9,red:' });
  assert.ok(sugar.of('text', 'axis').some(({ words }) => words === '7.0'));
});

test('words below do not touch each other', () => {
  const made = drawn(Array.from({ length: 31 }, (_, n) => [after(n * 12), 140]));
  const labels = made.of('text', 'axis').filter(({ y }) => y === '147');
  assert.ok(labels.length >= 3 && labels.length <= 5);
  const places = labels.slice(0, -1).map(({ x }) => Number(x));
  assert.ok(places.slice(1).every((x, at) => x - places[at] >= 40));
  const newest = labels.at(-1);
  assert.deepEqual(
    [newest['data-when'], newest['data-on'], newest['text-anchor']],
    ['day', '2026-06-05', 'end'],
  );
});

test('events stand in their lane; of two words that would touch the second is left out', () => {
  const points = [
    [START, 140],
    [after(100), 150],
  ];
  const events = [
    [after(51), '转诊'],
    [after(50), '加药'],
    [after(101), '转诊'],
  ];
  const made = drawn(points, { events });
  assert.deepEqual(
    made.of('text', 'event-word').map(({ words }) => words),
    ['加药'],
  );
  assert.equal(made.of('path', 'event').length, 2);
  assert.deepEqual([made.viewBox, drawn(points).viewBox], ['0 0 326 154', '0 10 326 144']);
});

test('a single reading stands in the middle', () => {
  const made = drawn([[START, 140]]);
  assert.equal(made.of('path', 'newest')[0].transform.startsWith('translate(143 '), true);
  assert.deepEqual([made.of('polyline').length, made.of('circle').length], [0, 0]);
});

test('every point stays inside the frame', () => {
  for (let round = 1; round <= 200; round += 1) {
    const days = new Set(Array.from({ length: (round % 30) + 1 }, (_, n) => (n * n * round + 7 * n) % 366));
    const points = [...days]
      .sort((a, b) => a - b)
      .map((day) => [after(day), 50 + ((day * 37 + round * 11) % 250)]);
    const made = drawn(points);
    for (const [x, y] of points.length > 1 ? corners(made) : [])
      assert.ok(x >= 0 && x <= 286 && y >= 20 && y <= 125, `${x} ${y}`);
    for (const { height } of made.of('rect')) assert.ok(Number(height) >= 0);
    assert.doesNotMatch(JSON.stringify(made.parts), /NaN|Infinity|null/);
  }
});

test('bands as the page names them', () => {
  assert.deepEqual(bandsOf('green:7.0,red:'), [
    { colour: 'green', above: 7, word: '7.0' },
    { colour: 'red', above: Infinity, word: '' },
  ]);
  assert.equal(isoOf('2025年6月8日'), '2025-06-08');
});
