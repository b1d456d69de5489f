// The worker: registered here, renewed only when a person says so. No page reloads under anybody's hands.

import * as notice from './notice.js';
import { send } from './sender.js';

let asked = false;

/** @returns {Promise<ServiceWorkerRegistration | null>} null: no worker here; the outbox works without */
export async function start() {
  if (!('serviceWorker' in navigator)) return null;
  const controlled = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener('controllerchange', () => changed(controlled));
  try {
    const registration = await navigator.serviceWorker.register('/sw.js', {
      type: 'module',
      scope: '/',
      updateViaCache: 'none',
    });
    watch(registration);
    takeCharge();
    return registration;
  } catch {
    return null; // an old kernel without module workers, or a private window
  }
}

/** Nobody waits now: the worker fetches what it lacks of our own files, and says how much that is. */
export async function completeShell() {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  registration?.active?.postMessage({ t: 'shell' });
}

/** The worker that gave this page was taken away since: a lost phone was emptied while the page was loading. */
export async function orphaned() {
  const workers = navigator.serviceWorker;
  if (!workers?.controller) return false;
  return !(await workers.getRegistration().catch(() => workers.controller));
}

/**
 * The first worker claims open pages as it starts, but a page whose navigation was just under way then is
 * missed by Chromium: it asks to be claimed, or it would stay without a worker until the next one.
 */
async function takeCharge() {
  const registration = await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) registration.active?.postMessage({ t: 'claim' });
}

function watch(registration) {
  if (registration.waiting && navigator.serviceWorker.controller) offer(registration);
  registration.addEventListener('updatefound', () => {
    const coming = registration.installing;
    coming?.addEventListener('statechange', () => {
      if (coming.state === 'installed' && navigator.serviceWorker.controller) offer(registration);
    });
  });
}

function offer(registration) {
  notice.show('update', {
    text: '有新版本。',
    action: '更新',
    async run() {
      asked = true;
      await send({ reason: 'button' }).catch(() => {});
      registration.waiting?.postMessage({ t: 'update' });
    },
  });
}

function changed(controlled) {
  if (asked) {
    location.reload();
  } else if (controlled) {
    notice.show('update', {
      text: '已换成新版本，刷新后生效。',
      action: '刷新',
      run: () => location.reload(),
    });
  }
}
