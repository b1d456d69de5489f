// The visit pack: the pages this person needs without a network, fetched as one stream.

import * as vault from '../vault/vault.js';
import { post } from './channel.js';
import { digest } from './digest.js';
import { alone } from './lock.js';
import { json, outcomeOf, report } from './net.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';

const STALL_MS = 30000; // nothing at all for so long: the line is dead

/**
 * Bring the stored pages up to date: what changed since last time, everything the first time.
 *
 * All of a pack is stored in one transaction at its end, or nothing of it.
 * @param {{user_id: string, onProgress?: (done: number, total: number) => void, max_age_ms?: number,
 *   fetch?: typeof fetch}} options with max_age_ms a younger pack is left as it is
 * @returns {Promise<{outcome: string, changed?: string[], gone?: string[]}>} outcome: fresh, current,
 *   unreachable, signed_out, revoked, busy, other_user, cut, wrong
 */
export async function refresh(options) {
  const result = await alone('pack', () => run(options));
  return result || { outcome: 'busy' };
}

async function run({ user_id, onProgress = () => {}, max_age_ms = 0, fetch = globalThis.fetch }) {
  let known = await pages.meta();
  if (known && known.user !== user_id) {
    await pages.clear();
    known = undefined;
  }
  const age = known ? Date.now() - known.fetched_at : Infinity;
  if (age >= 0 && age < max_age_ms) return { outcome: 'current' };
  let result = await load(user_id, known, onProgress, fetch);
  if (result.outcome === 'cursor_unknown' || result.outcome === 'differs') {
    post({ t: 'pack', state: 'again' });
    result = await load(user_id, undefined, onProgress, fetch);
    if (result.outcome === 'cursor_unknown' || result.outcome === 'differs') result = { outcome: 'wrong' };
  }
  if (result.outcome === 'fresh') {
    report('ok');
    post({ t: 'pages', changed: result.changed, gone: result.gone });
  } else if (['unreachable', 'cut', 'signed_out', 'revoked', 'busy'].includes(result.outcome)) {
    report(result.outcome === 'cut' ? 'unreachable' : result.outcome);
  }
  post({ t: 'pack', state: result.outcome });
  return result;
}

async function load(user_id, known, onProgress, fetch) {
  const started_at = Date.now();
  const stall = stallGuard();
  try {
    const response = await fetch(`/api/pack?cursor=${encodeURIComponent(known?.cursor || '')}`, {
      headers: { Accept: 'application/x-ndjson', 'X-Sync': '1' },
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: stall.signal,
    });
    const type = response.headers.get('Content-Type') || '';
    if (response.status !== 200 || !type.startsWith('application/x-ndjson')) {
      const body = await json(response);
      if (response.status === 410 && body?.code === 'cursor_unknown') return { outcome: 'cursor_unknown' };
      const outcome = outcomeOf(response, body);
      return { outcome: outcome === 'ok' ? 'busy' : outcome };
    }
    const got = await collect(response, user_id, stall, onProgress);
    if (got.outcome !== 'complete') return got;
    return await keep(got, known, started_at);
  } catch {
    return { outcome: 'unreachable' };
  } finally {
    stall.end();
  }
}

/** Aborts a request on which nothing moves. */
function stallGuard() {
  const stop = new AbortController();
  let timer = 0;
  const moved = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), STALL_MS);
  };
  moved();
  return { signal: stop.signal, moved, end: () => clearTimeout(timer) };
}

async function collect(response, user_id, stall, onProgress) {
  let head;
  let end;
  const list = [];
  const gone = [];
  for await (const line of lines(response.body, stall.moved)) {
    const item = JSON.parse(line);
    if (!head) {
      if (item.t !== 'pack') return { outcome: 'cut' };
      if (item.user !== user_id) return { outcome: 'other_user' };
      head = item;
      onProgress(0, head.total || 0);
    } else if (item.t === 'page') {
      list.push({ url: item.url, rev: item.rev, html: item.html });
      onProgress(list.length, Math.max(head.total || 0, list.length));
    } else if (item.t === 'gone') {
      gone.push(item.url);
    } else if (item.t === 'end') {
      end = item;
    }
  }
  return head && end ? { outcome: 'complete', head, end, list, gone } : { outcome: 'cut' };
}

async function* lines(body, moved) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    moved();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const parts = rest.split('\n');
    rest = parts.pop();
    for (const part of parts) if (part) yield part;
    if (done) break;
  }
  if (rest) yield rest;
}

async function keep({ head, end, list, gone }, known, started_at) {
  const revs = known ? { ...known.revs } : {};
  for (const url of gone) delete revs[url];
  for (const { url, rev } of list) revs[url] = rev;
  if (Object.keys(revs).length !== end.count || (await digest(revs)) !== end.digest)
    return { outcome: 'differs' };
  await outbox.learnSealKey(head.seal);
  await vault.contact(head.user, head.policy).catch(() => {});
  const about = {
    user: head.user,
    cursor: end.cursor,
    build: head.build,
    epoch: head.epoch,
    expires_at: Date.parse(head.expires_at),
    started_at,
    fetched_at: Date.now(),
    revs,
  };
  if (known) await pages.applyChanges(list, gone, about);
  else await pages.replaceAll(list, about);
  return { outcome: 'fresh', changed: list.map((p) => p.url), gone };
}
