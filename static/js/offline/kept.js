// Did the system clear away what this phone kept? A cookie is not storage and is not cleared with it, so it
// remembers for each person of this phone that there was something, and how much of it nobody else had.

import { listen } from './channel.js';
import * as outbox from './outbox.js';

const NAME = 'kept';
const DAYS_S = 400 * 86400;
const PEOPLE = 6; // a cookie travels with every request

/** Keep the notes true while a page is open; `user_id` is who has the phone open, if anybody has. */
export function follow(user_id = '') {
  const count = async () => {
    for (const id of new Set([user_id, ...read().keys()])) if (id) await noteOf(id, user_id === id);
  };
  listen((message) => {
    if (message.t === 'outbox') count().catch(() => {});
  });
  count().catch(() => {});
}

/** What waits for somebody who is not here is sent too, unless it was cleared away: then the note stands. */
async function noteOf(user_id, here) {
  const unsent = await unsentOf(user_id);
  const intact = here || (await outbox.getMeta(`device:${user_id}`));
  if (!intact) return;
  change((people) => {
    const known = people.get(user_id);
    if (!here && !known) return;
    people.delete(user_id); // the last one stands last, so that the first goes when there are too many
    if (here || !known.out || unsent) people.set(user_id, { unsent, out: !here && known.out });
  });
}

async function unsentOf(user_id) {
  const { waiting, needs } = await outbox.counts(user_id);
  return waiting + needs;
}

/** After 退出登录 only what waits sealed is still here. */
export async function signedOut(user_id) {
  const unsent = await unsentOf(user_id).catch(() => 0);
  change((people) => {
    people.delete(user_id);
    if (unsent) people.set(user_id, { unsent, out: true });
  });
}

/** Nothing is kept any more, and rightly so. The worker has no cookies of its own to change. */
export function forgetAll() {
  if (typeof document !== 'undefined') write('', 0);
  else globalThis.cookieStore?.delete(NAME).catch(() => {});
}

/**
 * What was lost, when this person's things should be here and are not.
 * @returns {Promise<{unsent: number} | null>} unsent: how many records nobody else had
 */
export async function missing(user_id) {
  const known = read().get(user_id);
  if (!known) return null;
  const unsent = Math.max(0, known.unsent - (await unsentOf(user_id).catch(() => 0)));
  return known.out && !unsent ? null : { unsent };
}

function change(how) {
  const people = read();
  const before = text(people);
  how(people);
  const after = text(new Map([...people].slice(-PEOPLE)));
  if (after !== before) write(after, after ? DAYS_S : 0);
}

function text(people) {
  return [...people].map(([id, { unsent, out }]) => `${id}.${unsent}${out ? '.out' : ''}`).join('~');
}

function write(words, seconds) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${NAME}=${words}; Max-Age=${seconds}; Path=/; SameSite=Strict${secure}`;
}

/** @returns {Map<string, {unsent: number, out: boolean}>} by user id */
function read() {
  const found = document.cookie.split('; ').find((part) => part.startsWith(`${NAME}=`));
  const people = new Map();
  for (const part of (found?.slice(NAME.length + 1) || '').split('~')) {
    const [id, unsent, out] = part.split('.');
    if (id) people.set(id, { unsent: Number(unsent) || 0, out: Boolean(out) });
  }
  return people;
}
