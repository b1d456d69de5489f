// The visits a patient page lists, read from its rows. What a visit is called: 20261112-adl, the second of that
// day 20261112-adl-2. Twin: app/visits/naming.py.

/** [{name, form, visited_on}], newest first. */
export function visitsIn(page) {
  const list = page.getElementById('visits');
  return [...list.querySelectorAll('.visit-row')].map((row) => ({
    name: nameOf(row, list.dataset.newest),
    form: formOf(row),
    visited_on: dayIn(row, list.dataset.newest),
  }));
}

/** The row of the visit with this name, on the page before us. */
export function rowOf(name, root = document) {
  const list = root.getElementById('visits');
  const rows = [...list.querySelectorAll('.visit-row')].filter((row) => !row.id); // others are not sent yet
  return rows.find((row) => nameOf(row, list.dataset.newest) === name);
}

export function named(day, form, nth) {
  return `${day.replaceAll('-', '')}-${form}${nth > 1 ? `-${nth}` : ''}`;
}

/**
 * Those of `ops`, oldest first, that are on no row of the page yet. A visit of this phone is on the page when it
 * has arrived and the page lists one of its day and form; of two of them it takes two.
 * @param {{form: string, visited_on: string}[]} listed
 */
export function unlisted(ops, listed) {
  const left = new Map();
  for (const { form, visited_on } of listed)
    left.set(`${visited_on} ${form}`, (left.get(`${visited_on} ${form}`) || 0) + 1);
  return ops.filter(({ kind, state, payload }) => {
    const what = `${String(payload.visited_at).slice(0, 10)} ${payload.form}`;
    if (kind !== 'visit.create' || state !== 'done' || !left.get(what)) return true;
    left.set(what, left.get(what) - 1);
    return false;
  });
}

const nameOf = (row, newest) => named(dayIn(row, newest), formOf(row), Number(row.dataset.nth));
const formOf = (row) => row.querySelector('.visit-what').dataset.form;
const dayIn = (row, newest) => dayOf(row.querySelector('.row-date').textContent, newest);

/** 6月8日 is of the year of the newest visit; other years are named: 2025年6月8日. */
export function dayOf(words, newest) {
  const [, year, month, day] = /(?:(\d+)年)?(\d+)月(\d+)日/.exec(words);
  return [year || newest.slice(0, 4), month.padStart(2, '0'), day.padStart(2, '0')].join('-');
}
