// The session ended while somebody was at work: they sign in again on top of the page, and nothing of it moves.

import { deviceId } from '../ids.js';
import * as vault from '../vault/vault.js';
import { listen } from './channel.js';
import { ask, json, net, outcomeOf, report } from './net.js';
import * as notice from './notice.js';
import * as outbox from './outbox.js';
import { userId } from './person.js';
import { sendNow } from './triggers.js';

let sheet = null;

export function start() {
  listen((message) => {
    if (message.t === 'outbox' || message.t === 'net') tell().catch(() => {});
  });
  tell().catch(() => {});
}

/** What was saved cannot go: said where it was saved, and on every page after it, until somebody signs in. */
async function tell() {
  if (!userId() || net.outcome !== 'signed_out') {
    notice.hide('signed-out');
    return;
  }
  const { waiting } = await outbox.counts(userId());
  if (!waiting || document.getElementById('notice-signed-out')) return;
  notice.show('signed-out', {
    kind: 'warn',
    text: '登录已过期。记录已保存在本机，登录后自动上传。',
    action: '登录',
    run: open,
  });
}

export async function open() {
  sheet?.remove();
  sheet = build((await vault.row(userId()).catch(() => undefined))?.username || '');
  document.body.append(sheet);
  sheet.showModal();
  sheet.querySelector('input[type="password"]').focus();
}

function build(username) {
  const dialog = make('dialog', { className: 'sheet' });
  dialog.setAttribute('aria-label', '重新登录');
  const form = make('form', { autocomplete: 'on' });
  const body = make('div', { className: 'sheet-body' });
  const says = make('p', { className: 'message fault', hidden: true });
  says.setAttribute('role', 'alert');
  const later = make('button', { type: 'button', className: 'btn', textContent: '先不登录' });
  later.addEventListener('click', () => dialog.close());
  const buttons = make('div', { className: 'btns even' });
  buttons.append(later, make('button', { className: 'btn solid', textContent: '登录，接着上传' }));
  const name = field('账号或手机号', { name: 'username', autocomplete: 'username', value: username });
  const password = field('密码', { name: 'password', type: 'password', autocomplete: 'current-password' });
  const code = field('验证器上的 6 位数字', {
    name: 'otp',
    autocomplete: 'one-time-code',
    autocapitalize: 'none',
    spellcheck: false,
    maxLength: 20,
    required: false,
  });
  code.hidden = true; // until the server asks for it
  const words = '登录已过期。这一页和没上传的记录都在，登录后接着用。';
  body.append(make('p', { className: 'quiet', textContent: words }), name, password, code, says, buttons);
  const head = make('div', { className: 'sheet-head' });
  head.append(make('h2', { textContent: '重新登录' }));
  form.append(head, body);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(form, says);
  });
  dialog.append(make('span', { className: 'sheet-grab' }), form);
  return dialog;
}

function make(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}

function field(label, properties) {
  const group = make('div', { className: 'group' });
  const words = make('label', { className: 'label', textContent: label });
  const input = make('input', {
    className: 'input',
    required: true,
    id: `again-${properties.name}`,
    ...properties,
  });
  words.htmlFor = input.id;
  group.append(words, input);
  return group;
}

async function submit(form, says) {
  const { username, password, otp } = form.elements;
  says.hidden = true;
  const { fault, asksCode, must, unheard } = await trySigningIn(
    username.value.trim(),
    password.value,
    otp.value.trim(),
  );
  if (!fault) {
    sheet.close();
    if (must) location.assign(must);
    else sendNow();
    return;
  }
  says.textContent = fault;
  says.hidden = false;
  otp.value = '';
  if (asksCode) {
    otp.closest('.group').hidden = false;
    otp.required = true;
    otp.focus();
  } else if (!unheard) {
    password.value = '';
    password.focus();
  }
}

/** @returns {Promise<{fault: string, asksCode?: boolean, must?: string, unheard?: boolean}>} fault: what went
 *   wrong, empty when nothing did; must: the page where the server wants something done first; unheard: nobody
 *   has said that the password is wrong */
async function trySigningIn(username, password, otp) {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ username, password, device_id: deviceId(), ...(otp ? { otp } : {}) });
  try {
    const response = await ask('/api/auth/login', { method: 'POST', headers, body });
    const answer = await json(response);
    if (outcomeOf(response, answer) === 'revoked') report('revoked');
    if (response.status !== 200) {
      const fault = answer?.detail || '现在登录不了，请稍后再试。';
      return { fault, asksCode: answer?.code === 'otp_required' };
    }
    if (answer.user?.id === userId()) return { fault: '', must: answer.must };
    // The page before us is another person's: they would send under a name that is not theirs.
    await ask('/api/auth/logout', { method: 'POST', headers, body: '{}' });
    return { fault: '这一页是另一个人的，请用原来的账号登录。' };
  } catch {
    return { fault: '现在连不上服务器，记录都还在，有信号时再登录。', unheard: true };
  }
}
