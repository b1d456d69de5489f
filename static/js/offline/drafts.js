// What is typed and not yet saved. A killed browser costs at most two seconds of it.

import { beforeLock } from '../vault/idle.js';
import { restore, snapshot } from './fields.js';
import { online } from './net.js';
import { icon } from './notice.js';
import * as pages from './pages.js';
import { userId } from './person.js';

const EVERY_MS = 2000;

const keyOf = (name) => `${userId()}|${name}`;

/** @param {string} name one draft per form and patient, e.g. "hypertension|<patient id>" */
export async function load(name) {
  return (await pages.getDraft(keyOf(name)))?.values;
}

export function save(name, values) {
  return pages.putDraft({ key: keyOf(name), values, saved_at: Date.now() });
}

export function clear(name) {
  return pages.removeDraft(keyOf(name));
}

/** Names of all drafts of this person. */
export async function names() {
  const mine = keyOf('');
  return (await pages.draftKeys()).filter((key) => key.startsWith(mine)).map((key) => key.slice(mine.length));
}

/**
 * Keep a form's text while it is typed, and put it back when the form is opened again.
 *
 * @param {HTMLFormElement} form
 * @param {string} name as for load()
 * @param {{collect?: (form: HTMLFormElement) => any, apply?: (form: HTMLFormElement, values: any) => void, typing?: boolean}}
 *   [how] for forms with rows that come and go; `typing`: somebody has begun already, nothing is put back
 * @returns {Promise<{restored: boolean, flush: () => Promise<void>, stop: () => Promise<void>}>} flush saves
 *   at once; stop forgets the draft (the record is in the outbox now)
 */
export async function watch(form, name, { collect = snapshot, apply = restore, typing = false } = {}) {
  let dirty = typing;
  let stopped = false;
  const kept = typing ? undefined : await load(name).catch(() => undefined);
  if (kept) apply(form, kept);

  const flush = async () => {
    if (!form.isConnected) quiet(); // a fresher page stands here
    if (!dirty || stopped) return;
    dirty = false;
    try {
      await save(name, collect(form));
      window.dispatchEvent(new CustomEvent('nx-draft', { detail: { name } }));
    } catch {
      dirty = true; // the next turn tries again
    }
  };
  // On the document: a field may belong to a form from outside of it.
  const own = (event) => event.target === form || event.target.form === form;
  const change = (event) => {
    if (own(event)) dirty = true;
  };
  const left = (event) => {
    if (own(event)) flush();
  };
  const leave = () => {
    if (document.visibilityState === 'hidden') flush();
  };
  const timer = setInterval(flush, EVERY_MS);
  document.addEventListener('input', change);
  document.addEventListener('change', change);
  document.addEventListener('focusout', left);
  document.addEventListener('visibilitychange', leave);
  window.addEventListener('pagehide', flush);
  const unlocked = beforeLock(flush);
  const quiet = () => {
    stopped = true;
    clearInterval(timer);
    unlocked();
    for (const name of ['input', 'change']) document.removeEventListener(name, change);
    document.removeEventListener('focusout', left);
    document.removeEventListener('visibilitychange', leave);
    window.removeEventListener('pagehide', flush);
  };

  return {
    restored: Boolean(kept),
    flush,
    async stop() {
      quiet();
      await clear(name);
    },
  };
}

/**
 * Say that typed text was put back, with a way to be rid of it.
 * @param {HTMLElement} place where it is said, as the first thing
 * @param {{stop: () => Promise<void>, form: HTMLFormElement}} what
 */
export function announce(place, { form, stop }) {
  const box = Object.assign(document.createElement('div'), {
    className: 'message info boxed acts draft-says',
  });
  box.setAttribute('role', 'status');
  const words = Object.assign(document.createElement('span'), { textContent: '已恢复草稿' });
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    className: 'btn text low right',
    textContent: '清空',
  });
  button.addEventListener('click', async () => {
    await stop();
    box.remove();
    // The page as it comes, script and all; where it cannot come again, at least the fields as they were.
    const again = online() || (await pages.get(location.href).catch(() => undefined));
    if (again) location.reload();
    else form.reset();
  });
  box.append(icon('pencil'), words, button);
  place.prepend(box);
}
