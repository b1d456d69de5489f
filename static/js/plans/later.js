// The first list after the door comes without those whose row is not on it: the pack brings them in a moment
// (docs/decisions/0040). Until they are here, whatever is chosen is asked of the server, as without script.

import { listen } from '../offline/channel.js';
import * as overlay from '../offline/overlay.js';
import * as pages from '../offline/pages.js';
import { userId } from '../offline/person.js';
import * as vault from '../vault/vault.js';

/** Called by app.js where the list comes without everybody. What draws it comes with them: list.js. */
export function start() {
  const form = document.getElementById('list-form');
  if (!form) return;
  const come = () => bring(form).catch(() => {}); // no line: the server's rows stay
  form.addEventListener('change', () => {
    if (!here()) form.requestSubmit();
  });
  listen((message) => {
    if (message.t === 'pages') come();
  });
  come();
}

const here = () => Boolean(document.getElementById('panel'));

async function bring(form) {
  const html = await whole();
  const panel = new DOMParser().parseFromString(html, 'text/html').getElementById('panel');
  const list = panel && (await import('./list.js'));
  if (!panel || here() || !form.isConnected) return;
  form.after(document.adoptNode(panel));
  list.start();
  await overlay.run();
}

/** This page as the phone has it, or where none is kept as the server gives it to who is in already. */
async function whole() {
  if (vault.holding() && navigator.serviceWorker?.controller) {
    const kept = await pages.get(location.href);
    return kept?.rev === document.querySelector('meta[name="nx-page"]')?.content ? kept.html : '';
  }
  const response = await fetch(location.href, {
    headers: { Accept: 'text/html', 'X-Sync': '1' },
    cache: 'no-store',
  });
  return response.headers.get('X-Page-User') === userId() ? response.text() : '';
}
