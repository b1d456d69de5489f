// The public shell: css, js, icons, rule tables, the offline page. The same for everybody, so it may lie in
// Cache Storage. Pages with people in them never come here.

import { post } from '/static/js/offline/channel.js';
import { sha256 } from '/static/js/offline/digest.js';
import { BUILD, FIRST, FORMER, SHELL } from '/sw/precache.js';

const PREFIX = 'shell-';
const CACHE = PREFIX + BUILD;
const ADDRESSES = '/static/joined/addresses.json';

let completing = null;

/**
 * A phone's first worker keeps what shows the door, the lock and the list, so that nobody waits for the rest;
 * one that is to take the place of another keeps all of it first, or a page would lose what it had.
 */
export function install() {
  const all = Object.keys(SHELL);
  return keep(self.registration.active ? all : all.slice(0, FIRST));
}

/** The rest, once a page says that nobody waits. Tells the pages how much is lacking, until nothing is. */
export function complete() {
  completing =
    completing ||
    lacking().finally(() => {
      completing = null;
    });
  return completing;
}

async function lacking() {
  const cache = await caches.open(CACHE);
  const have = new Set((await cache.keys()).map((request) => new URL(request.url).pathname));
  const missing = Object.keys(SHELL).filter((path) => !have.has(path));
  const tell = () => post({ t: 'shell', left: missing.length, total: Object.keys(SHELL).length });
  tell();
  try {
    while (missing.length) {
      await keep(missing.slice(0, 1));
      missing.shift();
      tell();
    }
  } catch {
    // no line, or not our line: the next page asks again
  }
}

async function keep(paths) {
  const cache = await caches.open(CACHE);
  await Promise.all(paths.map(async (path) => cache.put(path, await ours(path))));
}

/**
 * The file of this build. The page has just loaded many of them, and an older build left some: what the
 * browser still has is taken, whatever its age, if it is the right one. A portal answers 200 to everything,
 * and while a server is renewed two builds answer in turn: what is not the file of this build ends the
 * installation, and the browser tries again later.
 */
async function ours(path) {
  const at_hand = await right(path, 'force-cache').catch(() => null);
  const found = at_hand || (await right(path, 'reload'));
  if (!found) throw new Error(`shell: ${path} is not ours`);
  return found;
}

async function right(path, cache) {
  // Without cookies: the offline page must name nobody.
  const credentials = path.startsWith('/static/') ? 'same-origin' : 'omit';
  const response = await fetch(path, { cache, credentials });
  if (!response.ok || response.redirected) return null;
  const sum = await sha256(await response.clone().arrayBuffer());
  return sum.startsWith(SHELL[path]) ? response : null;
}

/** Old shells go. Nothing else is deleted here, least of all what was recorded. */
export async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

/** @returns {Promise<Response | undefined>} by path: what follows "?" only busts other caches */
export async function fromShell(path) {
  const found = await kept(FORMER[path] || path);
  return found || (path.startsWith('/static/') ? ownAddress(path) : undefined);
}

function kept(path) {
  return caches.match(path, { cacheName: CACHE }); // open() would make anew what a lost phone has deleted
}

/** A module by its own address, as pages of an older build ask for it: what it gives lies in a joined file. */
async function ownAddress(path) {
  const text = (await (await kept(ADDRESSES))?.json())?.[path];
  const headers = { 'Content-Type': 'text/javascript; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  return text && new Response(text, { headers });
}
