// 订单台: tabs, search, waiting times, and what was decided here but is not yet sent.

import * as overlay from '../offline/overlay.js';
import { quickWords } from './tracking.js';
import { ahead, block } from './words.js';

const HOUR = 3600000;
const TAB_OF = { submitted: 'submitted', done: 'done' };
const GONE = new Set(['rejected', 'cancelled', 'confirmed']);
let listening = false;

export function start(page) {
  const tabs = page.getElementById('desk-tabs');
  if (!tabs) return;
  quickWords(page);
  waiting(page);
  find(page);
  tabs.addEventListener('click', (event) => {
    const tab = event.target.closest('[data-tab-key]');
    if (!tab) return;
    event.preventDefault();
    choose(page, tab.dataset.tabKey);
    history.replaceState(history.state, '', `/desk?tab=${tab.dataset.tabKey}`);
  });
  const asked = new URLSearchParams(location.search).get('tab');
  if (asked && tabs.querySelector(`[data-tab-key="${CSS.escape(asked)}"]`)) choose(page, asked);
  if (listening) return;
  listening = true;
  document.addEventListener('nx-saved', (event) => {
    if (event.detail.kind !== 'order.transition' || !document.getElementById('desk-tabs')) return;
    event.preventDefault();
    event.target.closest('dialog')?.close();
    overlay.run();
  });
}

function current(page) {
  return page.querySelector('#desk-tabs [aria-current="true"]')?.dataset.tabKey || 'submitted';
}

function choose(page, key) {
  for (const tab of page.querySelectorAll('#desk-tabs [data-tab-key]')) {
    if (tab.dataset.tabKey === key) tab.setAttribute('aria-current', 'true');
    else tab.removeAttribute('aria-current');
  }
  show(page);
}

function show(page) {
  const key = current(page);
  const wanted = page.getElementById('desk-q').value.trim().toLowerCase();
  const counts = {};
  let shown = 0;
  for (const card of page.querySelectorAll('.desk-card')) {
    counts[card.dataset.tab] = (counts[card.dataset.tab] || 0) + 1;
    const here = wanted ? card.dataset.find.toLowerCase().includes(wanted) : card.dataset.tab === key;
    card.hidden = !here || card.dataset.tab === 'gone';
    if (!card.hidden) shown += 1;
  }
  for (const tab of page.querySelectorAll('#desk-tabs [data-tab-key]')) {
    tab.querySelector('b').textContent = counts[tab.dataset.tabKey] || 0;
  }
  page.getElementById('desk-empty').hidden = shown > 0;
}

/** Longer than the limit: the inverted pill; the longest of them has the one solid button. */
function waiting(page) {
  const limit = Number(page.getElementById('desk-cards').dataset.limitHours) * HOUR;
  let first = true;
  for (const card of page.querySelectorAll('.desk-card')) {
    const late = card.dataset.state === 'submitted' && Date.now() - new Date(card.dataset.since) > limit;
    card.querySelector('.pill').classList.toggle('late', late);
    const accept = card.querySelector('.accept');
    if (!accept) continue;
    accept.classList.toggle('solid', late && first);
    accept.classList.toggle('soft', !(late && first));
    if (late) first = false;
  }
}

function find(page) {
  const open = page.getElementById('desk-find');
  const box = page.getElementById('desk-search');
  const field = page.getElementById('desk-q');
  open.hidden = false;
  open.addEventListener('click', () => {
    box.hidden = !box.hidden;
    if (box.hidden) field.value = '';
    else field.focus();
    show(page);
  });
  field.addEventListener('input', () => show(page));
}

function paint(ops, page) {
  const words = block('order-words', { states: {} });
  for (const row of block('order-rows', [])) {
    const card = page.getElementById(`record-${row.id}`);
    if (!card) continue;
    const { state, waiting: pending } = ahead(ops, row);
    card.querySelector('.pending-mark')?.remove();
    if (!pending) continue;
    const last = ops.filter((op) => op.payload.order_id === row.id).pop();
    card.dataset.tab = tabOf(state, last, card);
    const mark = page.getElementById('order-mark').content.cloneNode(true);
    mark.querySelector('.pending-mark').append(` ${words.states[state]}`);
    card.querySelector('.desk-marks').prepend(mark);
    card.querySelector('[data-actions]').hidden = true;
  }
  show(page);
}

function tabOf(state, last, card) {
  if (GONE.has(state)) return card.dataset.tab; // stays where it was, marked, until the server has said yes
  if (state === 'scheduled' && !last.payload.assignee_id) return 'unassigned';
  return TAB_OF[state] || 'running';
}

overlay.register('desk', paint);
