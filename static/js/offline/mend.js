// 改好，再上传: a refused record opened again in the form it came from, with the server's words at each field.
// Visit forms do this themselves; this serves every other form that is an operation.

import { icon } from './notice.js';
import * as outbox from './outbox.js';
import { userId } from './person.js';

/** Where a record is mended. */
export function formOf(record) {
  const { op_id, kind, payload, patient_id } = record;
  const op = `op=${op_id}`;
  const patient = patient_id || payload.patient_id || '';
  if (kind === 'visit.create') return `/visits/new/${payload.form}?patient=${patient}&${op}`;
  if (kind === 'visit.correct') return `/visits/${payload.visit_id}/correct?${op}`;
  if (kind === 'order.create') return `/orders/new?patient=${patient}&${op}`;
  if (kind === 'order.transition') return `/orders/${payload.order_id}`;
  if (kind === 'patient.create') return `/patients/new?${op}`;
  if (kind === 'patient.update') return `/patients/${payload.patient_id}/edit?${op}`;
  return '/outbox';
}

/** Fill this page's form from ?op=<op_id>, if that record is this person's and waits for them. */
export async function start() {
  const op_id = new URLSearchParams(location.search).get('op');
  if (!op_id) return;
  const record = await outbox.get(op_id).catch(() => undefined);
  if (!record || record.author_id !== userId() || record.state === 'done') return;
  const form = document.querySelector(`form[data-op="${record.kind}"]:not([data-controller="visit"])`);
  if (!form) return;
  form.dataset.opId = op_id;
  if (record.base_revision && !form.dataset.baseRevision) form.dataset.baseRevision = record.base_revision;
  for (const [name, value] of Object.entries(record.payload)) fill(form, name, value);
  form.dispatchEvent(new Event('input', { bubbles: true }));
  showFaults(form, record.result);
}

function fill(form, name, value) {
  for (const field of [...form.elements].filter((f) => f.name === name)) {
    if (field.type === 'checkbox') {
      field.checked = Array.isArray(value)
        ? value.includes(field.value)
        : value === true || value === field.value;
    } else if (field.type === 'radio') {
      field.checked = String(value) === field.value;
    } else if (field.type === 'datetime-local') {
      field.value = String(value).slice(0, 16);
    } else {
      field.value = Array.isArray(value) ? value.join('、') : value;
    }
  }
}

function showFaults(form, result) {
  if (!result) return;
  const errors = result.errors || [];
  const head = document.createElement('section');
  head.className = 'card pad';
  head.id = 'mend-head';
  head.tabIndex = -1;
  const title = document.createElement('h2');
  title.textContent = errors.length ? `有 ${errors.length} 处要改` : '服务器没有收下';
  const words = document.createElement('p');
  words.className = 'quiet second';
  words.textContent = `${result.detail ? `${result.detail} ` : ''}它还在这台手机上，改好再传。`;
  head.append(title, words);
  form.prepend(head);
  for (const { pointer = '', message } of errors) {
    const name = pointer.replace(/^\/payload\//, '').split('/')[0];
    const field = [...form.elements].find((f) => f.name === name);
    if (!field) continue;
    field.setAttribute('aria-invalid', 'true');
    field.insertAdjacentElement('afterend', fault(message));
    field.addEventListener('input', () => field.removeAttribute('aria-invalid'), { once: true });
  }
  head.focus();
}

export function fault(text) {
  const box = document.createElement('div');
  box.className = 'message fault';
  const words = document.createElement('span');
  words.textContent = text;
  box.append(icon('circle-alert'), words);
  return box;
}
