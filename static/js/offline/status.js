// The strip at the top: one line, always true. What it says is worked out from the outbox on the disk and
// from what the network last really answered, never from what we hope.

import * as vault from '../vault/vault.js';
import { hourMinute, isoDay, monthDay } from '../when.js';
import { listen } from './channel.js';
import { net, online } from './net.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { pageName, userId } from './person.js';

let sending = null; // {done, total} while the sender runs
let loading = null; // {done, total} while a first pack comes in
let shell = null; // {left, total} of our own files on this phone, as the worker said last
let draft = false;
let keeps = true;
let painting = null;
let repaint = false;

/** @param {{store: boolean}} has store: this browser keeps records by itself */
export function start(has) {
  keeps = has.store;
  listen((message) => {
    if (message.t === 'sending') sending = message.total ? message : null;
    if (message.t === 'pack') loading = null;
    if (message.t === 'shell') shell = message;
    if (['outbox', 'net', 'sending', 'pages', 'pack', 'shell'].includes(message.t)) paint();
  });
  window.addEventListener('nx-draft', () => {
    draft = true;
    paint();
  });
  for (const name of ['online', 'offline']) window.addEventListener(name, paint);
  return paint();
}

/** Shown only while there is nothing on the phone yet: later packs are small and silent. */
export function packProgress(done, total) {
  loading = total ? { done, total } : null;
  paint();
}

/** Whether this phone is known to have every file of ours. */
export function wholeShell() {
  return shell?.left === 0;
}

export function draftGone() {
  draft = false;
  paint();
}

/** Work out and show the truth now. Calls that overlap are folded into one more. */
export function paint() {
  if (painting) {
    repaint = true;
    return painting;
  }
  painting = (async () => {
    do {
      repaint = false;
      show(words(await facts()));
    } while (repaint);
    painting = null;
  })();
  return painting;
}

async function facts() {
  const user = userId();
  const found = {
    user,
    online: online(),
    outcome: net.outcome,
    sending,
    loading,
    shell,
    draft,
    page: pageName(),
  };
  try {
    const { waiting, needs, uploads } = user ? await outbox.counts(user) : await behindTheLock();
    Object.assign(found, { waiting, needs, uploads });
    found.noStore = !keeps;
  } catch {
    found.noStore = true;
  }
  const meta = await pages.meta().catch(() => undefined);
  if (meta && meta.user === user) found.data_at = meta.fetched_at;
  return found;
}

/** Of everybody on this phone a number; only what is not refused, and is this person's, goes up by itself. */
async function behindTheLock() {
  const waiting = await outbox.unsentOnPhone();
  const current = await vault.current().catch(() => undefined);
  return { waiting, uploads: current ? await outbox.goesLocked(current) : 0 };
}

/**
 * The words for what is true. Pure, for tests.
 * @returns {{state: string, bold: string, rest: string, right: string, count: number}}
 */
export function words(f, now = new Date()) {
  const waiting = f.waiting || 0;
  const needs = f.needs || 0;
  const only = waiting ? `${waiting} 条仅在本机` : '';
  const line = f.online ? '在线' : '离线';
  const count = waiting + needs;
  const care = needs ? `${needs} 条需处理` : '';
  if (f.noStore)
    return { state: 'attention', bold: '不能离线保存', rest: '记录只能在线提交', right: line, count };
  if (f.outcome === 'revoked')
    return { state: 'attention', bold: '这台手机已被停用', rest: only, right: '', count };
  if (f.outcome === 'signed_out' && f.user) {
    return {
      state: 'attention',
      bold: '请重新登录',
      rest: only || care || '登录后继续更新',
      right: '登录',
      count,
      href: '/sign-in',
    };
  }
  if (needs) return { state: 'attention', bold: care, rest: only, right: line, count };
  if (f.page === 'unlock') {
    const right = f.uploads && !['signed_out', 'revoked'].includes(f.outcome) ? '锁着也会上传' : '';
    return { state: f.online ? 'online' : 'offline', bold: line, rest: only, right, count };
  }
  if (f.sending && f.online) {
    return {
      state: 'uploading',
      bold: `正在上传 ${f.sending.done}/${f.sending.total}`,
      rest: '',
      right: '',
      count,
    };
  }
  if (f.loading && f.online) {
    return {
      state: 'uploading',
      bold: `正在下载 ${f.loading.done}/${f.loading.total}`,
      rest: only,
      right: '',
      count,
    };
  }
  if (f.shell?.left && f.online) {
    const { left, total } = f.shell;
    return {
      state: 'uploading',
      bold: `正在准备离线使用 ${total - left}/${total}`,
      rest: only,
      right: '',
      count,
    };
  }
  if (f.draft)
    return { state: f.online ? 'online' : 'offline', bold: line, rest: only, right: '草稿已存', count };
  if (!f.online) {
    const data = f.data_at ? `数据截至 ${when(f.data_at, now)}` : '';
    const right = f.shell?.left ? '离线功能没下完' : data;
    return { state: 'offline', bold: '离线', rest: only || '没有待上传', right, count };
  }
  const right = f.data_at ? `${when(f.data_at, now)} 更新` : '';
  return { state: 'online', bold: '在线', rest: only || (f.user ? '已全部上传' : ''), right, count };
}

function when(moment, now) {
  const on = isoDay(new Date(moment));
  return on === isoDay(now) ? hourMinute(moment) : monthDay(on, isoDay(now));
}

function show({ state, bold, rest, right, count, href = '/outbox' }) {
  const strip = document.getElementById('strip');
  if (strip) {
    strip.dataset.state = state;
    strip.setAttribute(
      'href',
      href === '/sign-in' ? `/sign-in?next=${encodeURIComponent(location.pathname)}` : href,
    );
    const said = strip.querySelector('.strip-state');
    if (said.textContent !== bold) {
      // Who is read to hears what has begun, and what is true afterwards; not each step of it.
      const live = task(said.textContent) === task(bold) ? 'off' : 'polite';
      strip.querySelector('.strip-words').setAttribute('aria-live', live);
      said.textContent = bold;
    }
    put(strip.querySelector('.strip-rest'), rest);
    put(strip.querySelector('.strip-right'), right);
  }
  const badge = document.getElementById('tab-outbox-count');
  if (badge) {
    badge.hidden = !count;
    put(badge, count ? String(count) : '');
  }
  const note = document.getElementById('unsent-note');
  if (note) {
    note.hidden = !count;
    put(note.querySelector('[data-unsent-count]'), String(count));
  }
}

function task(words) {
  return words.replace(/\d+\/\d+$/, '');
}

// Only what changed: a reader that reads aloud would repeat the whole strip.
function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
