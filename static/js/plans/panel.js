// The panel of the list pages: everybody this person looks after, read from the page's own data block.
// Twin of app/plans/index.py.

import { daysBetween } from '../when.js';

const DAY_MS = 86400000;

/**
 * @typedef {{label: string, form: string, on: string}} Due
 * @typedef {{id: string, name: string, py: string, sex: string, birth_date: string, village_code: string,
 *   village: string, town_code: string, town: string, phone4: string, colour: string, emergency: boolean,
 *   due: Due[], due_on: ?string, visited_on: ?string, pending?: boolean, href: string}} Row
 */

/**
 * Rows of the `#panel` block of a page, in the order of urgency the server found; [] without one.
 * @param {Document} [root]
 * @returns {Row[]}
 */
export function readPanel(root = document) {
  const block = root.getElementById('panel');
  return block ? rowsOf(JSON.parse(block.textContent)) : [];
}

/** @returns {Row[]} */
export function rowsOf(panel) {
  const base = Date.parse(`${panel.base}T00:00:00Z`);
  const day = (offset) => new Date(base + offset * DAY_MS).toISOString().slice(0, 10);
  const { columns, rows } = panel.rows ? panel : unfolded(panel);
  const place = Object.fromEntries(columns.map((name, at) => [name, at]));
  return rows.map((line) => {
    const [village_code, village, town] = panel.villages[line[place.village]];
    const [town_code, townName] = panel.towns[town];
    const grade = panel.grades[line[place.grade]];
    const due = dueOf(line[place.due], panel.tasks, day);
    const id = longId(line[place.id]);
    return {
      id,
      href: `/patients/${id}`,
      name: line[place.name],
      py: line[place.py],
      sex: String(line[place.sex]),
      birth_date: dashed(line[place.birth]),
      village_code,
      village,
      town_code,
      town: townName,
      phone4: line[place.phone4],
      colour: grade === 'emergency' ? 'red' : grade,
      emergency: grade === 'emergency',
      due,
      due_on: due.length ? due[0].on : null,
      visited_on: line[place.visited] === null ? null : day(line[place.visited]),
    };
  });
}

const COLUMNS = ['id', 'name', 'py', 'sex', 'birth', 'village', 'phone4', 'grade', 'due', 'visited'];

/** Columns of words to rows, as pages of older builds carry them. */
function unfolded(panel) {
  const columns = COLUMNS.map((name) => (name === 'name' ? panel.name : panel[name].split(' ')));
  const numbers = (text) => (text ? text.split(',').map(Number) : []);
  const rows = panel.name.map((_, at) =>
    COLUMNS.map((name, column) => {
      const value = columns[column][at];
      if (name === 'due') return numbers(value);
      if (name === 'village' || name === 'grade') return Number(value);
      return name === 'visited' ? (numbers(value)[0] ?? null) : value;
    }),
  );
  return { columns: COLUMNS, rows };
}

function dueOf(flat, tasks, day) {
  const due = [];
  for (let at = 0; at < flat.length; at += 2) {
    const [label, form] = tasks[flat[at]];
    due.push({ label, form, on: day(flat[at + 1]) });
  }
  return due;
}

/** 22 characters of base64url, or 32 hex digits, stand for a UUID; anything else for itself. */
function longId(short) {
  const hex = /^[\w-]{22}$/.test(short) ? hexOf(short) : short;
  return hex.replace(
    /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/,
    '$1-$2-$3-$4-$5',
  );
}

function hexOf(short) {
  const bytes = atob(`${short.replaceAll('-', '+').replaceAll('_', '/')}==`);
  return [...bytes].map((one) => one.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

function dashed(number) {
  const text = String(number);
  return `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`;
}

/**
 * Who comes next after `id`: the most urgent one still to be seen today.
 * @param {Row[]} rows as readPanel gives them, pending visits laid over
 * @returns {?Row}
 */
export function nextAfter(rows, id, today) {
  const waiting = (row) => row.id !== id && row.visited_on !== today && row.due_on !== null;
  return rows.find((row) => waiting(row) && daysBetween(row.due_on, today) >= 0) || null;
}
