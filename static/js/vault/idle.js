// Locks the store when nobody has touched any of its pages for a while, or at once when asked to.

import { listen, post } from '../offline/channel.js';
import * as policy from './policy.js';
import { tellWorker } from './relay.js';
import * as vault from './vault.js';

const LOOK_MS = 5000;
const TELL_MS = 10000; // other tabs hear of a touch at most so often
const BEFORE_MS = 2000; // a disk that does not answer must not keep the store open

let last = Date.now();
let told = 0;
let monotonic = performance.now();
let locking = null;
let going = null;
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
  addEventListener('pagehide', (event) => {
    if (event.persisted) veil(true);
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) comeBack(user_id);
  });
  listen((message) => {
    if (message.t === 'touched') touchedElsewhere(message.at);
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

function touchedElsewhere(at) {
  last = Math.max(last, at);
  monotonic = performance.now();
}

/** The clock may be moved while the page sleeps: the longer of both times counts. */
async function look(user_id) {
  const row = await vault.row(user_id).catch(() => undefined);
  if (!row || row.without_pin || going || locking) return;
  const now = Date.now();
  const away = Math.max(now - last, performance.now() - monotonic);
  if (!vault.holding() || !row.wrapped) {
    await leave(); // another page locked or ended it while this one slept
  } else if (policy.idle(0, away, row.lock_minutes) || (await vault.shutByTime(user_id))) {
    await lock();
  }
}

/** Out of the browser's own store of pages: this page may have slept through a lock, so its key is asked for anew. */
async function comeBack(user_id) {
  if (!(await vault.row(user_id).catch(() => undefined))?.without_pin) {
    vault.drop();
    if ((await vault.open().catch(() => null))?.user_id !== user_id) {
      await leave();
      return;
    }
    await look(user_id);
  }
  if (!going) veil(false);
}

/** 锁上: the key leaves the worker and every page, and this page makes room for the unlock page. */
export function lock() {
  locking = locking || lockNow(vault.userId());
  return locking;
}

async function lockNow(user_id) {
  veil(true);
  await finishWork();
  vault.drop();
  await tellWorker({ t: 'lock' });
  post({ t: 'locked', user_id });
  await leave();
}

/** A store that is gone for good is no longer open anywhere. The page that calls this goes its own way. */
export async function lockOthers(user_id) {
  going = going || Promise.resolve();
  vault.drop();
  await tellWorker({ t: 'lock' });
  post({ t: 'locked', user_id });
}

export function unlockAddress(next = location.pathname + location.search) {
  // What stands behind # (sealed records from a QR code) stays there: no server is to see it.
  return `/unlock?next=${encodeURIComponent(next)}${location.hash}`;
}

function leave() {
  if (!going) {
    veil(true);
    going = finishWork().then(() => {
      vault.drop();
      location.replace(unlockAddress());
    });
  }
  return going;
}

/** Every page that is left keeps what stands half typed in it, as far as it still has the key. */
async function finishWork() {
  const done = Promise.allSettled([...before].map((work) => work()));
  await Promise.race([done, new Promise((go) => setTimeout(go, BEFORE_MS))]);
}

/** Nothing of the page is to be seen while it is left, or before it is known whether it may be. */
function veil(on) {
  document.documentElement.style.visibility = on ? 'hidden' : '';
}
