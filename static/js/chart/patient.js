// The patient page with what is only on this phone: the unsent visit on top of the history, the grade and
// the next date it leads to, forms ticked off, orders placed. Everything is a clone of the page's templates.

import * as overlay from '../offline/overlay.js';
import { definitionOf } from '../visits/person.js';
import { isoDay, monthDay, refresh } from '../when.js';
import { dataIn } from './data.js';
import { aim, onward } from './links.js';
import { dayOf, filledIn, gradeWith, readings, sorted } from './pending.js';
import { readingsIn } from './readings.js';
import { draw, merged } from './trend.js';
import { named, rowOf, unlisted } from './visits.js';

const TOP_REASONS = 3;
const WORDS = { red: '红', yellow: '黄', green: '绿', unrated: '待评估' };
const PARTS = ['banner', 'grade', 'due', 'visits', 'orders'];
const byId = (id) => document.getElementById(id);

let page = null; // {main, data, pristine, painted} of the page that stands now
let registered = false;

/** Called by app.js, again after a fresher page was swapped in. */
export function start() {
  const data = dataIn(document);
  if (!data) return;
  const tasks = [...document.querySelectorAll('#due [data-form]')].map((row) => row.dataset.form);
  page = { main: byId('main'), data, tasks, painted: '', round: 0 };
  const further = onward(location.search, data.id, data.visits);
  if (further) location.replace(further); // touched before this script had begun
  aim(document, data.id, data.visits);
  sheet();
  curves([]);
  page.pristine = new Map([...PARTS.map((id) => byId(id)), ...document.querySelectorAll('.trend')].map(keep));
  if (!registered) {
    registered = true;
    overlay.register('patient', paint);
  }
}

/** 开始随访: the links aimed at this person, what is due first. */
function sheet() {
  const list = document.querySelector('#start ul');
  if (!list) return;
  for (const link of list.querySelectorAll('[data-form]'))
    link.href = `/visits/new/${link.dataset.form}?patient=${page.data.id}`;
  for (const row of [...document.querySelectorAll('#due [data-form]')].reverse()) {
    const link = list.querySelector(`[data-form="${CSS.escape(row.dataset.form)}"]`);
    if (!link) continue;
    link.querySelector('.grow').textContent = row.querySelector('.grow').textContent;
    link.querySelector('.right').replaceChildren(row.querySelector('time').cloneNode(true));
    list.prepend(link.closest('li'));
  }
}

const keep = (element) => [element, [...element.childNodes].map((node) => node.cloneNode(true))];

function restore() {
  for (const [element, nodes] of page.pristine)
    element.replaceChildren(...nodes.map((node) => node.cloneNode(true)));
}

function paint(ops) {
  if (!page || page.main !== byId('main')) start();
  if (!page) return;
  const mine = sorted(ops, page.data.id);
  mine.visits = unlisted(mine.visits, page.data.visits);
  const all = Object.values(mine).flat();
  const painted = all.map((op) => `${op.op_id} ${op.state} ${op.version}`).join();
  if (painted === page.painted) return; // nothing new: what is unfolded stays so
  page.painted = painted;
  page.round += 1;
  restore();
  history(mine.visits);
  corrections(mine.corrections);
  ticked(mine.visits);
  orders(mine.orders, mine.transitions);
  curves(mine.visits.filter((op) => !op.payload.answers?.lost_reason));
  regrade(mine.visits, page.round).catch((error) => console.error('pending grade', error));
}

function cloned(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

function mark(op) {
  return op.state === 'done' ? [] : [cloned('mark-template')];
}

// ---- history, orders ----

function history(visits) {
  const list = byId('visits');
  if (visits.length) byId('visits-none')?.remove();
  for (const op of visits) {
    const row = cloned('visit-template');
    const { form, answers, grade } = op.payload;
    row.id = `record-${op.op_id}`;
    if (op.state === 'done') row.href = `/visits/${op.op_id}`;
    row.querySelector('.row-date').textContent = monthDay(dayOf(op));
    const [title, summary] = row.querySelectorAll('.visit-what .nobr');
    title.textContent = titleOf(form);
    summary.textContent = shortly(answers);
    row.querySelector('.visit-mark').replaceChildren(...mark(op));
    tone(row.querySelector('.badge'), grade?.colour || 'unrated', false);
    list.prepend(row);
  }
}

/** The figure people look for; the server's own line of words replaces it. */
function shortly(answers = {}) {
  if (answers.lost_reason) return '未随访到';
  if (answers.sbp && answers.dbp) return `${answers.sbp}/${answers.dbp}`;
  return answers.fpg ? `空腹血糖 ${answers.fpg}` : '';
}

function titleOf(form) {
  const words = document.querySelector(`.sheet [data-form="${CSS.escape(form)}"] .grow`)?.textContent;
  return words && words !== '首次评估' ? words : (form === 'general' && '老年人一般访视') || words || '随访';
}

function corrections(ops) {
  for (const op of ops) {
    const row = rowOf(op.corrects || named(dayOf(op), op.payload.form || ''));
    if (!row) continue;
    row.querySelector('.visit-mark')?.remove();
    const box = document.createElement('span');
    box.className = 'visit-mark';
    const words = document.createElement('span');
    words.className = 'pill';
    words.textContent = op.payload.void ? '已作废' : '有更正';
    box.append(...mark(op), ' ', words);
    row.querySelector('.row-main').append(box);
  }
}

function orders(placed, moved) {
  const list = byId('orders');
  for (const op of placed) {
    const row = cloned('order-template');
    row.id = `record-${op.op_id}`;
    if (op.state === 'done') row.href = `/orders/${op.op_id}`;
    const on = op.payload.wanted_at?.slice(0, 10);
    row.querySelector('.row-date').textContent = on ? monthDay(on) : '';
    row.querySelector('.row-main').textContent =
      (op.label || '服务订单').replace(/^点服务\s*/, '') || '服务订单';
    row.querySelector('.order-state').replaceChildren(...(op.state === 'done' ? ['已提交'] : mark(op)));
    list.prepend(row);
  }
  if (placed.length) byId('orders-part').hidden = false;
  for (const op of moved)
    byId(`record-${op.payload.order_id}`)
      ?.querySelector('.order-state')
      .replaceChildren(...mark(op));
}

// ---- what is due ----

function ticked(visits) {
  const filled = filledIn(visits);
  const left = page.tasks.filter((form) => !filled.has(form)).length;
  for (const [form, waiting] of filled) {
    const row = document.querySelector(`#due [data-form="${CSS.escape(form)}"]`);
    if (!row) continue;
    const done = cloned('done-template');
    row.querySelector('.due-when').replaceChildren(...(waiting ? [cloned('mark-template')] : []), done);
  }
  const count = byId('due-title')?.querySelector('span');
  if (count && page.tasks.length) count.textContent = left ? `${left} 项` : '都做完了';
}

// ---- curves ----

function curves(visits) {
  for (const card of document.querySelectorAll('.trend')) {
    const keys = card.dataset.trend === 'bp' ? ['sbp', 'dbp'] : ['fpg'];
    const known = readingsIn(card).reverse();
    keys.forEach((key, at) => {
      const points = known.map(([day, values]) => [day, values[at]]);
      draw(card.querySelector(`.curve-${key} svg`), merged(points, readings(visits, key)));
    });
    headline(card, keys, visits, known[known.length - 1][0]);
  }
  refresh();
}

function headline(card, keys, visits, shown) {
  const measured = visits.filter((op) => keys.every((key) => typeof op.payload.answers?.[key] === 'number'));
  const newest = measured[measured.length - 1];
  if (!newest || dayOf(newest) < shown) return;
  const figure = card.querySelector('[data-newest]');
  const before = figure.textContent;
  figure.textContent = keys.map((key) => newest.payload.answers[key]).join('/');
  card.querySelector('[data-sentence]').replaceChildren(`上次 ${before}。`, ...mark(newest));
}

// ---- grade ----

async function regrade(visits, round) {
  if (!visits.length) return;
  const forms = [...new Set(visits.map((op) => op.payload.form))];
  const [table, ...found] = await Promise.all([rules(), ...forms.map(formOf)]);
  if (round !== page.round) return; // painted again meanwhile
  const definitions = Object.fromEntries(
    forms.map((form, at) => [form, found[at]]).filter((pair) => pair[1]),
  );
  const next = gradeWith(page.data, visits, definitions, table, isoDay());
  const waiting = visits.some((op) => op.state !== 'done');
  const alarm = next.emergency ? next.words.find((one) => one.emergency) || { text: '危急情况' } : null;
  byId('banner').replaceChildren(...(alarm ? [banner(alarm, waiting)] : []));
  byId('grade').replaceChildren(gradeCard(next, alarm, waiting));
  refresh();
}

let table;

function rules() {
  table = table || fetch('/static/rules/grading.json').then((response) => response.json());
  table.catch(() => {
    table = undefined;
  });
  return table;
}

/** The form's definition from the page this phone keeps for it, or from the server. */
async function formOf(form) {
  const stored = await definitionOf(form);
  if (stored) return stored;
  try {
    const response = await fetch(`/visits/new/${encodeURIComponent(form)}`, {
      headers: { Accept: 'text/html' },
    });
    const text = response.ok && response.headers.get('X-Page-User') ? await response.text() : '';
    const block = new DOMParser().parseFromString(text, 'text/html').getElementById('form-definition');
    return block ? JSON.parse(block.textContent) : null;
  } catch {
    return null;
  }
}

function banner(alarm, waiting) {
  const made = cloned('banner-template');
  made.querySelector('h2').replaceChildren(...clauses(alarm.text));
  if (!waiting) made.querySelector('.pending-mark')?.remove();
  const calls = document.querySelectorAll('.patient-calls a');
  const buttons = made.querySelector('.btns');
  // Beside 120, whoever is near; the own number is not.
  if (calls.length && buttons.children.length === 1 && !isOwn(calls[calls.length - 1])) {
    const call = calls[calls.length - 1].cloneNode(true);
    call.classList.remove('low');
    buttons.append(call);
  }
  return made;
}

const isOwn = (call) =>
  call.getAttribute('href') === document.querySelector('a[data-own]')?.getAttribute('href');

function gradeCard(next, alarm, waiting) {
  const card = cloned('grade-template');
  const words = next.words.filter((one) => one !== alarm);
  tone(card.querySelector('.badge'), next.colour, next.emergency);
  if (!waiting) card.querySelector('.pending-mark').remove();
  if (alarm) others(card.querySelector('.grade-badge'), words.length > 0);
  when(card.querySelector('.grade-next'), next.next_on, !alarm || words.length > 0);
  fill(card.querySelector('ol.reasons'), words.slice(0, TOP_REASONS), true);
  const more = card.querySelector('.more-reasons');
  fill(more.querySelector('ul'), words.slice(TOP_REASONS), false);
  more.querySelector('summary').firstChild.textContent = `更多 ${words.length - TOP_REASONS} 条`;
  more.hidden = words.length <= TOP_REASONS;
  const missing = card.querySelector('.grade-missing');
  missing.textContent = `还缺：${next.missing.join('、')}`;
  missing.hidden = !next.missing.length;
  if (next.held) {
    const note = document.createElement('p');
    note.className = 'second quiet grade-missing';
    note.textContent = `这次的结果是${WORDS[next.held]}，上传后由医生确认才降级。`;
    card.querySelector('.card-body').append(note);
  }
  return card;
}

/** The banner says the grade already. */
function others(box, some) {
  const word = document.createElement('b');
  word.className = 'second quiet';
  word.textContent = some ? '其他原因' : '下次随访';
  box.replaceChildren(word);
}

function fill(list, words, spanned) {
  list.replaceChildren(
    ...words.map(({ text }) => {
      const item = document.createElement('li');
      const box = spanned ? item.appendChild(document.createElement('span')) : item;
      box.append(...clauses(text));
      return item;
    }),
  );
}

/** A sentence that breaks at its commas. */
function clauses(text) {
  const parts = text.split('，');
  return parts.map((part, at) => {
    const span = document.createElement('span');
    span.className = 'nobr';
    span.textContent = at < parts.length - 1 ? `${part}，` : part;
    return span;
  });
}

function when(box, day, named) {
  const time = document.createElement('time');
  time.dateTime = day;
  time.dataset.when = 'due';
  time.textContent = `${monthDay(day)}前`;
  box.replaceChildren(named ? '下次随访 ' : '', time);
}

function tone(badge, colour, emergency) {
  badge.dataset.grade = colour;
  if (emergency) badge.dataset.emergency = '';
  badge.querySelector('span').textContent = `${WORDS[colour]}${emergency ? ' 危急' : ''}`;
}
