// What the server says to whoever greets it: who is signed in, its newest key, the rules of the lock, its epoch.

import * as vault from '../vault/vault.js';
import { ask, json, outcomeOf, report, retryAfter } from './net.js';
import * as outbox from './outbox.js';
import { unlessFull } from './room.js';

const LAST = 'greeted'; // {user_id, limits}, as it was last time

/** @returns {Promise<{me?: object, outcome: string, retry_ms?: number | null}>} me: only when outcome is ok */
export async function greet(fetch) {
  try {
    const response = await ask('/api/auth/me', { fetch });
    const me = await json(response);
    const outcome = outcomeOf(response, me);
    if (outcome === 'ok' && me.user?.id) return { me, outcome };
    return { outcome: outcome === 'ok' ? 'unreachable' : outcome, retry_ms: retryAfter(response) };
  } catch {
    return { outcome: 'unreachable', retry_ms: null };
  }
}

/**
 * Whose session this most likely is, and what the server takes at once, before it says so: whoever it greeted
 * last, if they have the phone open here. Nobody else is asked for the key as long as the server is silent: a
 * page that slept through a lock would hand it out.
 * @returns {Promise<{user_id: string, limits: object} | undefined>}
 */
export async function expected() {
  const last = await outbox.getMeta(LAST);
  return last && last.user_id === vault.userId() ? last : undefined;
}

/** Nobody is signed in any more: until somebody is, nothing is sent in their name only to be refused. */
export async function expectNobody() {
  if (await outbox.getMeta(LAST)) await unlessFull(() => outbox.setMeta(LAST, null));
}

/** @returns {Promise<boolean>} whether what was confirmed before has to be sent again */
export async function heed(me) {
  // Somebody else's session: what waits for them goes, but whoever has the phone open must sign in again.
  report(!vault.userId() || vault.userId() === me.user.id ? 'ok' : 'signed_out');
  const { username, name } = me.user;
  await vault.contact(me.user.id, { username, name, ...me.policy }).catch(() => {}); // no lock kept here
  await vault.open();
  return unlessFull(async () => {
    await remember(me);
    await outbox.learnSealKey(me.seal);
    if (vault.userId() === me.user.id) await outbox.protect(me.user.id);
    return heedEpoch(me);
  }, false);
}

async function remember({ user, limits }) {
  const now = { user_id: user.id, limits };
  const last = await outbox.getMeta(LAST);
  if (JSON.stringify(last) !== JSON.stringify(now)) await outbox.setMeta(LAST, now);
}

/** A new epoch: the server came back from a backup, so its confirmations may be gone. */
async function heedEpoch({ user, epoch }) {
  if (!epoch) return false;
  const key = `epoch:${user.id}`;
  const known = await outbox.getMeta(key);
  if (known === epoch) return false;
  if (known) await outbox.requeueDone(user.id);
  await outbox.setMeta(key, epoch);
  return Boolean(known);
}
