// 退出登录: the pages and the key go, sealed records stay and wait for their author. Asked twice when there are any.

import { tellWorker } from '../vault/relay.js';
import * as vault from '../vault/vault.js';
import { postOthers } from './channel.js';
import * as kept from './kept.js';
import { json, ask as request } from './net.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { userId } from './person.js';
import { sendNow } from './triggers.js';

const PATIENCE_MS = 5000;

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

async function leave() {
  const user = userId();
  const told = await endSession();
  try {
    await kept.signedOut(user);
    // Where the server could not be told, its session lives on: the lock stands before it and ends it first.
    if (told) await vault.forget(user);
    else await vault.end(user, 'signed_out');
    vault.drop();
    postOthers({ t: 'locked', user_id: user }); // this person's other tabs hold the key as well
    await tellWorker({ t: 'lock' });
    await pages.drop(user);
  } catch {
    // no store, so nothing is kept
  }
  location.assign(told ? '/sign-in' : '/unlock');
}

/** @returns {Promise<boolean>} true once the server knows no session of this phone any more */
async function endSession() {
  try {
    const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' };
    const response = await request('/api/auth/logout', { ...options, timeout_ms: PATIENCE_MS });
    return response.status === 204 || (response.status === 401 && Boolean(await json(response)));
  } catch {
    return false;
  }
}
