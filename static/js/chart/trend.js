// The curves of a patient page, drawn from the table of readings below them. x is true time, y is linear;
// colours are classes of components.css. What is to be drawn is worked out without a document.

import { daysBetween } from '../when.js';

const WIDTH = 326;
const HEIGHT = 154;
const LEFT = 0;
const RIGHT = 286;
const TOP = 20; // above the plot, a lane for event words
const BOTTOM = 125;
const LANE_CUT = 10; // without event words the lane only has to hold half a dot
const INSET = 10; // room for a dot at either edge
const LABEL_Y = 147;
const CLOSE = 15; // two words nearer than this would touch
const SVG = 'http://www.w3.org/2000/svg';
const SHAPES = {
  red: 'M0-8 9 7.5H-9Z',
  yellow: 'M0-8.5 8.5 0 0 8.5-8.5 0Z',
  green: 'M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0Z',
};

/** Days and values to points of the view box; values outside are drawn at the edge, a single day in the middle. */
export function scale({ first, last, low, high }) {
  const span = daysBetween(first, last);
  return {
    x: (day) =>
      span === 0
        ? (LEFT + RIGHT) / 2
        : LEFT + INSET + ((RIGHT - LEFT - 2 * INSET) * daysBetween(first, day)) / span,
    y: (value) => BOTTOM - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (BOTTOM - TOP),
  };
}

/** 'green:140,yellow:180,red:' -> [{colour, above, word}], upwards; the last one is without end. */
export function bandsOf(text) {
  return text.split(',').map((part) => {
    const [colour, word] = part.split(':');
    return { colour, above: word === '' ? Infinity : Number(word), word };
  });
}

/** Edges belong to the higher band. */
export function colourAt(value, bands) {
  return bandsOf(bands).find(({ above }) => value < above)?.colour || 'unrated';
}

/** [day, …] pairs in order of time; of two on one day the later in the list stands. */
export function merged(old, fresh) {
  const byDay = new Map([...old, ...fresh]);
  return [...byDay].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

const n = (value) => String(Math.round(value * 10) / 10);
const whole = (value) => String(Math.round(value)); // half a day or half a unit: nobody sees less

/**
 * The drawing as [tag, attributes, words] triples, and its view box.
 * @param {[string, number][]} points oldest first, at least one
 * @param {{low: number, high: number, bands: string, events?: [string, string][]}} options low and high are
 *   widened where a point lies outside
 */
export function drawing(points, { low, high, bands: given, events = [] }) {
  const values = points.map(([, value]) => value);
  const limits = { low: Math.min(low, ...values), high: Math.max(high, ...values) };
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const place = scale({ first, last, ...limits });
  const bands = bandsOf(given);
  const words = eventParts(
    place,
    events.filter(([day]) => first <= day && day <= last),
  );
  const above = words.length ? 0 : LANE_CUT;
  return {
    viewBox: `0 ${above} ${WIDTH} ${HEIGHT - above}`,
    parts: [
      ...bandParts(place, bands, limits),
      ...words,
      ...edgeParts(place, bands, limits),
      ...dayParts(
        place,
        points.map(([day]) => day),
      ),
      ...lineParts(place, points, given),
    ],
  };
}

function bandParts(place, bands, { low, high }) {
  const made = [];
  let floor = low;
  for (const { colour, above } of bands) {
    const top = Math.min(Math.max(above, low), high);
    if (top <= floor) continue;
    const [y, bottom] = [place.y(top), place.y(floor)];
    const box = { x: LEFT, y: n(y), width: RIGHT - LEFT, height: n(bottom - y) };
    made.push(['rect', { class: `band-${colour}`, ...box }]);
    floor = top;
  }
  return made;
}

/** Thresholds: a gap between two bands, and the value named at the right. */
function edgeParts(place, bands, { low, high }) {
  const made = [];
  const named = [];
  for (const { above, word } of bands) {
    if (above <= low || above >= high) continue;
    const y = place.y(above);
    made.push(['path', { class: 'gap', d: `M${LEFT} ${n(y)}H${RIGHT}` }]);
    if (named.some((other) => Math.abs(y - other) < CLOSE)) continue;
    named.push(y);
    made.push(['text', { class: 'axis', x: RIGHT + 6, y: n(y + 4.5) }, word]);
  }
  return made;
}

/** A word that would touch the one before it is left out; its line stays. */
function eventParts(place, events) {
  const made = [];
  let end = -Infinity;
  for (const [day, word] of [...events].sort()) {
    const [x, half] = [place.x(day), 7 * word.length];
    made.push(['path', { class: 'event', d: `M${whole(x)} ${TOP}V${BOTTOM}` }]);
    const middle = Math.min(Math.max(x, LEFT + half), RIGHT - half);
    if (middle - half < end + 4) continue;
    made.push(text('event-word', middle, 14, word));
    end = middle + half;
  }
  return made;
}

/** Months below readings, the newest reading by its day; at most five, none touching another. */
function dayParts(place, days) {
  const newest = days[days.length - 1];
  const single = days[0] === newest;
  const x = place.x(newest) + (single ? 0 : INSET);
  const step = Math.max(46, (RIGHT - LEFT) / 5);
  let taken = place.x(newest) - (single ? 24 : 42) - 14;
  const months = new Set([newest.slice(0, 7)]);
  const kept = [];
  for (const day of days.slice(0, -1).reverse()) {
    if (months.has(day.slice(0, 7)) || place.x(day) > taken) continue;
    kept.unshift(day);
    taken = place.x(day) - step;
    months.add(day.slice(0, 7));
  }
  return [
    ...kept.map((day) =>
      text('axis month', Math.max(place.x(day), LEFT + 16), LABEL_Y, `${Number(day.slice(5, 7))}月`),
    ),
    text('axis newest-day', x, LABEL_Y, `${Number(newest.slice(5, 7))}月${Number(newest.slice(8))}日`, {
      'data-when': 'day',
      'data-on': newest,
      'text-anchor': single ? 'middle' : 'end',
    }),
  ];
}

function lineParts(place, points, bands) {
  const places = points.map(([day, value]) => [whole(place.x(day)), whole(place.y(value))]);
  const [x, y] = places[places.length - 1];
  const colour = colourAt(points[points.length - 1][1], bands);
  const made = [];
  if (points.length > 1) {
    made.push(['polyline', { class: 'line', points: places.map((pair) => pair.join()).join(' ') }]);
    for (const [cx, cy] of places.slice(0, -1)) made.push(['circle', { class: 'dot', cx, cy, r: 4 }]);
  }
  const shape = { class: 'newest', 'data-grade': colour, d: SHAPES[colour] };
  made.push(['path', { ...shape, transform: `translate(${x} ${y})` }]);
  return made;
}

function text(classes, x, y, words, more = {}) {
  return ['text', { class: classes, x: whole(x), y: String(y), 'text-anchor': 'middle', ...more }, words];
}

// ---- in the page ----

/** Draw one curve anew, from points as `drawing` takes them; scale and bands stand on the svg. */
export function draw(svg, points) {
  const { low, high, bands, events } = svg.dataset;
  const pairs = (events ? events.split(',') : []).map((one) => one.split(' '));
  const { viewBox, parts } = drawing(points, { low: Number(low), high: Number(high), bands, events: pairs });
  svg.setAttribute('viewBox', viewBox);
  svg.replaceChildren(...parts.map(element));
}

function element([tag, attributes, words]) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (words !== undefined) made.textContent = words;
  return made;
}
