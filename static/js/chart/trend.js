// A reading of this phone drawn into the server's chart. Places are those of app/chart/svg.py.

import { plusDays } from '../visits/live.js';
import { daysBetween } from '../when.js';

const LEFT = 0;
const RIGHT = 286;
const TOP = 20;
const BOTTOM = 125;
const INSET = 10;
const SVG = 'http://www.w3.org/2000/svg';
const SHAPES = {
  red: 'M0-8 9 7.5H-9Z',
  yellow: 'M0-8.5 8.5 0 0 8.5-8.5 0Z',
  green: 'M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0Z',
};

/** Days and values to points of the view box; values outside are drawn at the edge. */
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

/** 'green:140,yellow:180,red:' and 186 -> red. Edges belong to the higher band. */
export function colourAt(value, bands) {
  for (const part of bands.split(',')) {
    const [colour, above] = part.split(':');
    if (above === '' || value < Number(above)) return colour;
  }
  return 'unrated';
}

/** [day, …] pairs in order of time; of two on one day the later in the list stands. */
export function merged(old, fresh) {
  const byDay = new Map([...old, ...fresh]);
  return [...byDay].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

const n = (value) => String(Math.round(value));

/** Draw `fresh` ([day, value] pairs) into a chart: the time axis is stretched to hold them. */
export function addReadings(svg, fresh) {
  const { low, high, bands, first, last } = svg.dataset;
  const limits = { low: Number(low), high: Number(high) };
  const old = scale({ first, last, ...limits });
  const dayAt = (x) => dayOf(x, first, last);
  const newest = svg.querySelector('.newest');
  const drawn = placesOf(svg, newest).map(([x, y]) => [dayAt(x), { y }]);
  const points = merged(
    drawn,
    fresh.map(([day, value]) => [day, { y: old.y(value), value }]),
  );
  const [lastDay, lastPoint] = points[points.length - 1];
  const place = scale({ first: points[0][0], last: lastDay, ...limits });
  for (const event of svg.querySelectorAll('path.event')) {
    const x = /^M([\d.]+)/.exec(event.getAttribute('d'))[1];
    event.setAttribute('d', `M${n(place.x(dayAt(Number(x))))} ${TOP}V${BOTTOM}`);
  }
  for (const word of svg.querySelectorAll('.event-word'))
    word.setAttribute('x', n(place.x(dayAt(Number(word.getAttribute('x'))))));
  months(svg, points, place, dayAt);
  line(svg, points, place);
  const colour = lastPoint.value === undefined ? newest.dataset.grade : colourAt(lastPoint.value, bands);
  newest.dataset.grade = colour;
  newest.setAttribute('d', SHAPES[colour]);
  newest.setAttribute('transform', `translate(${n(place.x(lastDay))} ${n(lastPoint.y)})`);
  svg.append(newest);
  svg.dataset.first = points[0][0];
  svg.dataset.last = lastDay;
}

/** The day drawn at x; the newest exactly, the others within a day. */
export function dayOf(x, first, last) {
  const span = daysBetween(first, last);
  if (!span) return last;
  const days = Math.round(((x - LEFT - INSET) * span) / (RIGHT - LEFT - 2 * INSET));
  return plusDays(first, Math.min(Math.max(days, 0), span));
}

/** [x, y] of every reading, oldest first. */
function placesOf(svg, newest) {
  const corners = svg.querySelector('.line')?.getAttribute('points').split(' ');
  const places = corners?.map((pair) => pair.split(',')) || [
    newest.getAttribute('transform').match(/-?[\d.]+/g),
  ];
  return places.map((pair) => pair.map(Number));
}

function line(svg, points, place) {
  svg.querySelector('.line')?.remove();
  if (points.length < 2) return;
  const element = document.createElementNS(SVG, 'polyline');
  element.setAttribute('class', 'line');
  for (const at of ['marker-start', 'marker-mid']) element.setAttribute(at, 'url(#dot)');
  element.setAttribute('points', points.map(([day, { y }]) => `${n(place.x(day))},${n(y)}`).join(' '));
  svg.append(element);
}

/** Month words under their readings; those too near to the newest day give way to it. */
function months(svg, points, place, dayAt) {
  const newest = svg.querySelector('.newest-day');
  const last = points[points.length - 1][0];
  const single = points.length === 1;
  newest.dataset.on = last;
  newest.textContent = `${Number(last.slice(5, 7))}月${Number(last.slice(8))}日`;
  newest.setAttribute('text-anchor', single ? 'middle' : 'end');
  newest.setAttribute('x', n(place.x(last) + (single ? 0 : INSET)));
  for (const word of svg.querySelectorAll('.month')) {
    const x = Math.max(place.x(dayAt(Number(word.getAttribute('x')))), LEFT + 16);
    if (x > place.x(last) - 56) word.remove();
    else word.setAttribute('x', n(x));
  }
}
