// Orders in a list, with what is only on this phone among them. Used by /orders and by the family's home.

import * as overlay from '../offline/overlay.js';
import { ahead, block, wanted } from './words.js';

/** Nothing of the page itself needs script; the overlay below does. */
export function start() {}

/**
 * Add orders that are only on this phone, and move those the phone moved on.
 * @param {object[]} ops pending operations, oldest first
 * @param {Document} page
 */
export function paint(ops, page) {
  const words = block('order-words', { states: {}, services: {}, people: {} });
  const made = ops.filter((op) => op.kind === 'order.create');
  pendingRows(page, made, ops, words);
  for (const row of block('order-rows', [])) {
    const element = page.getElementById(`record-${row.id}`);
    if (element) move(page, element, ahead(ops, row), words);
  }
}

function pendingRows(page, made, ops, words) {
  const list = page.getElementById('pending-list');
  const template = page.getElementById('order-row');
  if (!list || !template) return;
  list.replaceChildren(
    ...made
      .filter((op) => !page.getElementById(`record-${op.op_id}`))
      .map((op) => row(template, op, ops, words)),
  );
  const none = list.children.length === 0;
  list.hidden = none;
  const head = page.getElementById('pending-head');
  if (head) head.hidden = none;
  const empty = page.getElementById('no-orders');
  if (empty) empty.hidden = !none;
}

function row(template, op, ops, words) {
  const element = template.content.firstElementChild.cloneNode(true);
  const [name, icon] = words.services[op.payload.service] || [op.label, 'receipt-text'];
  const { state } = ahead(ops, { id: op.op_id, state: 'submitted', revision: 1 });
  element.dataset.op = op.op_id;
  element.querySelector('use').setAttribute('href', `/static/vendor/sprite.svg#${icon}`);
  element.querySelector('[data-part="name"]').textContent = name;
  element.querySelector('[data-part="who"]').textContent = words.people[op.payload.patient_id] || '';
  const when = wanted(op.payload.wanted_at);
  element.querySelector('[data-part="when"]').textContent =
    state === 'submitted' ? when : words.states[state];
  return element;
}

function move(page, element, { state, waiting }, words) {
  element.querySelector('.pending-mark')?.remove();
  if (!waiting) return;
  for (const place of element.querySelectorAll('.order-state, .order-beside'))
    place.textContent = words.states[state];
  const mark = page.getElementById('order-mark');
  if (mark) element.querySelector('.row-tasks').before(mark.content.cloneNode(true));
}

overlay.register('orders', paint);
