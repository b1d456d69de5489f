// A lost phone that was reported: everything of ours on it goes, and the server hears that it is gone.

import * as rows from '../vault/rows.js';
import * as vault from '../vault/vault.js';
import { listen, postOthers } from './channel.js';
import { closeForGood, remove } from './idb.js';
import * as kept from './kept.js';
import * as outbox from './outbox.js';
import { databaseOf } from './pages.js';

const FRESH_MS = 20000;
const AGAIN_MS = [100, 600];

let going = null;
let over = false;

// Another page, or the worker, empties this phone. A page that was just beginning may have made something anew
// and empties it as well; one that slept hears of it long afterwards, when somebody may have signed in again.
listen((message) => {
  if (message?.t !== 'wiping' && message?.t !== 'wiped') return;
  stop();
  if (typeof document === 'undefined') return;
  show();
  if (Math.abs(Date.now() - message.at) < FRESH_MS) wipe();
});

/** Whether this realm has nothing to do any more: whatever it wrote now would be made anew. */
export function isOver() {
  return over;
}

/** Does not fail, and may be called again. Runs in pages and in the worker. */
export function wipe() {
  going = going || everything();
  return going;
}

async function everything() {
  const people = await rows.people().catch(() => []);
  const names = [...people.map((row) => databaseOf(row.user_id)), outbox.DATABASE, rows.DATABASE];
  stop();
  postOthers({ t: 'wiping', at: Date.now() });
  await sweep(names);
  kept.forgetAll();
  await acknowledge();
  await unregister();
  postOthers({ t: 'wiped', at: Date.now() });
  if (typeof document !== 'undefined') await againFor(names);
}

/**
 * What a worker made anew that had not heard yet goes as well, unless somebody has begun anew meanwhile: then
 * this browser has a name again.
 */
async function againFor(names) {
  for (const ms of AGAIN_MS) {
    await new Promise((go) => setTimeout(go, ms));
    if (begunAnew()) return;
    await sweep(names);
    await unregister();
  }
}

function begunAnew() {
  try {
    return localStorage.length > 0;
  } catch {
    return false;
  }
}

async function sweep(names) {
  const all = new Set([...names, ...(await databaseNames())]);
  await Promise.all([...all].map((name) => remove(name)));
  for (const name of (await globalThis.caches?.keys().catch(() => [])) || []) await caches.delete(name);
  for (const storage of ['localStorage', 'sessionStorage']) {
    try {
      globalThis[storage]?.clear();
    } catch {
      // the worker has none
    }
  }
}

function stop() {
  over = true;
  vault.drop();
  closeForGood();
}

/** Whatever else of ours lies here, where the browser can tell. */
async function databaseNames() {
  const found = (await indexedDB.databases?.().catch(() => [])) || [];
  return found.map((database) => database.name).filter((name) => name.startsWith('nuanxun'));
}

/** The session's cookie says whose phone it was; the names of things here are gone by now. */
async function acknowledge() {
  const headers = { 'Content-Type': 'application/json' };
  try {
    await fetch('/api/devices/wiped', { method: 'POST', headers, body: '{}', credentials: 'same-origin' });
  } catch {
    // no line: the next request is refused again, wipes again, and says so again
  }
}

async function unregister() {
  const registration =
    globalThis.registration || (await navigator.serviceWorker?.getRegistration().catch(() => undefined));
  await registration?.unregister().catch(() => {});
}

/** What stands on the screen from then on. */
export function show() {
  const words = document.createElement('h1');
  words.textContent = '这台手机已被停用';
  const more = document.createElement('p');
  more.textContent = '上面的老人资料已经清除。如果手机是您的，请联系镇卫生院管理员，再重新登录。';
  const link = Object.assign(document.createElement('a'), {
    className: 'btn line wide',
    href: '/sign-in',
    textContent: '重新登录',
  });
  const main = document.getElementById('main');
  for (const child of [...document.body.children]) if (child !== main) child.remove();
  for (const name of ['user', 'role', 'name']) delete document.body.dataset[name];
  document.title = '这台手机已被停用 暖巡';
  main.replaceChildren(words, more, link);
  main.className = 'tall';
}
