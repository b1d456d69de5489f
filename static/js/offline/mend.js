// 改好，再上传: a refused record opened again in the form it came from, with the server's words at each field;
// one that was overtaken, with what stands on the server beside what was written here. Visit forms do this
// themselves; this serves every other form that is an operation.

import * as fields from './mendfields.js';
import * as notice from './notice.js';
import * as outbox from './outbox.js';
import { userId } from './person.js';

const CARE = ['rejected', 'conflict'];
const KEPT = '它还在这台手机上，改好再传。';

/** Where a record is mended. */
export function formOf(record) {
  const { op_id, kind, payload, patient_id } = record;
  const op = `op=${op_id}`;
  const patient = patient_id || payload.patient_id || '';
  if (kind === 'visit.create') return `/visits/new/${payload.form}?patient=${patient}&${op}`;
  if (kind === 'visit.correct') return `/visits/${payload.visit_id}/correct?${op}`;
  if (kind === 'order.create') return `/orders/new?patient=${patient}&${op}`;
  if (kind === 'order.transition') return `/orders/${payload.order_id}?${op}`;
  if (kind === 'patient.create') return `/patients/new?${op}`;
  if (kind === 'patient.update') return `/patients/${payload.patient_id}/edit?${op}`;
  return '/outbox';
}

/**
 * The record of ?op=, if it is this person's, can be read and waits for them. Of one that does not wait any
 * more the page says so: it was opened from an old tab, or mended in another.
 */
export async function asked() {
  const op_id = new URLSearchParams(location.search).get('op');
  if (!op_id) return null;
  const record = await outbox.get(op_id).catch(() => undefined);
  if (record?.author_id === userId() && CARE.includes(record.state) && !record.unreadable) return record;
  notice.show('settled', {
    text: '这条记录已经处理过了。',
    action: '看待上传',
    run: () => location.assign('/outbox'),
  });
  return null;
}

/** Fill this page's form from ?op=<op_id>. */
export async function start() {
  if (document.querySelector('form[data-controller="visit"]')) return;
  const record = await asked();
  if (record?.kind === 'order.transition' && record.state === 'conflict') return; // orders/sides.js
  const form = record && formHere(record);
  if (form && form.dataset.opId !== record.op_id) into(form, record);
}

/** The form of this page that makes such an operation: of an order's many, the one of this step. */
export function formHere({ kind, payload }) {
  const all = [...document.querySelectorAll(`form[data-op="${kind}"]:not([data-controller="visit"])`)];
  return all.find((form) => (form.elements.to?.value || '') === (payload.to || ''));
}

/** Put a refused record into its form, to be saved as a new one in its place. */
export function into(form, record) {
  const { op_id, result = {}, payload } = record;
  const bases = [form.dataset.baseRevision, result.current?.revision, record.base_revision];
  const base = Math.max(...bases.map((one) => Number(one) || 0));
  // A page as new as the server's word shows what stands there; an older one says nothing about it.
  const newest = Number(form.dataset.baseRevision) >= (result.current?.revision || 1);
  const theirs = fields.standing(form);
  form.dataset.opId = op_id;
  if (base) form.dataset.baseRevision = base;
  for (const [name, value] of Object.entries(fields.flat(payload))) fields.fill(form, name, value);
  form.dispatchEvent(new CustomEvent('nx-mend', { detail: record, bubbles: true }));
  form.dispatchEvent(new Event('input', { bubbles: true }));
  form.dispatchEvent(new CustomEvent('nx-restored', { bubbles: true }));
  form.closest('dialog')?.showModal();
  twoWays(form.querySelector('button:not([type="button"])') || submitOf(form));
  const overtaken = record.state === 'conflict';
  const differing = overtaken && newest ? fields.markDiffering(form, theirs) : 0;
  showFaults(form, result, overtaken ? { differing, newest } : null);
}

function submitOf(form) {
  return form.id && document.querySelector(`button[form="${CSS.escape(form.id)}"]`);
}

/** Mend it now, or leave it lying. */
export function twoWays(button) {
  if (!button || button.closest('.mend-ways')) return;
  const both = Object.assign(document.createElement('div'), { className: 'btns mend-ways' });
  const later = { className: 'btn line less', href: '/outbox', textContent: '先放着' };
  button.textContent = '改好，再上传';
  button.classList.remove('wide', 'danger');
  button.classList.add('solid');
  button.replaceWith(both);
  both.append(Object.assign(document.createElement('a'), later), button);
}

function showFaults(form, result, overtaken) {
  const errors = result.errors || [];
  const head = document.createElement('section');
  head.className = 'card mend-head';
  head.tabIndex = -1;
  const body = Object.assign(document.createElement('div'), { className: 'card-body' });
  const title = document.createElement('h2');
  title.append(notice.icon('circle-alert'), titleOf(errors, overtaken, result));
  const words = Object.assign(document.createElement('p'), { className: 'quiet second' });
  words.textContent = overtaken ? sidesWords(overtaken) : `服务器没有收下这条记录。${KEPT}`;
  body.append(title, words);
  head.append(body);
  form.prepend(head);
  const homeless = errors.filter((error) => !fields.showFault(form, error)).map(({ message }) => message);
  if (!errors.length && !overtaken && result.detail) homeless.unshift(result.detail);
  for (const text of homeless) body.append(fields.fault(text));
  head.focus({ preventScroll: true });
  head.scrollIntoView({ block: 'nearest' });
}

function titleOf(errors, overtaken, result) {
  if (overtaken) return result.detail || '服务器上已有更新';
  return errors.length ? `有 ${errors.length} 处要改` : '服务器没有收下';
}

function sidesWords({ differing, newest }) {
  if (!newest) return `这一页不是最新的，有信号时再打开，就能看到服务器上的内容。${KEPT}`;
  if (!differing) return '您写的和服务器上的一样，可以不用再传。';
  return `下面是您写的。有\u00a0${differing}\u00a0处和服务器不同，核对后再上传。`;
}
