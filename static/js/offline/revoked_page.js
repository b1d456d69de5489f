// The server's own words that this phone was reported lost: what lies here goes at once. The sign-in page may
// be the one that says so; whoever signs in on it does so under a new name of this browser.

import { deviceId } from '../ids.js';
import { wipe } from './wipe.js';

export async function start() {
  const fields = document.querySelectorAll('[data-device-id]');
  document.querySelector('[data-sign-in]')?.addEventListener('submit', () => {
    for (const field of fields) field.value = deviceId(); // not before: it lies in the browser from then on
  });
  for (const field of fields) field.value = '';
  await wipe();
}
