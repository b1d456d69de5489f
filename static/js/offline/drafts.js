// What is typed and not yet saved. A killed browser costs at most two seconds of it.

import { beforeLock } from '../vault/idle.js';
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

/**
 * Keep a form's text while it is typed, and put it back when the form is opened again.
 *
 * @param {HTMLFormElement} form
 * @param {string} name as for load()
 * @param {{collect?: (form: HTMLFormElement) => any, apply?: (form: HTMLFormElement, values: any) => void}}
 *   [how] for forms with rows that come and go
 * @returns {Promise<{restored: boolean, flush: () => Promise<void>, stop: () => Promise<void>}>} flush saves
 *   at once; stop forgets the draft (the record is in the outbox now)
 */
export async function watch(form, name, { collect = snapshot, apply = restore } = {}) {
  let dirty = false;
  let stopped = false;
  const kept = await load(name).catch(() => undefined);
  if (kept) apply(form, kept);

  const flush = async () => {
    if (!dirty || stopped) return;
    dirty = false;
    try {
      await save(name, collect(form));
      window.dispatchEvent(new CustomEvent('nx-draft', { detail: { name } }));
    } catch {
      dirty = true; // the next turn tries again
    }
  };
  const change = () => {
    dirty = true;
  };
  const leave = () => {
    if (document.visibilityState === 'hidden') flush();
  };
  const timer = setInterval(flush, EVERY_MS);
  form.addEventListener('input', change);
  form.addEventListener('change', change);
  form.addEventListener('focusout', flush);
  document.addEventListener('visibilitychange', leave);
  window.addEventListener('pagehide', flush);
  const unlocked = beforeLock(flush);

  return {
    restored: Boolean(kept),
    flush,
    async stop() {
      stopped = true;
      clearInterval(timer);
      unlocked();
      document.removeEventListener('visibilitychange', leave);
      window.removeEventListener('pagehide', flush);
      await clear(name);
    },
  };
}

/** [[name, value, checked?], …] of everything with a name, in order. */
export function snapshot(form) {
  const values = [];
  for (const field of form.elements) {
    if (!field.name || field.type === 'hidden' || field.type === 'submit' || field.type === 'password')
      continue;
    if (field.type === 'checkbox' || field.type === 'radio')
      values.push([field.name, field.value, field.checked]);
    else values.push([field.name, field.value]);
  }
  return values;
}

export function restore(form, values) {
  const places = new Map();
  for (const [name, value, checked] of values) {
    const fields = [...form.elements].filter((f) => f.name === name);
    if (checked === undefined) {
      const place = places.get(name) || 0;
      places.set(name, place + 1);
      if (fields[place]) fields[place].value = value;
    } else {
      const field = fields.find((f) => f.value === value);
      if (field) field.checked = checked;
    }
  }
  form.dispatchEvent(new Event('input', { bubbles: true }));
}
