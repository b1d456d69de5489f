// One order: its next step, cancelling, confirming with a word about it, and what is only on this phone.

import { icon } from '../offline/notice.js';
import * as opforms from '../offline/opforms.js';
import * as outbox from '../offline/outbox.js';
import * as overlay from '../offline/overlay.js';
import { daysBetween, isoDay } from '../when.js';
import { nested } from './nested.js';
import * as sides from './sides.js';
import { ahead, block } from './words.js';

const LATE_MS = 2 * 3600000;
let listening = false;

export function start(page) {
  until(page);
  late(page);
  quickWords(page);
  for (const close of page.querySelectorAll('[data-close]')) {
    close.addEventListener('click', (event) => {
      event.preventDefault();
      close.closest('dialog').close();
    });
  }
  sides.start().catch((error) => console.error('sides', error));
  if (listening) return;
  listening = true;
  document.addEventListener('submit', rate, true);
  document.addEventListener('nx-saved', (event) => {
    if (event.detail.kind !== 'order.transition' || !document.getElementById('order')) return;
    event.preventDefault();
    event.target.closest('dialog')?.close();
    overlay.run();
  });
}

/** ，还有 4 天 */
function until(page) {
  for (const element of page.querySelectorAll('[data-until]')) {
    const days = daysBetween(isoDay(), isoDay(new Date(element.dataset.until)));
    element.textContent =
      days > 1 ? `，还有 ${days} 天` : days === 1 ? '，就在明天' : days === 0 ? '，就在今天' : '';
  }
}

/** Two hours before, cancelling says what it means. The stored page may be older than that. */
function late(page) {
  const words = page.getElementById('late-words');
  const agreed = page.querySelector('[data-until]');
  if (words) words.hidden = !agreed || new Date(agreed.dataset.until) - Date.now() >= LATE_MS;
}

/** Sentences to begin a refusal with. */
export function quickWords(page) {
  for (const group of page.querySelectorAll('.quick[data-fill]')) {
    group.hidden = false;
    group.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      const field = document.getElementById(group.dataset.fill);
      if (button && field) {
        field.value = button.textContent.trim();
        field.focus();
      }
    });
  }
}

/** The rating is an object inside the payload; a form knows only flat names, so it is built here. */
async function rate(event) {
  const form = event.target;
  if (!form.matches?.('form[data-rate]')) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.busy) return;
  form.dataset.busy = '1';
  const { op, baseRevision, label, patient, patientId } = form.dataset;
  try {
    const record = await outbox.add({
      kind: op,
      payload: nested(opforms.payloadOf(form)),
      base_revision: Number(baseRevision),
      label,
      patient_id: patientId,
      patient_name: patient,
      replaces: form.dataset.opId,
    });
    await opforms.forget(form);
    form.dispatchEvent(new CustomEvent('nx-saved', { detail: record, bubbles: true, cancelable: true }));
  } catch (error) {
    delete form.dataset.busy;
    opforms.notSaved(form, error);
  }
}

function paint(ops, page) {
  const order = page.getElementById('order');
  if (!order) return;
  const data = block('order-data');
  const words = block('order-words', { states: {} });
  const { state, revision, waiting } = ahead(ops, data);
  page.getElementById('state-pending').hidden = !waiting;
  page.getElementById('pending-note').hidden = !waiting;
  if (!waiting) return;
  order.dataset.state = state;
  page.getElementById('state-words').textContent = words.states[state];
  for (const element of page.querySelectorAll('[data-until]')) {
    if (state !== 'scheduled' && state !== 'accepted') element.textContent = '';
  }
  steps(page, data.step_of[state]);
  advance(page, state, revision);
}

/** The way so far, this phone's part included. A refused or cancelled order keeps the way it came. */
function steps(page, at) {
  if (at === undefined) return;
  page.querySelectorAll('#order .step').forEach((step, place) => {
    const state = place < at ? 'done' : place === at ? 'now' : 'later';
    step.dataset.state = state;
    step.toggleAttribute('aria-current', false);
    if (state === 'now') step.setAttribute('aria-current', 'step');
    step.querySelector('.step-mark').replaceChildren(...(state === 'done' ? [icon('check')] : []));
  });
}

/** The next step after the ones that wait here. Everything else waits for the server's word. */
function advance(page, state, revision) {
  const dock = page.querySelector('[data-actions]');
  if (!dock) return;
  let open = 0;
  for (const form of dock.querySelectorAll('form[data-from]')) {
    form.hidden = form.dataset.from !== state;
    form.dataset.baseRevision = revision;
    if (!form.hidden) open += 1;
  }
  for (const other of dock.querySelectorAll('a, .btn[form]')) other.hidden = true;
  dock.hidden = open === 0;
  const note = page.querySelector('.order-note');
  if (note) note.hidden = state !== 'in_service';
  const rating = page.querySelector('form[data-rate]');
  if (rating) rating.hidden = true;
}

overlay.register('order', paint);
