// What a list shows for a set of filters. Pure. Twin of app/plans/queries.py and app/plans/listing.py.

import { daysBetween, isoDay, monthDay, weekday } from '../when.js';

/** @typedef {import('./panel.js').Row} Row */

const LATER_DAYS = 7;
const URGENCY = { red: 0, yellow: 1, unrated: 2, green: 3 };
const BANDS = ['late', 'today', 'later', 'none', 'done'];
const BAND_WORDS = { late: '逾期', today: '今天', later: '以后', done: '已访', none: '没有安排' };

/** @param {Row} row */
export function bandOf(row, today) {
  if (row.visited_on === today) return 'done';
  if (row.due_on === null) return 'none';
  if (row.due_on < today) return 'late';
  return row.due_on === today ? 'today' : 'later';
}

/** Labels of what a visit today would do: all that is due, or else what comes next. */
export function tasksOf(row, today) {
  if (row.due_on === null) return [];
  const until = row.due_on > today ? row.due_on : today;
  return row.due.filter((due) => due.on <= until).map((due) => due.label);
}

/** The right column: what the heading does not say already. */
export function whenOf(row, today) {
  if (row.due_on === null || row.due_on === today) return '';
  const days = daysBetween(row.due_on, today);
  if (days > 0 && row.visited_on !== today) return `逾期 ${days} 天`;
  const words = monthDay(row.due_on, today);
  return days < 0 && days > -8 ? `${words} ${weekday(row.due_on)}` : words;
}

function compare(a, b) {
  for (let at = 0; at < a.length; at += 1) {
    if (a[at] < b[at]) return -1;
    if (a[at] > b[at]) return 1;
  }
  return 0;
}

/** @param {'urgency' | 'due' | 'village'} sort */
export function ordered(rows, sort, today) {
  const keyed = rows.map((row) => {
    const urgent = [row.emergency ? 0 : 1, URGENCY[row.colour]];
    const day = row.due_on || '9999-12-31';
    const last = [row.village_code, row.py, row.id];
    if (sort === 'village') return [last, row];
    const inside = sort === 'due' ? [day, ...urgent] : [...urgent, day];
    return [[BANDS.indexOf(bandOf(row, today)), ...inside, ...last], row];
  });
  return keyed.sort((a, b) => compare(a[0], b[0])).map((pair) => pair[1]);
}

/** Name, pinyin initials, village, or the last digits of the phone. */
export function matches(row, text) {
  const wanted = text.replace(/\s/g, '').toLowerCase();
  if (!wanted) return true;
  if (/^\d+$/.test(wanted)) {
    return Boolean(row.phone4) && (row.phone4.endsWith(wanted) || wanted.endsWith(row.phone4));
  }
  return row.name.toLowerCase().includes(wanted) || row.py.startsWith(wanted) || row.village.includes(wanted);
}

const is = (wanted, value) => !wanted || wanted === value;

export function narrowed(rows, chosen) {
  return rows.filter(
    (row) =>
      is(chosen.grade, row.colour) && is(chosen.town, row.town_code) && is(chosen.village, row.village_code),
  );
}

export function stateCounts(rows, today) {
  const count = { late: 0, today: 0, later: 0, done: 0, none: 0 };
  for (const row of rows) count[bandOf(row, today)] += 1;
  return { todo: count.late + count.today, late: count.late, done: count.done, all: rows.length };
}

export function gradeCounts(rows) {
  const count = { '': rows.length, red: 0, yellow: 0, green: 0, unrated: 0 };
  for (const row of rows) count[row.colour] += 1;
  return count;
}

/** How many are due on each of the coming days, soonest first: [{on, count}]. */
export function coming(rows, today) {
  const days = new Map();
  for (const row of rows) {
    if (bandOf(row, today) === 'later' && soon(row, today))
      days.set(row.due_on, (days.get(row.due_on) || 0) + 1);
  }
  return [...days].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([on, count]) => ({ on, count }));
}

function soon(row, today) {
  return daysBetween(today, row.due_on) <= LATER_DAYS;
}

function inState(row, chosen, today) {
  const band = bandOf(row, today);
  if (chosen.state === 'todo')
    return band === 'late' || band === 'today' || (band === 'later' && soon(row, today));
  return chosen.state === 'all' || band === chosen.state;
}

/**
 * [{key, word, rows}] of what the filters leave. A search looks at everybody, whatever the filters.
 * Nobody left for today is worth an empty state of its own, so the coming week alone is no list.
 * @param {Row[]} rows
 * @param {{state: string, sort: string, grade: string, town: string, village: string, q: string,
 *   ahead?: boolean}} chosen
 */
export function bandsOf(rows, chosen, today) {
  if (chosen.q) {
    const found = ordered(
      rows.filter((row) => matches(row, chosen.q)),
      'urgency',
      today,
    );
    return found.length ? [{ key: 'found', word: '找到', rows: found }] : [];
  }
  const left = narrowed(rows, chosen).filter((row) => inState(row, chosen, today));
  const groups = new Map();
  for (const row of ordered(left, chosen.sort, today)) {
    const band = bandOf(row, today);
    const key = chosen.sort === 'village' ? row.village_code : band;
    const word = chosen.sort === 'village' ? row.village : BAND_WORDS[band];
    if (!groups.has(key)) groups.set(key, { key, word, rows: [] });
    groups.get(key).rows.push(row);
  }
  const onlyAhead = left.every((row) => bandOf(row, today) === 'later');
  if (chosen.state === 'todo' && onlyAhead && !chosen.ahead) return [];
  return [...groups.values()];
}

/**
 * The panel with what is only on this phone: visited people ticked, new grades, new dates, new people.
 * @param {Row[]} rows
 * @param {object[]} ops outbox records, oldest first
 * @returns {Row[]} rows that changed are copies
 */
export function overlaid(rows, ops) {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const labels = new Map(rows.flatMap((row) => row.due.map((due) => [due.form, due.label])));
  labels.set('general', '老年人一般访视');
  for (const op of ops) {
    const patientId = op.patient_id || op.payload.patient_id;
    if (op.kind === 'patient.create' && !byId.has(op.op_id)) byId.set(op.op_id, created(op, rows));
    const row = byId.get(patientId);
    if (!row) continue;
    const changed = op.kind.startsWith('visit.') ? visited(row, op, labels) : { ...row };
    byId.set(row.id, { ...changed, pending: row.pending || op.state !== 'done' });
  }
  return [...byId.values()];
}

function visited(row, op, labels) {
  const { grade, form, visited_at, next_visit_on, answers } = op.payload;
  const changed = { ...row };
  if (grade) {
    // A red one is lowered by a clinician, on the server; until then it stays red here too.
    if (row.colour !== 'red' || grade.colour === 'red') changed.colour = grade.colour;
    changed.emergency = Boolean(grade.emergency);
  }
  if (op.kind !== 'visit.create' || answers?.lost_reason) return changed;
  const on = visited_at ? isoDay(new Date(visited_at)) : null;
  if (on && (!row.visited_on || on > row.visited_on)) changed.visited_on = on;
  const due = row.due.filter((one) => one.form !== form);
  if (next_visit_on) due.push({ label: labels.get(form) || '随访', form, on: next_visit_on });
  changed.due = due.sort((a, b) => (a.on < b.on ? -1 : 1));
  changed.due_on = due.length ? due[0].on : null;
  return changed;
}

/** Somebody registered on this phone: no page of their own yet. */
function created(op, rows) {
  const { name, id_card = '', village_id, phone = '' } = op.payload;
  const neighbour = rows.find((row) => row.village_code === village_id);
  return {
    id: op.op_id,
    href: '/outbox',
    name,
    py: '',
    sex: Number(id_card[16]) % 2 ? '1' : '2',
    birth_date: `${id_card.slice(6, 10)}-${id_card.slice(10, 12)}-${id_card.slice(12, 14)}`,
    village_code: village_id,
    village: neighbour?.village || '',
    town_code: neighbour?.town_code || '',
    town: neighbour?.town || '',
    phone4: phone.slice(-4),
    colour: 'unrated',
    emergency: false,
    due: [],
    due_on: null,
    visited_on: null,
    pending: op.state !== 'done',
  };
}
