// The page that stands for one the phone does not have. It watches for the real one, says when pages are
// missing because the system took them, and locks the phone.

import { lock } from '../vault/idle.js';
import * as vault from '../vault/vault.js';
import { listen } from './channel.js';
import * as fresh from './fresh.js';
import * as pages from './pages.js';

let hearing = false;

export async function start() {
  if (!hearing) {
    hearing = true;
    window.addEventListener('online', () => location.reload());
    listen((message) => {
      if (message.t === 'page' && fresh.isHere(message.url)) location.reload();
    });
  }
  const held = await vault.open().catch(() => null);
  const row = held && (await vault.row(held.user_id));
  const missing = row?.had_pack && !(await pages.meta().catch(() => undefined));
  document.getElementById('evicted').hidden = !missing;
  // 我 is not kept on the phone, so this is where one comes who wants to lock it without signal.
  const button = document.getElementById('lock-now');
  button.hidden = !row || Boolean(row.without_pin);
  button.onclick = lock;
}
