// Events only. What happens on each stands in the modules; this worker answers GET and nothing else.

import { whenRevoked } from '/static/js/offline/net.js';
import { send } from '/static/js/offline/sender.js';
import { wipe } from '/static/js/offline/wipe.js';
import { startInWorker } from '/static/js/vault/relay.js';
import { activate, complete, install } from '/sw/shell.js';
import { answer } from '/sw/strategies.js';

let revoked = false;

startInWorker();
whenRevoked(() => {
  revoked = true;
  wipe();
});

self.addEventListener('install', (event) => event.waitUntil(install()));

self.addEventListener('activate', (event) => event.waitUntil(activate()));

self.addEventListener('fetch', (event) => {
  const response = answer(event);
  if (response) event.respondWith(response);
});

self.addEventListener('message', (event) => {
  if (event.data?.t === 'claim') event.waitUntil(self.clients.claim());
  if (event.data?.t === 'shell') event.waitUntil(complete());
  // Only when a person asked for it, and never in the middle of a sync.
  if (event.data?.t === 'update') event.waitUntil(between(() => self.skipWaiting()));
});

/** While nothing is being sent and nothing is being written. */
function between(work) {
  return navigator.locks.request('sync', () => navigator.locks.request('write', work));
}

self.addEventListener('sync', (event) => {
  if (event.tag === 'push') event.waitUntil(push());
});

async function push() {
  // A phone that is being emptied cannot note how it went.
  const { outcome } = await send({ reason: 'sync' }).catch(() => ({}));
  if (revoked) {
    await wipe();
    return;
  }
  // A rejected promise makes the browser try again later by itself.
  if (outcome === 'unreachable' || outcome === 'busy') throw new Error(outcome);
}
