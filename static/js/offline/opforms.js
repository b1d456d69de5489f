// Forms that are operations: saved on the phone first, then sent. Without this script the same form posts
// to the same route.

import { localIso } from '../when.js';
import * as drafts from './drafts.js';
import * as exporting from './export.js';
import * as fresh from './fresh.js';
import { online } from './net.js';
import { icon } from './notice.js';
import * as outbox from './outbox.js';
import { userId } from './person.js';

const FORMS = 'form[data-op]:not([data-controller="visit"])';
const watched = new WeakMap(); // form -> its draft

/** Catch every `<form data-op>` on the page. Forms with data-controller="visit" look after themselves. */
export function start() {
  document.addEventListener('submit', (event) => {
    const form = event.target.closest?.('form[data-op]');
    if (!form || form.dataset.controller === 'visit' || event.defaultPrevented) return;
    event.preventDefault();
    submit(form, event.submitter);
  });
  document.addEventListener('input', ({ target }) => {
    if (target.form?.matches(FORMS) && target.form.elements.length) begin(target.form);
  });
}

/** What was typed here and not saved is put back. Called for a page, and again when it was swapped. */
export async function recall() {
  const known = new Set(await drafts.names().catch(() => []));
  for (const form of known.size ? document.querySelectorAll(FORMS) : []) {
    if (watched.has(form) || !known.has(draftName(form))) continue;
    const draft = drafts.watch(form, draftName(form));
    watched.set(form, draft);
    if ((await draft.catch(() => null))?.restored)
      drafts.announce(placeFor(form), { form, stop: () => forget(form) });
  }
}

/** The first letter typed: from now on it is kept. Forms of one tap are not. */
function begin(form) {
  if (watched.has(form)) return;
  watched.set(form, drafts.watch(form, draftName(form), { typing: true }));
}

function draftName(form) {
  const { order_id, patient_id, to } = form.elements;
  const about = [order_id, patient_id].find((field) => field?.type === 'hidden')?.value || '';
  return [form.dataset.op, about, to?.value || '', form.dataset.opId || ''].join('|');
}

/** Where something is said about a form: before its first field, which may lie outside of it. */
function placeFor(form) {
  const field = [...form.elements].find((one) => one.labels?.length && !form.contains(one));
  return field ? field.parentElement : form;
}

/** The record is on the disk, or the person does not want the text any more. */
export async function forget(form) {
  await watched
    .get(form)
    ?.then((draft) => draft.stop())
    .catch(() => {}); // a draft left over harms nobody
  watched.delete(form);
}

async function submit(form, submitter) {
  if (form.dataset.busy) return; // a second tap
  form.dataset.busy = '1';
  const { op, baseRevision, label, patient, patientId, opId, hold } = form.dataset;
  const payload = payloadOf(form, submitter);
  try {
    const record = await outbox.add({
      kind: op,
      payload,
      base_revision: baseRevision ? Number(baseRevision) : undefined,
      label: submitter?.dataset.label || label,
      patient_id: payload.patient_id || patientId,
      patient_name: patient,
      replaces: opId,
      hold_ms: hold ? Number(hold) * 1000 : 0,
    });
    await forget(form);
    if (opId) handled();
    fresh.settled();
    saved(form, record);
  } catch (error) {
    notSaved(form, error);
  } finally {
    delete form.dataset.busy;
  }
}

/** The record of ?op= is seen to: a fresher copy of this page must not ask about it again. */
export function handled() {
  const url = new URL(location.href);
  url.searchParams.delete('op');
  history.replaceState(history.state, '', url);
}

function saved(form, record) {
  const event = new CustomEvent('nx-saved', { detail: record, bubbles: true, cancelable: true });
  if (!form.dispatchEvent(event)) return; // the page shows it in its own way
  form.closest('dialog')?.close();
  const template = form.querySelector('template[data-saved]');
  if (template) {
    form.replaceWith(template.content.cloneNode(true));
  } else if (form.dataset.next) {
    location.assign(form.dataset.next.replace('{op_id}', record.op_id));
  } else {
    say(form, 'ok', online() ? '已保存在本机，正在上传。' : '已保存在本机，有信号时自动上传。');
    for (const button of form.querySelectorAll('button:not([type="button"])')) button.disabled = true;
  }
}

/**
 * Never pretend. With a network the plain way is still open, but not for a record that is being mended: the
 * server would not know whom it replaces. Without one, say what is true.
 */
export function notSaved(form, error) {
  const known = ['QuotaExceededError', 'SettledError'].includes(error?.name);
  if (online() && !known && !form.dataset.opId) {
    HTMLFormElement.prototype.submit.call(form);
    return;
  }
  say(form, 'fault', trouble(error), wayOut(error));
}

/** What can be done about a phone without room: take away what nobody else has. */
export function wayOut(error) {
  if (error?.name !== 'QuotaExceededError') return undefined;
  return { words: '导出', run: () => exporting.save(userId()) };
}

export function trouble(error) {
  if (error?.name === 'SettledError') return '这条记录已经在别的页面改好或放弃了，这一次没有再存。';
  if (error?.name === 'QuotaExceededError') {
    return '手机存储空间不够，这一条没有存上。以前的记录都还在，可以照常上传。请清理空间后再保存。';
  }
  return '这台手机现在不能保存数据，这一条没有存上。请不要关闭页面，有信号时再按一次。';
}

function say(form, kind, text, action) {
  let box = form.querySelector(':scope > .form-says');
  if (!box) {
    box = document.createElement('div');
    form.append(box);
  }
  box.className = `message ${kind} form-says`;
  box.setAttribute('role', kind === 'fault' ? 'alert' : 'status');
  const words = document.createElement('span');
  words.textContent = text;
  box.replaceChildren(icon(kind === 'fault' ? 'circle-alert' : 'check'), words);
  if (action) act(box, action);
}

/** The one thing that can be done about what a message says. */
export function act(box, action) {
  box.classList.add('acts');
  box.append(actionButton(action));
}

function actionButton({ words, run }) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'btn text low right';
  button.textContent = words;
  button.addEventListener('click', run);
  return button;
}

/** The payload a form stands for. Empty optional fields are left out; data-json says a field's JSON type. */
export function payloadOf(form, submitter) {
  const payload = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || /^(submit|button|reset|image|file|fieldset)$/.test(field.type))
      continue;
    take(payload, field);
  }
  if (submitter?.name) payload[submitter.name] = submitter.value;
  return payload;
}

function take(payload, field) {
  const { name, type, value } = field;
  const wanted = field.dataset.json;
  if (wanted === 'skip') return; // for the way without scripts only
  if (type === 'checkbox' && wanted === 'bool') {
    payload[name] = field.checked;
  } else if (wanted === 'list') {
    // Nothing chosen is nothing said; "none of these" is said by a choice of its own, marked data-none.
    const chosen = listed(field);
    if (chosen.length) payload[name] = [...(payload[name] || []), ...('none' in field.dataset ? [] : chosen)];
  } else if ((type === 'radio' || type === 'checkbox') && !field.checked) {
    // not chosen: another of its group may be
  } else if (value !== '') {
    payload[name] = typed(value, wanted, type);
  }
}

function listed(field) {
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked ? [field.value] : [];
  if (field.selectedOptions) return [...field.selectedOptions].map((o) => o.value).filter(Boolean);
  return field.value ? [field.value] : [];
}

function typed(value, wanted, type) {
  if (wanted === 'int' || wanted === 'number') return Number(value);
  if (wanted === 'bool') return value === 'true' || value === '1';
  if (type === 'datetime-local') return localIso(new Date(value)); // a moment needs its offset
  return value;
}
