// The lock: who uses this phone now, and whether what it keeps for them can be read.
//
// The open data key lives in memory only, of pages and of the worker; they hand it to each other (relay.js).
// Whoever starts the browser anew finds it shut.

import * as crypt from './crypto.js';
import * as policy from './policy.js';
import * as rows from './rows.js';

const NOTE_EVERY_MS = 60000;
const WITHOUT_PIN = 'nuanxun store without pin';

let held = null; // {user_id, key}
let drops = 0; // a key that was asked for before a lock and comes after it is not taken
let askOthers = async () => null;

/** How a realm without the key asks the others for it; set by relay.js. */
export function askWith(ask) {
  askOthers = ask;
}

/** @returns {{user_id: string, key: CryptoKey} | null} what this realm holds, without asking anybody */
export function holding() {
  return held;
}

export function userId() {
  return held?.user_id;
}

export function adopt(given) {
  held = given?.key ? { user_id: given.user_id, key: given.key } : held;
  return held;
}

/** The open key, asked from the others where this realm has none. Null: locked. */
export async function open(asking = askOthers) {
  if (!held) {
    const before = drops;
    const given = await asking();
    if (drops === before) adopt(given);
  }
  if (held && !(await stands(held.user_id))) held = null;
  return held;
}

/** Whether there is still a store that this person's key belongs to. */
async function stands(user_id) {
  return !(await shutByTime(user_id)) && Boolean((await rows.person(user_id))?.wrapped);
}

/** Forget the key in this realm. */
export function drop() {
  held = null;
  drops += 1;
}

// ---- who ----

/** Whose phone it is at the moment: the person who opened it last, or who has just signed in. */
export function current() {
  return rows.getMeta('current');
}

/** Somebody signed in here and has no PIN yet, or another person's store is open. */
export async function arrive(who) {
  await rows.setMeta('arrived', who);
  if (who) await choose(who.user_id);
}

export function choose(user_id) {
  return rows.setMeta('current', user_id);
}

export function arrived() {
  return rows.getMeta('arrived');
}

/** Names of those who can unlock something here, for the sheet 换一个人. */
export async function others() {
  const now = await current();
  return (await rows.people()).filter((row) => row.user_id !== now && row.wrapped && !row.ended);
}

// ---- the states of one person's store ----

/**
 * @returns {Promise<'none' | 'locked' | 'ended' | 'without-pin'>} ended: the data key is gone (`row.ended` says
 *   why: tries, offline, signed_out), only signing in again makes a new one
 */
export async function state(user_id) {
  const row = await rows.person(user_id);
  if (!row) return 'none';
  await shutByTime(user_id);
  const now = await rows.person(user_id);
  if (now.ended) return 'ended';
  return now.without_pin ? 'without-pin' : 'locked';
}

export function row(user_id) {
  return rows.person(user_id);
}

/**
 * Make this person's store: a data key under their PIN. `pin` null is for browsers without a worker, where
 * every page would have to ask: the key then lies under the device key alone, and the page says so. A store
 * that was made without a PIN keeps its data key, and so what it holds.
 * @returns {Promise<object | null>} as holding(); null: another page was quicker, and its PIN counts
 */
export async function create(who, pin) {
  const device = await rows.deviceKey(crypt.newDeviceKey);
  const data = (await keyWithoutPin(who.user_id, device)) || (await crypt.newDataKey());
  const wrapping = pin === null ? await plainWrapping() : await pinWrapping(pin);
  const wrapped = await crypt.wrap(data, wrapping.kek, device);
  const fresh = {
    ...policy.DEFAULTS,
    ...who,
    ...wrapping.kept,
    ...policy.inTouch(Date.now()),
    wrapped,
    tries: 0,
    tried_at: 0,
  };
  const taken = (row) => row?.wrapped && (pin === null || !row.without_pin);
  const kept = await rows.changePerson(who.user_id, (row) => (taken(row) ? row : fresh));
  if (kept !== fresh) return null;
  await rows.setMeta('current', who.user_id);
  await rows.setMeta('arrived', null);
  held = { user_id: who.user_id, key: await crypt.unwrap(wrapped, wrapping.kek, device) };
  return held;
}

async function keyWithoutPin(user_id, device) {
  const row = await rows.person(user_id);
  if (!row?.without_pin) return null;
  return crypt.unwrap(row.wrapped, await crypt.secretKey(row.without_pin, WITHOUT_PIN), device, true);
}

async function pinWrapping(pin) {
  const salt = crypt.random(16);
  const iterations = await crypt.rounds();
  return { kek: await crypt.pinKey(pin, salt, iterations), kept: { salt, iterations } };
}

async function plainWrapping() {
  const secret = crypt.random(32);
  return { kek: await crypt.secretKey(secret, WITHOUT_PIN), kept: { without_pin: secret } };
}

/**
 * Try a PIN. The try is counted on the disk before it is judged, so that a killed page does not win one.
 * @returns {Promise<{ok?: true, wait_ms?: number, left?: number, ended?: string}>} left: tries that remain
 */
export async function unlock(user_id, pin) {
  const barred = await bar(user_id);
  if (barred) return barred;
  const now = Date.now();
  let counted = false; // in the same transaction as the looking: two tabs share the tries that are left
  const found = await rows.changePerson(user_id, (row) => {
    counted = Boolean(row?.wrapped) && row.tries < policy.TRIES && !policy.waitLeft(row, now);
    return counted ? { ...row, tries: row.tries + 1, tried_at: now } : row;
  });
  if (!counted) return bar(user_id);
  const kek = await crypt.pinKey(pin, found.salt, found.iterations);
  const key = await keyUnder(kek, found.wrapped);
  if (key) return opened(user_id, key);
  if (found.tries >= policy.TRIES) {
    await end(user_id, 'tries');
    return { ended: 'tries' };
  }
  return { left: policy.TRIES - found.tries, wait_ms: policy.waitAfter(found.tries) };
}

/**
 * What keeps even the right PIN out: nothing was tried.
 * @returns {Promise<{untried: true, ended?: string, wait_ms?: number, left?: number} | null>}
 */
export async function bar(user_id) {
  const shut = await shutByTime(user_id);
  if (shut) return { untried: true, ended: shut };
  const now = Date.now();
  let row = await rows.person(user_id);
  if (!row?.wrapped) return { untried: true, ended: row?.ended || 'none' };
  if (row.tries >= policy.TRIES) {
    // Counted, and the page was gone before it could be judged.
    await end(user_id, 'tries');
    return { untried: true, ended: 'tries' };
  }
  if (row.tried_at > now) {
    // The clock was moved back: the wait begins now, or it would last until the clock is there again.
    row = await rows.changePerson(user_id, (found) => found && { ...found, tried_at: now });
  }
  const wait_ms = policy.waitLeft(row, now);
  return wait_ms ? { untried: true, wait_ms, left: policy.TRIES - row.tries } : null;
}

/** Null: `kek` is the wrong one. A storage that fails throws: that is nobody's wrong try. */
async function keyUnder(kek, wrapped) {
  const device = await rows.deviceKey(crypt.newDeviceKey);
  return crypt.unwrap(wrapped, kek, device).catch(() => null);
}

async function opened(user_id, key) {
  await rows.changePerson(user_id, (row) => row && { ...row, tries: 0, tried_at: 0 });
  await rows.setMeta('current', user_id);
  await rows.setMeta('arrived', null);
  held = { user_id, key };
  return { ok: true };
}

/** Open a store that has no PIN (see create). */
export async function openWithoutPin(user_id) {
  const row = await rows.person(user_id);
  if (!row?.without_pin || (await shutByTime(user_id))) return null;
  const key = await keyUnder(await crypt.secretKey(row.without_pin, WITHOUT_PIN), row.wrapped);
  if (!key) return null;
  await opened(user_id, key);
  return held;
}

/** Wrap the data key once more, by `kek`, after the PIN was given again (fingerprint, new PIN). */
export async function wrapAgain(user_id, pin, kek) {
  const row = await rows.person(user_id);
  const device = await rows.deviceKey(crypt.newDeviceKey);
  const data = await crypt.unwrap(
    row.wrapped,
    await crypt.pinKey(pin, row.salt, row.iterations),
    device,
    true,
  );
  return crypt.wrap(data, kek, device);
}

/** A new PIN for the same store. Throws when `old` is wrong: ask unlock() first, it counts. */
export async function changePin(user_id, old, pin) {
  const wrapping = await pinWrapping(pin);
  const wrapped = await wrapAgain(user_id, old, wrapping.kek);
  await rows.changePerson(user_id, (row) => row && { ...row, ...wrapping.kept, wrapped });
}

/** Keep a second wrapping (or drop it with undefined) beside the PIN's. */
export function keepFingerprint(user_id, fingerprint) {
  return rows.changePerson(user_id, (row) => row && { ...row, fingerprint });
}

/** Throws when `kek` is not the one: a finger is not counted, and says nothing about the PIN. */
export async function unlockBySecret(user_id, kek) {
  const shut = await shutByTime(user_id);
  if (shut) return { untried: true, ended: shut };
  const key = await keyUnder(kek, (await rows.person(user_id)).fingerprint.wrapped);
  if (!key) throw new Locked('not this finger');
  return opened(user_id, key);
}

/** The data key goes, and with it everything readable here. What was sealed for the server stays. */
export async function end(user_id, why) {
  if (held?.user_id === user_id) held = null;
  await rows.changePerson(
    user_id,
    (row) => row && { user_id, name: row.name, username: row.username, role: row.role, ended: why },
  );
}

/** They may begin again with a new PIN: their old session was ended, so the password was asked for. */
export function allowAnew(user_id) {
  return rows.changePerson(user_id, (row) => row && { ...row, anew: true });
}

export function forget(user_id) {
  if (held?.user_id === user_id) held = null;
  return rows.changePerson(user_id, () => undefined);
}

// ---- time without the server ----

/** The server has answered this person's phone: note it, at most once a minute. */
export async function contact(user_id, learned = {}) {
  const row = await rows.person(user_id);
  if (!row?.wrapped) return;
  const now = Date.now();
  const fresh = Object.entries(learned).filter(([name, value]) => value && row[name] !== value);
  if (!fresh.length && !row.turned_back && now >= row.seen_at && now - row.contact_at < NOTE_EVERY_MS) return;
  await rows.changePerson(
    user_id,
    (found) =>
      found && {
        ...found,
        ...Object.fromEntries(fresh),
        ...policy.inTouch(now),
        contact_at: now,
      },
  );
}

/**
 * Age the store. Too long without its server ends it; a clock that was turned back keeps it shut.
 * @returns {Promise<string | null>} why it is shut: offline, clock
 */
export async function shutByTime(user_id, now = Date.now()) {
  const row = await rows.person(user_id);
  if (!row?.wrapped) return null;
  const grown = (found) => (found?.wrapped ? { ...found, ...policy.aged(found, now) } : found);
  let age = grown(row);
  const moved = age.turned_back !== row.turned_back || Math.abs(age.seen_at - row.seen_at) >= NOTE_EVERY_MS;
  if (moved) age = await rows.changePerson(user_id, grown); // anew: the server may just have answered elsewhere
  if (!age?.wrapped) return null;
  if (policy.outOfTouch(age)) {
    await end(user_id, 'offline');
    return 'offline';
  }
  return age.turned_back ? 'clock' : null;
}

// ---- reading and writing with the open key ----

export class Locked extends Error {
  name = 'LockedError';
}

export async function encrypt(value, bound) {
  const mine = held || (await open());
  if (!mine) throw new Locked('locked');
  return crypt.encrypt(mine.key, value, `${mine.user_id}|${bound}`);
}

export async function decrypt(box, bound) {
  const mine = held || (await open());
  if (!mine) throw new Locked('locked');
  return crypt.decrypt(mine.key, box, `${mine.user_id}|${bound}`);
}
