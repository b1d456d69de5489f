// Are we connected? Judged by what really came back, not by navigator.onLine, which says yes in a cellar.

import { listen, post } from './channel.js';

// ok: our server answered. unreachable: nothing, or somebody else (a portal, a gateway) answered.
// signed_out, revoked: our server answered, but not to this person. busy: it asked us to wait.
export const net = { outcome: remembered() };

/** What the page before this one knew: a cellar does not end where a page does. */
function remembered() {
  try {
    return sessionStorage.getItem('nx-net') || 'unknown';
  } catch {
    return 'unknown';
  }
}

function note(outcome) {
  net.outcome = outcome;
  try {
    sessionStorage.setItem('nx-net', outcome);
  } catch {
    // the worker has none, and needs none
  }
}

let atRevoked = () => {};

/** What to do when this realm itself is told that the phone was reported lost. */
export function whenRevoked(run) {
  atRevoked = run;
}

export function report(outcome) {
  note(outcome);
  post({ t: 'net', outcome });
  if (outcome === 'revoked') atRevoked();
}

export function online() {
  return net.outcome !== 'unreachable' && globalThis.navigator?.onLine !== false;
}

listen((message) => {
  if (message?.t === 'net') note(message.outcome);
});

/**
 * A request to our own server that ends, one way or the other. Throws when nothing came back in time: in
 * `timeout_ms`, or when whoever gave the `signal` says so.
 */
export async function ask(path, { timeout_ms = 15000, signal, fetch = globalThis.fetch, ...options } = {}) {
  const stop = new AbortController();
  const timer = signal ? 0 : setTimeout(() => stop.abort(), timeout_ms);
  try {
    return await fetch(path, {
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      ...options,
      signal: signal || stop.signal,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** End this phone's session on the server. @returns {Promise<boolean>} true once the server knows of none */
export async function sessionEnded() {
  try {
    const headers = { 'Content-Type': 'application/json' };
    const response = await ask('/api/auth/logout', { method: 'POST', headers, body: '{}' });
    return response.status === 204 || (response.status === 401 && Boolean(await json(response)));
  } catch {
    return false;
  }
}

/** The JSON of our own server's answer; undefined for a portal's page, a gateway's words, a cut line. */
export async function json(response) {
  const type = response.headers.get('Content-Type') || '';
  if (!/^application\/(problem\+)?json\b/.test(type)) return undefined;
  try {
    const body = await response.json();
    return body && typeof body === 'object' ? body : undefined;
  } catch {
    return undefined;
  }
}

/** What an answer says about the connection. `body` as from json(). */
export function outcomeOf(response, body) {
  if (!body) return 'unreachable';
  if (response.status === 401) return body.code === 'device_revoked' ? 'revoked' : 'signed_out';
  if (response.status === 429 || response.status === 503) return 'busy';
  return 'ok';
}

/** Seconds or a date → milliseconds to wait; null when the answer names none. */
export function retryAfter(response, now = Date.now()) {
  const value = response.headers.get('Retry-After');
  if (!value) return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3600000) : null;
}
