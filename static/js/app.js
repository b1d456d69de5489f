// Starts what every page needs, then the script of this page.

import { deviceId } from './ids.js';
import * as device from './offline/device.js';
import * as fresh from './offline/fresh.js';
import * as kept from './offline/kept.js';
import { net } from './offline/net.js';
import * as overlay from './offline/overlay.js';
import { pageName, userId, who } from './offline/person.js';
import * as readlog from './offline/readlog.js';
import * as receipts from './offline/receipts.js';
import * as status from './offline/status.js';
import * as triggers from './offline/triggers.js';
import * as update from './offline/update.js';
import * as ui from './ui.js';
import { enter } from './vault/enter.js';
import * as idle from './vault/idle.js';
import * as relay from './vault/relay.js';
import * as when from './when.js';

/** Everybody is not always there yet. */
const list = () =>
  document.getElementById('panel') ? import('./plans/list.js') : import('./plans/later.js');

// Each exports start(document); it is called again when a fresher page was swapped in.
const SCRIPTS = {
  unlock: () => import('./vault/unlock_page.js'),
  offline: () => import('./offline/offline_page.js'),
  handover: () => import('./offline/handover.js'),
  today: list,
  patients: list,
  patient: () => import('./chart/patient.js'),
  'visit-form': () => import('./visits/form.js'),
  family: () => import('./family/home.js'),
  'family-bind': () => import('./family/bind.js'),
  revoked: () => import('./offline/revoked_page.js'),
  'order-new': () => import('./orders/new.js'),
  orders: () => import('./orders/list.js'),
  order: () => import('./orders/tracking.js'),
  desk: () => import('./orders/desk.js'),
  outbox: () => import('./offline/outbox_page.js'),
  me: () => import('./offline/me_page.js'),
};

// Without the script that handles them these would go past the phone's own store.
const HANDLED = 'form[data-op], [data-sign-out], form[action="/sign-out"], [data-confirm]';
const FIRST_RELEASE = 'nuanxun-pages';

async function start() {
  relay.startInPage(); // first of all: the worker may be waiting for the key to answer with
  // The page's own script, meanwhile: where a worker answers it comes from the phone.
  if (navigator.serviceWorker?.controller) SCRIPTS[pageName()]?.().catch(() => {});
  if (await update.orphaned()) {
    location.reload(); // the server says why
    return;
  }
  careMode();
  ui.start();
  document.addEventListener('click', signInOnTop);
  // A phone that is to be emptied does not begin anew.
  const worker = pageName() === 'revoked' ? null : update.start();
  await device.recall();
  const door = userId() ? await enter(who(), async () => Boolean(await worker)) : 'public';
  if (door === 'leaving') return;
  const store = door === 'open';
  if (store) await settleIn();
  else kept.follow();
  fresh.start(dress);
  document.addEventListener('visibilitychange', () => when.refresh()); // a page left open over midnight
  status.start({ store: store || door === 'public' });
  await dress();
  document.documentElement.dataset.ready = ''; // taps now do what the scripts say
  // On a dead line it takes a second to hear of the worker; whoever was answered by one has it.
  const pages = store && Boolean(navigator.serviceWorker?.controller || (await worker));
  const first = triggers.start({ pages });
  // What the worker fetched while this page was loading was announced before anybody listened.
  await fresh.offer({ unlessSameRev: true }).catch(() => {});
  if (!userId()) return;
  await first; // not before what somebody waits for
  whenIdle(() => hand().catch(() => {})); // without it links and forms still do as they do without script
}

const whenIdle = (work) =>
  window.requestIdleCallback ? requestIdleCallback(work, { timeout: 2000 }) : setTimeout(work, 200);

/** What is needed on a press or in a rare state. A page that has nothing of it does not wait for it. */
async function hand() {
  const found = await import('./hand.js');
  found.start();
  return found;
}

/** 请重新登录 opens a sheet over the page; without scripts it leads to the sign-in page. */
function signInOnTop(event) {
  const link = event.target.closest?.('a[href^="/sign-in"]');
  if (!link || !userId() || net.outcome !== 'signed_out') return;
  event.preventDefault();
  hand().then(
    ({ signInAgain }) => signInAgain(),
    () => location.assign(link.href),
  );
}

function needsHand() {
  if (net.outcome === 'signed_out' || new URLSearchParams(location.search).has('op')) return true;
  return Boolean(document.querySelector(HANDLED));
}

async function settleIn() {
  idle.start(userId());
  kept.follow(userId());
  await moveIn().catch((error) => console.error('first release', error)); // the next page asks again
  await receipts.knowDevice(userId()).catch(() => {});
}

/** What the first release kept here. A browser that cannot tell whether there is any has to look. */
async function moveIn() {
  const found = await indexedDB.databases?.();
  if (found && !found.some(({ name }) => name === FIRST_RELEASE)) return;
  const release = await import('./vault/first_release.js');
  await release.moveIn(userId());
}

/** Everything that belongs to the page before us, not to the frame around it. */
async function dress() {
  when.refresh();
  ui.dress();
  signIn();
  status.paint();
  readlog.see(pageName(), location.href).catch(() => {}); // no room for a line must not keep a page shut
  if (needsHand()) hand().catch(() => {}); // on its way while the page's own script starts
  const load = SCRIPTS[pageName()];
  if (load) {
    try {
      await (await load()).start?.(document);
    } catch (error) {
      console.error(`page ${pageName()}`, error);
    }
  }
  await overlay.run();
  when.refresh();
  if (needsHand()) {
    try {
      await (await hand()).dress();
    } catch (error) {
      console.error('hand', error);
    }
  }
}

function signIn() {
  // Records and codes from a QR code travel behind the #, and go on to where they are taken after signing in.
  const form = document.querySelector('[data-sign-in]');
  if (form && location.hash && /^\/(handover|family\/bind)/.test(form.elements.next.value))
    form.action = `${form.getAttribute('action')}${location.hash}`;
  if (pageName() === 'revoked') return;
  for (const field of document.querySelectorAll('[data-device-id]')) {
    field.value = deviceId();
    net.outcome = 'unknown'; // what is said about the session ends here
  }
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

start();
