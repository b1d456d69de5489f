// Where an answer comes from. Shell: the cache. Locked: the unlock page, whatever was asked for. Packed pages:
// the phone at once, refreshed behind the reader's back. Other pages: the network if it answers in time, then
// the phone, then the offline page.

import { post } from '/static/js/offline/channel.js';
import { json } from '/static/js/offline/net.js';
import * as pages from '/static/js/offline/pages.js';
import { wipe } from '/static/js/offline/wipe.js';
import * as vault from '/static/js/vault/vault.js';
import { pageResponse } from '/sw/headers.js';
import { fromShell } from '/sw/shell.js';

const RACE_MS = 2500; // then the phone's page, or one that says so and waits for the real one
const SIGNING_MS = 30000;
const HOMES = ['/today', '/family', '/orders', '/desk', '/outbox'];
const DOORS = /^\/(?:offline|sign-in(?:\/.*)?)$/; // name nobody, so they are not behind the lock

// Somebody is signing in or out: until the network has said who reads now, nothing stored is shown first.
// The redirects after the form's POST come through here, and the pages may be another person's.
let signingUntil = 0;

/** A promise of the answer, or undefined to let the browser do as if there were no worker. */
export function answer(event) {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return undefined;
  if (request.method !== 'GET') {
    if (/^\/sign-(?:in|out)(?:\/|$)/.test(url.pathname)) signingUntil = Date.now() + SIGNING_MS;
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
  if (Date.now() < signingUntil) return networkOnly(event);
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

async function networkOnly(event) {
  try {
    const response = await fetch(event.request);
    if (mark(response)) signingUntil = 0;
    return response;
  } catch {
    signingUntil = 0; // nobody can have signed in without a network
    post({ t: 'net', outcome: 'unreachable' });
    return pageResponse(await shellPage('/offline'));
  }
}

/** @param {{user?: string, meta?: object, local?: object}} known whose phone it is, and what it has */
async function networkFirst(event, url, { user, meta, local }) {
  // The request itself, untouched: {signal} or new headers would change the mode of a navigation.
  const coming = fetch(event.request);
  const late = Symbol('late');
  const clock = new Promise((tick) => setTimeout(tick, RACE_MS, late));
  const first = await Promise.race([coming.catch(() => null), clock]);
  if (first && first !== late) {
    const ours = first.type === 'opaqueredirect' || first.headers.has('X-Request-Id');
    post({ t: 'net', outcome: ours ? 'ok' : 'unreachable' });
    if (local && (first.status >= 500 || !ours)) return pageResponse(local.html); // a gateway, a portal
    if (user && mark(first) && mark(first) !== user) return askWhoItIs(url);
    if (meta) event.waitUntil(keep(first.clone(), pages.pageKey(url.href), user, local).catch(() => {}));
    return first;
  }
  if (first === late && meta) {
    const store = (response) => keep(response, pages.pageKey(url.href), user, local);
    event.waitUntil(coming.then(store).catch(() => {}));
  }
  post({ t: 'net', outcome: 'unreachable' });
  return pageResponse((local || (await withoutQuery(url, meta)))?.html || (await shellPage('/offline')));
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

function acceptable(response, user) {
  return (
    response.ok &&
    response.type === 'basic' &&
    !response.redirected &&
    (response.headers.get('Content-Type') || '').startsWith('text/html') &&
    mark(response) === user &&
    Boolean(response.headers.get('X-Page-Rev'))
  );
}

async function keep(response, key, user, local) {
  if (!acceptable(response, user)) return;
  const rev = response.headers.get('X-Page-Rev');
  const html = await response.text();
  if (local && local.html === html && local.rev === rev) return;
  await pages.put(key, { rev, html });
  if (local && local.html !== html) post({ t: 'page', url: key });
}
