// The tables of readings on a patient page: what the curves are drawn from, and what grading looks at.

/** '2026年6月8日' -> '2026-06-08' */
export function isoOf(words) {
  const [, year, month, day] = /(\d+)年(\d+)月(\d+)日/.exec(words);
  return [year, month.padStart(2, '0'), day.padStart(2, '0')].join('-');
}

/** What the table of a card says, newest first: [day, [figure, …]]. */
export function readingsIn(card) {
  return [...card.querySelectorAll('tbody tr')].map((row) => [
    isoOf(row.cells[0].textContent),
    row.cells[1].textContent.split('/').map(Number),
  ]);
}
