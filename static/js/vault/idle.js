// Locks the store when nobody has touched any of its pages for a while, or at once when asked to.

import { listen, post } from '../offline/channel.js';
import * as policy from './policy.js';
import { tellWorker } from './relay.js';
import * as vault from './vault.js';

const LOOK_MS = 5000;
const TELL_MS = 10000; // other tabs hear of a touch at most so often

let last = Date.now();
let told = 0;
let monotonic = performance.now();
const before = new Set(); // what must be on the disk before the key goes

/** Register work that is finished before the page locks itself: a draft under the hands. */
export function beforeLock(work) {
  before.add(work);
  return () => before.delete(work);
}

export function start(user_id) {
  for (const name of ['pointerdown', 'keydown', 'scroll', 'touchstart']) {
    addEventListener(name, touched, { passive: true, capture: true });
  }
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') look(user_id);
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) look(user_id); // back from the browser's own store of pages
  });
  listen((message) => {
    if (message.t === 'touched') last = Math.max(last, message.at);
    if (message.t === 'locked' && message.user_id === user_id) leave();
  });
  setInterval(() => look(user_id), LOOK_MS);
}

function touched() {
  last = Date.now();
  monotonic = performance.now();
  if (last - told < TELL_MS) return;
  told = last;
  post({ t: 'touched', at: last });
}

/** The clock may be moved while the page sleeps: the longer of both times counts. */
async function look(user_id) {
  const row = await vault.row(user_id).catch(() => undefined);
  if (!row || row.without_pin) return;
  const now = Date.now();
  const away = Math.max(now - last, performance.now() - monotonic);
  const here = vault.holding();
  if (!here) {
    leave(); // another page locked it while this one slept
  } else if (policy.idle(0, away, row.lock_minutes) || (await vault.shutByTime(user_id))) {
    await lock();
  }
}

/** 锁上: the key leaves the worker and every page, and this page makes room for the unlock page. */
export async function lock() {
  const user_id = vault.userId();
  await Promise.allSettled([...before].map((work) => work()));
  vault.drop();
  await tellWorker({ t: 'lock' });
  post({ t: 'locked', user_id });
  leave();
}

export function unlockAddress(next = location.pathname + location.search) {
  // What stands behind # (sealed records from a QR code) stays there: no server is to see it.
  return `/unlock?next=${encodeURIComponent(next)}${location.hash}`;
}

function leave() {
  vault.drop();
  location.replace(unlockAddress());
}
