// The visits a patient page lists, read from its rows. Their links end in the last characters of an id.

const NAMED = /(?:\/visits\/|\?visit=)([\w-]{6,36})"/g; // at least TAIL of queries.py

/** Does this html list the visit with this id? */
export function lists(html, id) {
  return [...html.matchAll(NAMED)].some(([, tail]) => id.endsWith(tail));
}

/** The row of a visit on the page before us. */
export function rowOf(id, root = document) {
  return [...root.querySelectorAll('#visits .visit-row')].find((row) => id.endsWith(endOf(row)));
}

/** Of `?visit=5a25b7` and of a whole address. */
function endOf(row) {
  return row.getAttribute('href').split(/[/=]/).pop();
}

/** [{id: the end of an id, form, visited_on}], newest first. */
export function visitsIn(page) {
  const list = page.getElementById('visits');
  return [...list.querySelectorAll('.visit-row')].map((row) => ({
    id: endOf(row),
    form: row.querySelector('.visit-what').dataset.form,
    visited_on: dayOf(row.querySelector('.row-date').textContent, list.dataset.newest),
  }));
}

/** 6月8日 is of the year of the newest visit; other years are named: 2025年6月8日. */
export function dayOf(words, newest) {
  const [, year, month, day] = /(?:(\d+)年)?(\d+)月(\d+)日/.exec(words);
  return [year || newest.slice(0, 4), month.padStart(2, '0'), day.padStart(2, '0')].join('-');
}
