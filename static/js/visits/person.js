// Who is being visited, read from the patient page this phone keeps. No network is waited for.

import { dataIn } from '../chart/data.js';
import { unlisted } from '../chart/visits.js';
import * as outbox from '../offline/outbox.js';
import * as pages from '../offline/pages.js';

/**
 * What a patient page knows: its data block, unfolded, and the visits it lists.
 * @param {string} html
 * @returns {?object} null when the page is no patient page
 */
export function dataOf(html) {
  const page = new DOMParser().parseFromString(html, 'text/html');
  try {
    return dataIn(page);
  } catch {
    return null;
  }
}

/**
 * @returns {Promise<?{data: object, html: string}>} null: neither the phone nor the server has this person
 */
export async function load(id, fetch = globalThis.fetch) {
  const url = `/patients/${encodeURIComponent(id)}`;
  const stored = await pages.get(url).catch(() => undefined);
  const html = stored ? stored.html : await fetched(url, fetch);
  const data = html ? dataOf(html) : null;
  return data && data.id === id ? { data, html } : null;
}

async function fetched(url, fetch) {
  try {
    const response = await fetch(url, { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
    return response.ok && response.headers.get('X-Page-User') ? await response.text() : '';
  } catch {
    return '';
  }
}

/** A definition of a form from the page this phone keeps for it. @returns {Promise<?object>} */
export async function definitionOf(key) {
  const stored = await pages.get(`/visits/new/${key}`).catch(() => undefined);
  if (!stored) return null;
  const block = new DOMParser().parseFromString(stored.html, 'text/html').getElementById('form-definition');
  return block ? JSON.parse(block.textContent) : null;
}

/**
 * Visits of this person that the stored page does not know yet, oldest first: waiting ones, and those
 * confirmed since the page was stored. The one being mended (`except`) is left out.
 * @param {object[]} listed the visits of that page
 */
export async function unseenVisits(user, patientId, listed, except) {
  const [waiting, meta] = await Promise.all([outbox.pending(user), pages.meta().catch(() => undefined)]);
  const done = meta ? await outbox.doneSince(user, meta.started_at) : [];
  const mine = [...done, ...waiting]
    .filter((op) => op.patient_id === patientId && /^visit\.(create|correct)$/.test(op.kind))
    .filter((op) => op.op_id !== except && op.payload.answers)
    .sort((a, b) => a.n - b.n);
  return unlisted(mine, listed);
}
