// When to send and when to fetch. Several triggers, because none can be trusted alone: Background Sync is
// missing in Firefox and Safari, the online event lies, timers sleep with the screen.

import * as vault from '../vault/vault.js';
import { listen } from './channel.js';
import * as fresh from './fresh.js';
import { report, whenRevoked } from './net.js';
import * as notice from './notice.js';
import * as outbox from './outbox.js';
import * as overlay from './overlay.js';
import { untilNext } from './pace.js';
import * as pages from './pages.js';
import { userId } from './person.js';
import { send } from './sender.js';
import * as status from './status.js';
import * as update from './update.js';
import * as wipe from './wipe.js';

const YOUNG_MS = 60000; // a pack this young is not asked for again by itself

let timer = 0;
let keepsPages = false;
let lastReload = 0;

/** @param {{pages: boolean}} can pages: a worker is there to show what a pack brings */
export function start(can) {
  keepsPages = can.pages;
  whenRevoked(shutOut);
  listen(hear);
  window.addEventListener('online', () => go('online'));
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') go('visible');
  });
  const first = go('load');
  keptBefore(); // one saved while this page was still starting was announced before anybody listened
  return first;
}

async function keptBefore() {
  if (userId() && (await unsent())) lasting();
}

/** 立即上传: no back-off and no waiting for the ten seconds of undo. */
export function sendNow() {
  return go('button');
}

async function go(reason) {
  if (!userId() || wipe.isOver()) return undefined;
  clearTimeout(timer);
  const result = await send({ reason }).catch(() => ({ outcome: 'failed', sent: 0 }));
  if (wipe.isOver()) return result;
  const wait = await untilNext(userId(), result);
  clearTimeout(timer);
  timer = setTimeout(() => go('timer'), wait);
  if (result.user_id && result.user_id !== userId()) {
    report('signed_out'); // another person's session: ours goes on when we have signed in again
    return result;
  }
  // Push before pull: what comes back then already knows what was sent.
  if (result.user_id) await refreshPack(result.sent > 0 ? 0 : YOUNG_MS);
  if (!status.wholeShell()) update.completeShell();
  return result;
}

async function refreshPack(max_age_ms) {
  if (!keepsPages || !vault.holding()) return;
  const first = !(await pages.meta().catch(() => undefined));
  if (first && (await vault.row(userId()))?.had_pack) {
    notice.show('evicted', { kind: 'warn', text: '本机数据被系统清除，正在重新下载。' });
  }
  const done = await loaded(first, max_age_ms).catch(storeTrouble);
  if (done?.outcome === 'fresh') {
    notice.hide('evicted');
    await vault.contact(userId(), { had_pack: true });
  }
}

/** The first one is told about as it comes; later ones are small and silent. */
async function loaded(first, max_age_ms) {
  const [pack, progress] = await Promise.all([import('./pack.js'), import('./progress.js')]);
  const onProgress = (done, total) => progress.show(done, total, status.packProgress);
  try {
    return await pack.refresh({ user_id: userId(), max_age_ms, onProgress: first ? onProgress : undefined });
  } finally {
    progress.show(0, 0);
  }
}

/** This phone was reported lost; any of its pages may be the one that hears of it, the lock too. */
function shutOut() {
  wipe.show();
  return wipe.wipe();
}

async function unsent() {
  const { waiting, needs } = await outbox.counts(userId()).catch(() => ({ waiting: 0, needs: 0 }));
  return waiting + needs;
}

async function storeTrouble(error) {
  if (error?.name !== 'QuotaExceededError') return;
  notice.show('quota', {
    kind: 'fault',
    text: '手机存储空间不够，新资料没有下载完。没上传的记录都还在，可以照常上传，也可以导出。',
    ...((await unsent())
      ? { action: '导出', run: async () => (await import('./export.js')).save(userId()) }
      : {}),
  });
}

function hear(message) {
  if (message.t === 'outbox') {
    overlay.run();
    if (message.change === 'added') added();
  } else if (message.t === 'page') {
    if (fresh.isHere(message.url)) fresh.offer();
  } else if (message.t === 'pages') {
    if (message.changed.some(fresh.isHere)) fresh.offer({ unlessSameRev: true });
    overlay.run();
  } else if (message.t === 'sent') {
    reloadUnlessKept();
  }
}

/** Ask for lasting storage when there is something worth lasting. */
function lasting() {
  navigator.storage?.persist?.().catch(() => {});
}

async function added() {
  lasting();
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  registration?.sync?.register('push').catch(() => {});
  if (navigator.onLine !== false) go('added');
}

/** A page that is not in the pack shows what was sent only after the server is asked for it. */
async function reloadUnlessKept() {
  const kept = await pages.get(location.href).catch(() => undefined);
  if (kept?.packed || Date.now() - lastReload < 1000) return;
  lastReload = Date.now();
  await fresh.reload();
  overlay.run();
}
