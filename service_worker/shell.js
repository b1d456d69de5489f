// The public shell: css, js, icons, rule tables, the offline page. The same for everybody, so it may lie in
// Cache Storage. Pages with people in them never come here.

import { sha256 } from '/static/js/offline/digest.js';
import { BUILD, SHELL } from '/sw/precache.js';

const PREFIX = 'shell-';
const CACHE = PREFIX + BUILD;

export async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    Object.keys(SHELL).map(async (path) => {
      // Without cookies: the offline page must name nobody.
      const response = await fetch(path, { cache: 'no-cache', credentials: 'omit' });
      if (!response.ok || response.redirected) throw new Error(`shell: ${path} ${response.status}`);
      // A portal answers 200 to everything, and while a server is renewed two builds answer in turn: what is
      // not the file of this build ends the installation, and the browser tries again later.
      const sum = await sha256(await response.clone().arrayBuffer());
      if (!sum.startsWith(SHELL[path])) throw new Error(`shell: ${path} is not ours`);
      await cache.put(path, response);
    }),
  );
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
  return caches.match(path, { cacheName: CACHE }); // open() would make anew what a lost phone has deleted
}
