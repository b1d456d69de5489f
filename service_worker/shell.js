// The public shell: css, js, icons, rule tables, the offline page. The same for everybody, so it may lie in
// Cache Storage. Pages with people in them never come here.

import { BUILD, SHELL } from '/sw/precache.js';

const PREFIX = 'shell-';
const CACHE = PREFIX + BUILD;

export async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    SHELL.map(async (path) => {
      // Without cookies: the offline page must name nobody.
      const response = await fetch(path, { cache: 'no-cache', credentials: 'omit' });
      if (!response.ok || response.redirected) throw new Error(`shell: ${path} ${response.status}`);
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
  return (await caches.open(CACHE)).match(path);
}
