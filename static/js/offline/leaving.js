// 退出登录: the pages and the key go, sealed records stay and wait for their author. Asked twice when there are any.

import { lockOthers } from '../vault/idle.js';
import * as vault from '../vault/vault.js';
import * as kept from './kept.js';
import { sessionEnded } from './net.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { userId } from './person.js';
import * as readlog from './readlog.js';
import { sendNow } from './triggers.js';

export function start() {
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.matches?.('[data-sign-out], [action="/sign-out"]')) return;
    event.preventDefault();
    const { waiting, needs } = await outbox.counts(userId()).catch(() => ({ waiting: 0, needs: 0 }));
    const sheet = document.getElementById('leave-sheet');
    if (waiting + needs && sheet) ask(sheet, waiting + needs);
    else await leave();
  });
}

function ask(sheet, count) {
  sheet.querySelector('[data-part="count"]').textContent = String(count);
  const says = sheet.querySelector('[data-part="says"]');
  says.textContent = '';
  sheet.querySelector('[data-part="send"]').onclick = async () => {
    says.textContent = '正在上传……';
    await sendNow();
    const left = await outbox.counts(userId());
    if (left.waiting + left.needs === 0) await leave();
    else says.textContent = `还有 ${left.waiting + left.needs} 条没有传完。`;
  };
  sheet.querySelector('[data-part="leave"]').onclick = leave;
  sheet.showModal();
}

/**
 * The session first. Where the server cannot be reached it lives on, so the store is ended and not forgotten:
 * an ended one is opened anew only after the password, a forgotten one by whoever comes first.
 */
async function leave() {
  const user = userId();
  await readlog.report(user, { timeout_ms: 3000 }).catch(() => {}); // it goes with the pages
  const out = await sessionEnded();
  try {
    await (out ? vault.forget(user) : vault.end(user, 'signed_out'));
    await kept.signedOut(user);
    await lockOthers(user);
    await pages.drop(user);
  } catch {
    // no store, so nothing is kept
  }
  location.assign(out ? '/sign-in' : '/unlock');
}
