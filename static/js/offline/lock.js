// One at a time on this phone: pages and worker together.

import { takeLease } from './outbox.js';

const LEASE_MS = 120000;

/** Run `work` while nobody else on this phone holds `name`. Waits for its turn. */
export async function alone(name, work) {
  if (globalThis.navigator?.locks) return navigator.locks.request(name, work);
  // Old kernels: a lease row. Whoever finds it taken does not wait; the next trigger tries again.
  const holder = `${Date.now()}-${Math.random()}`;
  if (!(await lease(holder, LEASE_MS))) return undefined;
  try {
    return await work();
  } finally {
    await lease(holder, 0);
  }
}

/** With no room for a lease there is none: two may then send one operation, of which the server keeps one. */
async function lease(holder, ms) {
  try {
    return await takeLease(holder, ms);
  } catch (error) {
    if (error?.name !== 'QuotaExceededError') throw error;
    return true;
  }
}
