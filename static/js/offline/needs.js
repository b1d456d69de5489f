// 需处理: one card a record that the server refused or that was overtaken, in plain words, with the ways on.

import { hourMinute, isoDay } from '../when.js';
import { formOf } from './mend.js';
import { online } from './net.js';
import { icon } from './notice.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { clock, nameOf, shortLabel, titleOf, withDots } from './recordwords.js';

const LABELS = {
  name: '姓名',
  id_card: '身份证号',
  phone: '电话',
  village_id: '村',
  address: '地址',
  conditions: '慢病',
  form_version: '表单版本',
  visited_at: '随访时间',
  next_visit_on: '下次随访日期',
  mode: '方式',
  patient_id: '老人',
  service: '服务',
  wanted_at: '希望时间',
  note: '备注',
  reason: '原因',
  to: '状态',
  assignee_id: '服务人员',
};
const STATES = {
  submitted: '已提交',
  assessing: '待评估',
  quoted: '待确认',
  scheduled: '已排班',
  accepted: '已接单',
  en_route: '已出发',
  in_service: '服务中',
  done: '已完成',
  confirmed: '已确认',
  rejected: '不予受理',
  cancelled: '已取消',
};
const questions = new Map(); // form key -> the fields of its definition, which know their names

const clone = () => document.getElementById('need-card').content.firstElementChild.cloneNode(true);
const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** @returns {Promise<HTMLElement[]>} */
export async function cards(records) {
  await readForms(records);
  return Promise.all(records.map(card));
}

async function card(record) {
  const card = clone();
  card.id = `op-${record.op_id}`;
  part(card, 'who').replaceChildren(...withDots([await nameOf(record), titleOf(record)]));
  part(card, 'time').textContent = clock(record);
  if (record.unreadable) return sealedCard(card);
  const { result = {}, payload, state } = record;
  part(card, 'detail').textContent = sentence(result.detail || '服务器没有收下这条记录。');
  part(card, 'faults').replaceChildren(...(result.errors || []).map((e) => faultLine(e, payload.form)));
  const sides = state === 'conflict' && result.code !== 'already_applied';
  part(card, 'compare').hidden = !sides;
  if (sides) compare(card, record, result.current || {});
  await ways(card, record, result);
  return card;
}

/** Its content went with the data key. It is asked about again at the next sending, and comes back with it. */
function sealedCard(card) {
  part(card, 'detail').textContent =
    '内容已加密，这台手机现在读不出。有信号时会自动再传，服务器会把内容交还。';
  for (const name of ['compare', 'drop', 'mend']) part(card, name).hidden = true;
  return card;
}

async function ways(card, record, result) {
  const known = Boolean(result.current?.kept) || result.code === 'already_applied'; // nothing is lost by dropping
  const conflict = record.state === 'conflict';
  const drop = part(card, 'drop');
  drop.textContent = known ? '知道了' : `放弃${conflict ? shortLabel(record) : ''}`;
  drop.addEventListener('click', () => (known ? outbox.discard(record.op_id) : askToDrop(record, drop)));
  const mend = part(card, 'mend');
  mend.href = formOf(record);
  mend.textContent = conflict ? '查看双方' : result.code === 'invalid' ? '改好，再上传' : '打开看看';
  mend.hidden =
    result.code === 'already_applied' ||
    result.current?.voided === true ||
    (record.kind === 'order.transition' && !(await reachable(mend.href)));
}

/** An order that was given to somebody else has no page here any more: then the card says it all. */
async function reachable(href) {
  return online() || Boolean(await pages.get(href).catch(() => undefined));
}

export function sentence(text) {
  return /[。！？]$/.test(text) ? text : `${text}。`;
}

function faultLine({ pointer = '', message, code }, form) {
  const line = document.createElement('li');
  line.className = 'message fault';
  const words = document.createElement('span');
  const label = labelOf(pointer.split('/').slice(2), form);
  const text = message || code;
  words.textContent = label && !text.includes(label) ? `${label}：${text}` : text;
  line.append(icon('circle-alert'), words);
  return line;
}

async function readForms(records) {
  for (const { payload } of records) {
    if (!payload?.form || questions.has(payload.form)) continue;
    const page = await pages.get(`/visits/new/${payload.form}`).catch(() => undefined);
    const block =
      page && new DOMParser().parseFromString(page.html, 'text/html').getElementById('form-definition');
    if (block) questions.set(payload.form, JSON.parse(block.textContent).fields);
  }
}

/** The name a field has on its form: answers/sbp → 收缩压. */
function labelOf(path, form) {
  if (path[0] !== 'answers') return LABELS[path[0]] || '';
  return questions.get(form)?.find((field) => field.key === path[1])?.zh || '';
}

/** What this phone says beside what the server says. */
function compare(card, record, current) {
  part(card, 'mine').textContent = STATES[record.payload.to] || titleOf(record);
  const me = document.body.dataset.name;
  part(card, 'mine-note').textContent = [clock(record), me, record.payload.note].filter(Boolean).join(' ');
  part(card, 'theirs').textContent = theirs(current);
  part(card, 'theirs-note').textContent = [moment(current.at), current.by_name, current.note]
    .filter(Boolean)
    .join(' ');
}

function theirs(current) {
  if (current.voided) return '已作废';
  return current.state_words || STATES[current.state] || `已有第 ${current.revision} 版`;
}

/** 9:40 of today, 6月9日 09:40 of another day. */
export function moment(at) {
  if (!at) return '';
  const on = isoDay(new Date(at));
  const [, month, day] = on.split('-').map(Number);
  return on === isoDay() ? hourMinute(at) : `${month}月${day}日 ${hourMinute(at)}`;
}

function askToDrop(record, button) {
  const sheet = document.getElementById('drop-sheet');
  sheet.querySelector('[data-part="what"]').textContent = button
    .closest('article')
    .querySelector('[data-part="who"]')
    .textContent.trim();
  sheet.returnValue = '';
  const answered = () => {
    if (sheet.returnValue === 'drop') outbox.discard(record.op_id);
  };
  sheet.addEventListener('close', answered, { once: true });
  sheet.showModal();
}
