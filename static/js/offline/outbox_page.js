// 待上传: what waits for a person, what is only on this phone, what the server has confirmed today.

import { hourMinute, isoDay } from '../when.js';
import { listen } from './channel.js';
import { formOf } from './mend.js';
import { icon } from './notice.js';
import * as outbox from './outbox.js';
import * as pages from './pages.js';
import { userId } from './person.js';
import { sendNow } from './triggers.js';

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
const KINDS = {
  'visit.create': '随访',
  'visit.correct': '随访更正',
  'order.create': '服务订单',
  'order.transition': '订单办理',
  'patient.create': '新建档案',
  'patient.update': '修改档案',
};
const WAITS_FOR = {
  missing_dependency: '等另一条先上传',
  author_mismatch: '等本人登录后上传',
  signed_out: '登录后上传',
};

let hearing = false;
const questions = new Map(); // form key -> the fields of its definition, which know their names

/** Called for this page, and again when it was swapped. */
export function start() {
  document.getElementById('send-now')?.addEventListener('click', press);
  if (!hearing) {
    hearing = true;
    listen((message) => {
      if (message.t === 'outbox') paint();
    });
  }
  return paint();
}

async function press(event) {
  const button = event.currentTarget;
  button.disabled = true;
  const result = await sendNow();
  button.disabled = false;
  const words = {
    unreachable: '现在连不上服务器，记录都还在，有信号会自动上传。',
    signed_out: '请重新登录，记录都还在。',
    busy: '服务器正忙，过一会儿会自动再传。',
    waiting: '服务器让我们稍等，过一会儿会自动再传。',
    partly: '有几条这次没有传成，会自动再传。',
    failed: '这台手机刚才没能上传，记录都还在，请再试一次。',
    idle: '没有要上传的记录。',
  };
  const says = document.getElementById('outbox-says');
  if (says) says.textContent = words[result?.outcome] || '';
}

export async function paint() {
  if (!document.querySelector('[data-page="outbox"]')) return;
  document.getElementById('no-worker').hidden = 'serviceWorker' in navigator;
  const found = await read().catch(() => null);
  document.getElementById('no-store').hidden = Boolean(found);
  if (!found) return;
  const { needs, waiting, done } = found;
  await readForms(needs);
  fill('needs', needs, needCard);
  fill('waiting', [...waiting].reverse(), waitingRow);
  receipts(done);
  document.getElementById('nothing').hidden = Boolean(needs.length || waiting.length || done.length);
}

async function read() {
  const user = userId();
  const midnight = new Date(`${isoDay()}T00:00:00`).getTime();
  const [needs, waiting, done] = await Promise.all([
    outbox.needsCare(user),
    outbox.waiting(user),
    outbox.doneSince(user, midnight),
  ]);
  return { needs, waiting, done };
}

function fill(id, records, draw) {
  const section = document.getElementById(id);
  section.hidden = !records.length;
  section.querySelector('[data-count]').textContent = `${records.length} 条`;
  section.querySelector('[data-list]').replaceChildren(...records.map(draw));
}

function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

function time(record) {
  const on = isoDay(new Date(record.saved_at));
  const [, month, day] = on.split('-').map(Number);
  return on === isoDay() ? hourMinute(record.saved_at) : `${month}月${day}日`;
}

function waitingRow(record) {
  const row = clone('waiting-row');
  part(row, 'name').textContent = record.patient_name || '';
  part(row, 'label').textContent = record.label || KINDS[record.kind] || '记录';
  part(row, 'time').textContent = record.state === 'sending' ? '正在上传' : time(record);
  const why = record.unreadable ? '内容已加密，有信号时上传' : WAITS_FOR[record.why];
  part(row, 'why').textContent = why || '';
  part(row, 'why').hidden = !why;
  if (record.patient_id && record.kind !== 'patient.create') row.href = `/patients/${record.patient_id}`;
  return row;
}

function needCard(record) {
  const card = clone('need-card');
  const result = record.result || {};
  card.id = `op-${record.op_id}`;
  part(card, 'who').replaceChildren(...withDots([record.patient_name, record.label]));
  part(card, 'time').textContent = time(record);
  part(card, 'detail').textContent = sentence(result.detail || '服务器没有收下这条记录。');
  part(card, 'faults').replaceChildren(
    ...(result.errors || []).map((e) => faultLine(e, record.payload.form)),
  );
  const conflict = record.state === 'conflict';
  part(card, 'compare').hidden = !conflict;
  if (conflict) compare(card, record, result.current || {});
  const drop = part(card, 'drop');
  drop.textContent = result.current?.kept ? '知道了' : `放弃${conflict ? shortLabel(record) : ''}`;
  drop.addEventListener('click', () =>
    result.current?.kept ? outbox.discard(record.op_id) : askToDrop(record),
  );
  const mend = part(card, 'mend');
  mend.textContent = conflict ? '查看双方' : '改好，再上传';
  mend.href = formOf(record);
  return card;
}

/** Facts with the drawn dot between them. */
function withDots(facts) {
  return facts.filter(Boolean).flatMap((fact, place) => {
    const dot = document.createElement('span');
    dot.className = 'sep';
    return place ? [dot, fact] : [fact];
  });
}

function shortLabel(record) {
  return record.label.split(/\s+/).pop().slice(0, 6);
}

function sentence(text) {
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
    if (!payload.form || questions.has(payload.form)) continue;
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
  part(card, 'mine').textContent = STATES[record.payload.to] || record.label;
  part(card, 'mine-note').textContent = time(record);
  part(card, 'theirs').textContent =
    current.state_words || STATES[current.state] || `第 ${current.revision} 版`;
  const at = current.at ? hourMinute(current.at) : '';
  part(card, 'theirs-note').textContent = [at, current.by_name, current.note].filter(Boolean).join(' ');
}

function askToDrop(record) {
  const sheet = document.getElementById('drop-sheet');
  sheet.querySelector('[data-part="what"]').textContent = [record.patient_name, record.label]
    .filter(Boolean)
    .join(' ');
  sheet.returnValue = '';
  sheet.addEventListener(
    'close',
    () => {
      if (sheet.returnValue === 'drop') outbox.discard(record.op_id);
    },
    { once: true },
  );
  sheet.showModal();
}

function receipts(done) {
  const section = document.getElementById('receipts');
  section.hidden = !done.length;
  if (!done.length) return;
  section.querySelector('[data-count]').textContent = `${done.length} 条`;
  const confirmed = done.filter((record) => record.result?.entity_id).length;
  document.getElementById('receipt-words').textContent = `服务器回执 ${confirmed}/${done.length}`;
  const newest = Math.max(...done.map((record) => record.done_at));
  document.getElementById('receipt-time').textContent = hourMinute(newest);
  section.querySelector('[data-list]').replaceChildren(...[...done].reverse().map(receiptRow));
}

function receiptRow(record) {
  const row = clone('waiting-row');
  row.querySelector('.icon use').setAttribute('href', '/static/vendor/sprite.svg#check');
  part(row, 'name').textContent = record.patient_name || '';
  part(row, 'label').textContent = record.label;
  part(row, 'time').textContent = hourMinute(record.done_at);
  part(row, 'why').hidden = true;
  if (record.kind === 'visit.create') row.href = `/visits/${record.op_id}`;
  else if (record.patient_id) row.href = `/patients/${record.patient_id}`;
  return row;
}
