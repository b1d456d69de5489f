// A reading of this phone drawn into the server's chart. Places are those of app/chart/svg.py.

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

/** Readings in order of time; of two on one day the later in the list stands. */
export function merged(old, fresh) {
  const byDay = new Map([...old, ...fresh]);
  return [...byDay].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

const n = (value) => String(Math.round(value * 10) / 10);

/** Draw `fresh` ([day, value] pairs) into a chart: the time axis is stretched to hold them. */
export function addReadings(svg, fresh) {
  const dots = [...svg.querySelectorAll('[data-value]')];
  const points = merged(
    dots.map((dot) => [dot.dataset.on, Number(dot.dataset.value)]),
    fresh,
  );
  const { low, high, bands } = svg.dataset;
  const first = points[0][0];
  const [lastDay, lastValue] = points[points.length - 1];
  const place = scale({ first, last: lastDay, low: Number(low), high: Number(high) });
  for (const old of [...dots, ...svg.querySelectorAll('.line')]) old.remove();
  for (const event of svg.querySelectorAll('[data-event]')) {
    const x = n(place.x(event.dataset.event));
    if (event.tagName === 'text') event.setAttribute('x', x);
    else event.setAttribute('d', `M${x} ${TOP}V${BOTTOM}`);
  }
  months(svg, points, place);
  const add = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    svg.append(element);
  };
  add('polyline', {
    class: 'line',
    points: points.map(([day, value]) => `${n(place.x(day))},${n(place.y(value))}`).join(' '),
  });
  for (const [day, value] of points.slice(0, -1)) {
    add('circle', {
      class: 'dot',
      'data-on': day,
      'data-value': value,
      cx: n(place.x(day)),
      cy: n(place.y(value)),
      r: 4,
    });
  }
  const colour = colourAt(lastValue, bands);
  add('path', {
    class: 'newest',
    'data-grade': colour,
    'data-on': lastDay,
    'data-value': lastValue,
    transform: `translate(${n(place.x(lastDay))} ${n(place.y(lastValue))})`,
    d: SHAPES[colour],
  });
}

/** Month words under their readings; those too near to the newest day give way to it. */
function months(svg, points, place) {
  const newest = svg.querySelector('.newest-day');
  const last = points[points.length - 1][0];
  const single = points.length === 1;
  newest.dataset.on = last;
  newest.textContent = `${Number(last.slice(5, 7))}月${Number(last.slice(8))}日`;
  newest.setAttribute('text-anchor', single ? 'middle' : 'end');
  newest.setAttribute('x', n(place.x(last) + (single ? 0 : INSET)));
  for (const word of svg.querySelectorAll('[data-day]')) {
    const x = Math.max(place.x(word.dataset.day), LEFT + 16);
    if (x > place.x(last) - 56) word.remove();
    else word.setAttribute('x', n(x));
  }
}
