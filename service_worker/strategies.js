// Where an answer comes from. Shell: the cache. Locked: the unlock page, whatever was asked for. Packed pages:
// the phone at once, refreshed behind the reader's back. Other pages: the network if it answers in time, then
// the phone, then the offline page.

import { post } from '/static/js/offline/channel.js';
import { ask, json } from '/static/js/offline/net.js';
import * as pages from '/static/js/offline/pages.js';
import { wipe } from '/static/js/offline/wipe.js';
import * as vault from '/static/js/vault/vault.js';
import { pageResponse } from '/sw/headers.js';
import { fromShell } from '/sw/shell.js';

const RACE_MS = 2500; // then the phone's page, or one that says so and waits for the real one
const LATE_MS = 60000; // how long a page that came after that is held for the one that waits for it
const SIGNING_MS = 30000;
const HOMES = ['/today', '/family', '/orders', '/desk', '/outbox'];
const DOORS = /^\/(?:offline|sign-in(?:\/.*)?)$/; // name nobody, so they are not behind the lock

// Somebody is signing in or out: until the network has said who reads now, nothing stored is shown first.
// The redirects after the form's POST come through here, and the pages may be another person's.
let signingUntil = 0;

// Pages that came too late, by address, each shown once. Not every page may be kept on the phone: without this
// a slow server would be asked again and again for one that nobody ever sees.
const late = new Map();

/** A promise of the answer, or undefined to let the browser do as if there were no worker. */
export function answer(event) {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return undefined;
  if (request.method !== 'GET') {
    if (/^\/sign-(?:in|out)(?:\/|$)/.test(url.pathname)) {
      signingUntil = Date.now() + SIGNING_MS;
      late.clear();
    }
    return undefined;
  }
  if (url.pathname.startsWith('/static/') || url.pathname === '/manifest.json')
    return shellFirst(request, url);
  if (url.pathname.startsWith('/api/') || url.pathname.startsWith('/sw')) return undefined;
  return wantsPage(request) ? page(event, url) : undefined;
}

/** A whole page: a navigation, or a boosted link, which htmx fetches. Never a fragment. */
function wantsPage(request) {
  return request.mode === 'navigate' || request.headers.get('HX-Boosted') === 'true';
}

async function shellFirst(request, url) {
  return (await fromShell(url.pathname)) || fetch(request);
}

async function page(event, url) {
  if (url.pathname === '/unlock') return pageResponse(await shellPage('/unlock'));
  if (Date.now() < signingUntil) return networkOnly(event, url);
  if (DOORS.test(url.pathname)) return networkFirst(event, url, {});
  const held = await open();
  if (!held && (await shut())) return unlockPage(event, url);
  const { meta, local } = await read(url);
  if (url.pathname === '/' && meta) {
    const home = HOMES.find((path) => path in meta.revs);
    if (home) return Response.redirect(home, 302);
  }
  if (local?.packed && Date.now() < meta.expires_at) {
    event.waitUntil(refresh(local, held.user_id));
    return pageResponse(local.html);
  }
  return networkFirst(event, url, { user: held?.user_id, meta, local });
}

/** The key, from the pages if this worker was just started. A lock that fails must not shut out the network. */
function open() {
  return vault.open().catch(() => null);
}

/** Whether something of the person who uses this phone lies here locked. */
async function shut() {
  try {
    const user_id = await vault.current();
    const state = user_id ? await vault.state(user_id) : 'none';
    return state === 'locked' || (state === 'ended' && !(await vault.row(user_id)).anew);
  } catch {
    return false;
  }
}

/** A session that is still good is no PIN: a wrong password on the sign-in page must not lead past the lock. */
async function lockedFor(user_id) {
  try {
    if ((await open())?.user_id === user_id || (await vault.state(user_id)) !== 'locked') return false;
    await vault.arrive(null);
    await vault.choose(user_id);
    return true;
  } catch {
    return false;
  }
}

function toUnlock(url) {
  return Response.redirect(`/unlock?next=${encodeURIComponent(url.pathname + url.search)}`, 302);
}

/** Under the address that was asked for, so that unlocking goes on there. */
async function unlockPage(event, url) {
  if (event.request.mode !== 'navigate') {
    return new Response('', { status: 200, headers: { 'HX-Redirect': url.pathname + url.search } });
  }
  return pageResponse(await shellPage('/unlock'));
}

/** What the phone has for this address. A store that fails must not keep anybody from the network. */
async function read(url) {
  try {
    const meta = await pages.meta();
    return { meta, local: meta && (await pages.get(url.href)) };
  } catch {
    return {};
  }
}

async function networkOnly(event, url) {
  try {
    const response = await fetch(event.request);
    if (!mark(response)) return response;
    signingUntil = 0;
    if (await lockedFor(mark(response))) return toUnlock(url);
    await holdForNewcomer(url, response);
    return response;
  } catch {
    signingUntil = 0; // nobody can have signed in without a network
    post({ t: 'net', outcome: 'unreachable' });
    return pageResponse(await shellPage('/offline'));
  }
}

/** Who is new on this phone sets a PIN before the page is theirs to read: it need not come twice. */
async function holdForNewcomer(url, response) {
  const user = mark(response);
  if (!theirs(response, user) || (await vault.state(user).catch(() => '')) !== 'none') return;
  late.set(url.href, { response: response.clone(), user, until: Date.now() + LATE_MS });
}

/** @param {{user?: string, meta?: object, local?: object}} known whose phone it is, and what it has */
async function networkFirst(event, url, { user, meta, local }) {
  const key = pages.pageKey(url.href);
  const first =
    takeLate(url, user) || (await inTime(event, (coming) => lateComer(coming, url, key, user, local)));
  if (first) {
    const ours = isOurs(first);
    post({ t: 'net', outcome: ours ? 'ok' : 'unreachable' });
    if (ours && first.status === 401) event.waitUntil(heedRevocation());
    if (local && (first.status >= 500 || !ours)) return pageResponse(local.html); // a gateway, a portal
    if (user && mark(first) && mark(first) !== user) return askWhoItIs(url);
    if (meta) event.waitUntil(keep(first.clone(), key, user, local).catch(() => {}));
    return first;
  }
  post({ t: 'net', outcome: 'unreachable' });
  return pageResponse((local || (await withoutQuery(url, meta)))?.html || (await shellPage('/offline')));
}

/** What the network answers before its time is over, else undefined; what it answers then goes to `after`. */
async function inTime(event, after) {
  // The request itself, untouched: {signal} or new headers would change the mode of a navigation.
  const coming = fetch(event.request);
  const timeIsOver = Symbol('time is over');
  const clock = new Promise((tick) => setTimeout(tick, RACE_MS, timeIsOver));
  const first = await Promise.race([coming.catch(() => undefined), clock]);
  if (first !== timeIsOver) return first;
  event.waitUntil(coming.then(after).catch(() => {}));
  return undefined;
}

/** The phone's own page stands there by now, or the offline page, which asks for this one as soon as it hears. */
async function lateComer(response, url, key, user, local) {
  if (!isOurs(response)) return;
  if (local) {
    await keep(response, key, user, local);
    return;
  }
  late.set(url.href, { response, user, until: Date.now() + LATE_MS });
  post({ t: 'net', outcome: 'ok' });
  post({ t: 'page', url: key });
}

function takeLate(url, user) {
  const found = late.get(url.href);
  late.delete(url.href);
  return found?.user === user && Date.now() < found?.until ? found.response : undefined;
}

/** Not a portal's page and not a gateway's: only our server names its requests. */
function isOurs(response) {
  return response.type === 'opaqueredirect' || response.headers.has('X-Request-Id');
}

/** A page was refused. Its own script empties a phone that was reported lost; it may not get so far. */
async function heedRevocation() {
  const response = await ask('/api/auth/me').catch(() => undefined);
  if (response?.status === 401 && (await json(response))?.code === 'device_revoked') await wipe();
}

/** The phone is open for one person and the server answers another: nobody is shown the wrong one's page. */
function askWhoItIs(url) {
  post({ t: 'net', outcome: 'signed_out' });
  return Response.redirect(`/sign-in?next=${encodeURIComponent(url.pathname + url.search)}`, 302);
}

/** /today?grade=red is the packed list with a filter its own script applies. */
async function withoutQuery(url, meta) {
  return url.search && meta && url.pathname in meta.revs ? pages.get(url.pathname) : undefined;
}

async function shellPage(path) {
  const kept = await fromShell(path);
  return kept
    ? kept.text()
    : '<!doctype html><meta charset="utf-8"><title>暖巡</title><p>现在没有网，这一页没有存在手机上。';
}

/** Ask again for a page that was shown from the phone, and say what came of it. */
async function refresh(local, user) {
  let response;
  try {
    response = await fetch(local.url, {
      headers: { Accept: 'text/html', 'X-Sync': '1' },
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'manual',
    });
  } catch {
    post({ t: 'net', outcome: 'unreachable' });
    return;
  }
  if (response.status === 401) {
    const revoked = (await json(response))?.code === 'device_revoked';
    post({ t: 'net', outcome: revoked ? 'revoked' : 'signed_out' });
    if (revoked) await wipe();
    return;
  }
  const whose = mark(response);
  if (response.ok && whose && whose !== user) {
    post({ t: 'net', outcome: 'signed_out' }); // another person's session: this one's has ended
    return;
  }
  if (whose) {
    post({ t: 'net', outcome: 'ok' });
    await vault.contact(user);
  }
  await keep(response, local.url, user, local);
}

/** Our own mark: a login page, a portal's page or an operator's advertisement does not carry it. */
function mark(response) {
  return response.headers.get('X-Page-User');
}

/** This person's own page, and nothing that only looks so. */
function theirs(response, user) {
  return (
    response.ok &&
    response.type === 'basic' &&
    !response.redirected &&
    (response.headers.get('Content-Type') || '').startsWith('text/html') &&
    mark(response) === user
  );
}

/** May it be kept? The server names the version of what is whole. */
function acceptable(response, user) {
  return theirs(response, user) && Boolean(response.headers.get('X-Page-Rev'));
}

async function keep(response, key, user, local) {
  if (!acceptable(response, user)) return;
  const rev = response.headers.get('X-Page-Rev');
  const html = await response.text();
  if (local && local.html === html && local.rev === rev) return;
  await pages.put(key, { rev, html });
  if (local && local.html !== html) post({ t: 'page', url: key });
}
