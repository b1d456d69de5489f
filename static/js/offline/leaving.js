// 退出登录: the pages and the key go, sealed records stay and wait for their author. Asked twice when there are any.

import { tellWorker } from '../vault/relay.js';
import * as vault from '../vault/vault.js';
import * as kept from './kept.js';
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
    if (waiting + needs && sheet) ask(sheet, form, waiting + needs);
    else await leave(form);
  });
}

function ask(sheet, form, count) {
  sheet.querySelector('[data-part="count"]').textContent = String(count);
  const says = sheet.querySelector('[data-part="says"]');
  says.textContent = '';
  sheet.querySelector('[data-part="send"]').onclick = async () => {
    says.textContent = '正在上传……';
    await sendNow();
    const left = await outbox.counts(userId());
    if (left.waiting + left.needs === 0) await leave(form);
    else says.textContent = `还有 ${left.waiting + left.needs} 条没有传完。`;
  };
  sheet.querySelector('[data-part="leave"]').onclick = () => leave(form);
  sheet.showModal();
}

async function leave(form) {
  const user = userId();
  await readlog.report(user, { timeout_ms: 3000 }).catch(() => {}); // it goes with the pages
  try {
    await vault.forget(user);
    await pages.drop(user);
    await tellWorker({ t: 'lock' });
    kept.forget();
  } catch {
    // no store, so nothing is kept
  }
  HTMLFormElement.prototype.submit.call(form);
}
