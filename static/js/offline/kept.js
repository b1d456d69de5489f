// Did the system clear away what this phone kept? A cookie is not storage and is not cleared with it, so it
// remembers that there was something, and how much of it nobody else had.

import { listen } from './channel.js';
import * as outbox from './outbox.js';

const NAME = 'kept';
const DAYS_S = 90 * 86400;

function note(user_id, unsent) {
  const words = `${NAME}=${user_id}.${unsent}`;
  if (read()?.text !== `${user_id}.${unsent}`) {
    document.cookie = `${words}; Max-Age=${DAYS_S}; Path=/; SameSite=Strict${secure()}`;
  }
}

/** Keep the note true while a page is open. */
export function follow(user_id) {
  const count = async () => {
    const { waiting, needs } = await outbox.counts(user_id);
    note(user_id, waiting + needs);
  };
  listen((message) => {
    if (message.t === 'outbox') count().catch(() => {});
  });
  count().catch(() => {});
}

/** Nothing is kept any more, and rightly so. */
export function forget() {
  document.cookie = `${NAME}=; Max-Age=0; Path=/; SameSite=Strict${secure()}`;
}

/** @returns {{unsent: number} | null} what was lost, when this person's things should be here and are not */
export function missing(user_id) {
  const known = read();
  return known?.user_id === user_id ? { unsent: known.unsent } : null;
}

function read() {
  const found = document.cookie.split('; ').find((part) => part.startsWith(`${NAME}=`));
  const text = found?.slice(NAME.length + 1);
  const [user_id, unsent] = text?.split('.') || [];
  return user_id ? { text, user_id, unsent: Number(unsent) || 0 } : null;
}

function secure() {
  return location.protocol === 'https:' ? '; Secure' : '';
}
