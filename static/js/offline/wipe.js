// A lost phone that was reported: everything of ours on it goes, and the server hears that it is gone.

import * as rows from '../vault/rows.js';
import * as vault from '../vault/vault.js';
import { post } from './channel.js';
import * as outbox from './outbox.js';
import { databaseOf } from './pages.js';

let going = null;

/** Does not fail, and may be called again. Runs in pages and in the worker. */
export function wipe() {
  going = going || everything();
  return going;
}

async function everything() {
  const people = await rows.people().catch(() => []);
  vault.drop();
  const known = await databaseNames();
  const names = [...people.map((row) => databaseOf(row.user_id)), outbox.DATABASE, rows.DATABASE, ...known];
  await Promise.all([...new Set(names)].map(remove));
  for (const name of (await globalThis.caches?.keys().catch(() => [])) || []) await caches.delete(name);
  for (const storage of ['localStorage', 'sessionStorage']) {
    try {
      globalThis[storage]?.clear();
    } catch {
      // the worker has none
    }
  }
  await acknowledge();
  post({ t: 'wiped' });
  await unregister();
}

/** Whatever else of ours lies here, where the browser can tell. */
async function databaseNames() {
  const found = (await indexedDB.databases?.().catch(() => [])) || [];
  return found.map((database) => database.name).filter((name) => name.startsWith('nuanxun'));
}

export function remove(name) {
  return new Promise((resolve) => {
    const asked = indexedDB.deleteDatabase(name);
    asked.onsuccess = asked.onerror = asked.onblocked = resolve; // blocked: it goes when the others let go
  });
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

/** What stands on the screen afterwards. */
export function show() {
  const words = document.createElement('h1');
  words.textContent = '这台手机已被停用';
  const more = document.createElement('p');
  more.textContent = '上面的老人资料已经清除。如果手机是您的，请联系镇卫生院管理员，再重新登录。';
  const main = document.getElementById('main');
  for (const child of [...document.body.children]) if (child !== main) child.remove();
  main.replaceChildren(words, more);
  main.className = 'tall';
}
