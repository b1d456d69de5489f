// What is only on this phone, shown on every page concerned, until the server's own page shows it.
//
// A room registers, per page name, a function that adds pending operations to that page:
//   register('patient', (ops, document) => …)
// It is called with this person's operations in order, oldest first: those not yet sent, and those
// confirmed so recently that the page before us does not know them. It must bear being called again.

import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { pageName, userId } from './person.js';

const painters = new Map();

export function register(page, paint) {
  const list = painters.get(page) || [];
  list.push(paint);
  painters.set(page, list);
}

/** Operations the page before us does not show by itself. */
export async function unseen() {
  const user = userId();
  if (!user) return [];
  const [waiting, meta] = await Promise.all([outbox.pending(user), pages.meta().catch(() => undefined)]);
  const done = await outbox.doneSince(user, meta?.started_at ?? performance.timeOrigin);
  const data = [...document.querySelectorAll('script[type="application/json"]')]
    .map((b) => b.textContent)
    .join('');
  const shown = (id) => document.getElementById(`record-${id}`); // a row is marked with the id of its record
  const fresh = done.filter((op) => !data.includes(op.op_id) && !shown(op.op_id));
  return [...fresh, ...waiting].sort((a, b) => a.n - b.n);
}

/** Paint this page again. Harmless where nothing is registered or nothing waits. */
export async function run() {
  const list = painters.get(pageName());
  if (!list) return;
  const ops = await unseen().catch(() => []); // a browser without storage: nothing is only here
  for (const paint of list) {
    try {
      paint(ops, document);
    } catch (error) {
      console.error('overlay', error); // one room's mistake must not hide another room's pending records
    }
  }
}
