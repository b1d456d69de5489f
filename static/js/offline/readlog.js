// Whose pages were opened on this phone. The server does not see a page that comes from the phone's own store,
// so the phone writes it down, under the same lock as the pages, and reports it after sending.

import { uuid7 } from '../ids.js';
import * as vault from '../vault/vault.js';
import { localIso } from '../when.js';
import { ask, json } from './net.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';

const PREFIX = 'read|';
const ONCE_IN_MS = 600000; // one line per patient
const AT_ONCE = 500; // the server takes no more
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Note that this page was opened, if it is somebody's. Resolves to whether a line was written. */
export async function see(page, location) {
  const patient_id = whose(page, new URL(location));
  if (!patient_id || !vault.holding()) return false;
  const known = await pages.draftsFrom(PREFIX);
  if (known.some((read) => read.patient_id === patient_id && young(read))) return false;
  const id = uuid7();
  await pages.putDraft({ key: PREFIX + id, id, patient_id, page, at: localIso(), noted_at: Date.now() });
  return true;
}

function whose(page, url) {
  const given =
    page === 'patient'
      ? url.pathname.split('/')[2]
      : page === 'visit-form' && url.pathname.startsWith('/visits/new/') && url.searchParams.get('patient');
  return ID.test(given || '') ? given : '';
}

/** Neither old nor from a clock that was set back since. */
function young({ noted_at }) {
  const age = Date.now() - noted_at;
  return age >= 0 && age < ONCE_IN_MS;
}

/**
 * Report what was noted for this person. Harmless when anything goes wrong: it stays, and goes with the next
 * sending; the server knows each by its id.
 */
export async function report(user_id, { fetch, timeout_ms } = {}) {
  const device_id = await outbox.getMeta(`device:${user_id}`);
  if (!device_id || !vault.holding() || vault.userId() !== user_id) return;
  const noted = await pages.draftsFrom(PREFIX);
  const waiting = noted.filter((read) => !read.sent);
  for (let from = 0; from < waiting.length; from += AT_ONCE) {
    const batch = waiting.slice(from, from + AT_ONCE);
    if (!(await taken(device_id, batch, { fetch, timeout_ms }))) return;
    for (const read of batch) await settle({ ...read, sent: true });
  }
  for (const read of noted) if (read.sent) await settle(read);
}

async function taken(device_id, batch, how) {
  const reads = batch.map(({ id, patient_id, page, at }) => ({ id, patient_id, page, at }));
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const body = JSON.stringify({ device_id, reads });
  const response = await ask('/api/sync/reads', { method: 'POST', headers, body, ...how });
  const answer = await json(response);
  return response.status === 200 && answer?.kept + answer?.known === batch.length;
}

/** A reported line stays until its ten minutes are over, so that the page opened again is not a second one. */
function settle(read) {
  return young(read) ? pages.putDraft(read) : pages.removeDraft(read.key);
}
