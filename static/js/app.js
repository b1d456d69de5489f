// Starts what every page needs, then the script of this page.

import * as confirm from './confirm.js';
import { deviceId } from './ids.js';
import * as fresh from './offline/fresh.js';
import * as install from './offline/install.js';
import * as mend from './offline/mend.js';
import { net } from './offline/net.js';
import * as opforms from './offline/opforms.js';
import * as overlay from './offline/overlay.js';
import * as pages from './offline/pages.js';
import { pageName, userId } from './offline/person.js';
import * as status from './offline/status.js';
import * as triggers from './offline/triggers.js';
import * as update from './offline/update.js';
import * as ui from './ui.js';
import * as when from './when.js';

// Each exports start(document); it is called again when a fresher page was swapped in.
const SCRIPTS = {
  today: () => import('./plans/list.js'),
  patients: () => import('./plans/list.js'),
  patient: () => import('./chart/patient.js'),
  'visit-form': () => import('./visits/form.js'),
  family: () => import('./family/home.js'),
  'order-new': () => import('./orders/new.js'),
  orders: () => import('./orders/list.js'),
  order: () => import('./orders/tracking.js'),
  desk: () => import('./orders/desk.js'),
  outbox: () => import('./offline/outbox_page.js'),
  handover: () => import('./offline/handover.js'),
};

async function start() {
  careMode();
  ui.start();
  confirm.start();
  opforms.start();
  signingOut();
  fresh.start(dress);
  document.addEventListener('visibilitychange', () => when.refresh()); // a page left open over midnight
  status.start();
  await forgetOthers();
  await dress();
  document.documentElement.dataset.ready = ''; // taps now do what the scripts say
  const worker = await update.start();
  triggers.start({ pages: Boolean(worker) });
  // What the worker fetched while this page was loading was announced before anybody listened.
  await fresh.offer({ unlessSameRev: true }).catch(() => {});
  if (userId()) install.start();
}

/** Everything that belongs to the page before us, not to the frame around it. */
async function dress() {
  when.refresh();
  ui.dress();
  signIn();
  storage();
  status.paint();
  const load = SCRIPTS[pageName()];
  if (load) {
    try {
      (await load()).start?.(document);
    } catch (error) {
      console.error(`page ${pageName()}`, error);
    }
  }
  await overlay.run();
  when.refresh();
  await mend.start();
}

/** Pages of whoever used this phone before are not the reader's to see. The outbox is left alone. */
async function forgetOthers() {
  try {
    const meta = await pages.meta();
    if (meta && userId() && meta.user !== userId()) await pages.clear();
  } catch {
    // no store, so nothing is kept
  }
}

function signIn() {
  // Records from a QR code travel behind the #, and go on to where they are taken after signing in.
  const form = document.querySelector('[data-sign-in]');
  if (form && location.hash && form.elements.next.value.startsWith('/handover'))
    form.action = `/sign-in${location.hash}`;
  for (const field of document.querySelectorAll('[data-device-id]')) {
    field.value = deviceId();
    net.outcome = 'unknown'; // what is said about the session ends here
  }
}

/** Signing out takes the pages off the phone; unsent records stay, for their author. */
function signingOut() {
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.matches?.('[data-sign-out], [action="/sign-out"]')) return;
    event.preventDefault();
    await pages.clear().catch(() => {});
    HTMLFormElement.prototype.submit.call(form);
  });
}

/** Large letters at once and without a network; the form tells the server when it can. */
function careMode() {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem('nx-care');
    if (chosen !== null) root.toggleAttribute('data-care', chosen === '1');
    document.addEventListener('submit', (event) => {
      if (!event.target.matches?.('[data-care-form]')) return;
      const on = new FormData(event.target).get('on') === '1';
      localStorage.setItem('nx-care', on ? '1' : '0');
      root.toggleAttribute('data-care', on);
      if (!navigator.onLine) event.preventDefault();
    });
  } catch {
    // without storage the server's own setting holds
  }
}

async function storage() {
  const words = document.querySelector('[data-storage]');
  if (!words || !navigator.storage?.estimate) return;
  const { usage = 0 } = await navigator.storage.estimate();
  const lasting = (await navigator.storage.persisted?.())
    ? '系统不会自动清理'
    : '系统空间不够时可能被清理，请常连网更新';
  const meta = await pages.meta().catch(() => undefined);
  const count = meta ? Object.keys(meta.revs).length : 0;
  words.textContent = `已下载 ${count} 页，共用 ${(usage / 1048576).toFixed(1)} MB。${lasting}。`;
  words.closest('section').hidden = false;
}

start();
