// What is seen the moment a visit is on the disk: nothing of it waits for a network.

import { colourWords } from '../grading/explain.js';
import { listen } from '../offline/channel.js';
import { online } from '../offline/net.js';
import * as outbox from '../offline/outbox.js';
import * as pages from '../offline/pages.js';
import { nextAfter, readPanel } from '../plans/panel.js';
import { dated, list, tone, wordOf } from './paint.js';

export const UNDO_SECONDS = 10;
const REASONS_SHOWN = 3;
const STATES = {
  saved: () => `仅在本机，${online() ? '马上自动上传' : '有信号时自动上传'}`,
  sending: () => '正在上传',
  done: () => '已送达，服务器有回执',
  rejected: () => '需处理：服务器没有收下，请看“待上传”',
  conflict: () => '需处理：服务器上已有更新，请看“待上传”',
  mended: () => '已改好另存',
};

/**
 * Show the saved screen in place of the form.
 * @param {Document} document
 * @param {{record: object, form: object, data: object, live: ?object, table: ?object, header: object,
 *   answers: object, today: string, onUndo: () => void}} what
 */
export async function show(document, what) {
  const page = document.getElementById('visit-page');
  const dock = document.getElementById('save-bar');
  const scene = document.getElementById('saved-template').content.cloneNode(true);
  const part = (name) => scene.querySelector(`[data-saved="${name}"]`);
  const parts = {};
  for (const node of scene.querySelectorAll('[data-saved]')) parts[node.dataset.saved] = node;
  part('person').textContent = what.data.name || '';
  part('form').textContent = what.form.zh;
  fillGrade(parts, what);
  fillAlarm(parts, what);
  parts['next-day'].textContent = what.header.next_visit_on
    ? dated(what.header.next_visit_on, what.today)
    : '';
  parts.next.hidden = !what.header.next_visit_on;

  const before = { page: [...page.childNodes], dock: [...dock.childNodes] };
  const bar = parts.dock;
  page.replaceChildren(scene.querySelector('.saved'));
  dock.replaceChildren(bar);
  const main = document.getElementById('main');
  main.classList.add('tall');
  page.classList.add('saved-page');
  window.scrollTo(0, 0);
  page.querySelector('.saved').focus({ preventScroll: true });

  const back = () => {
    page.replaceChildren(...before.page);
    dock.replaceChildren(...before.dock);
    main.classList.remove('tall');
    page.classList.remove('saved-page');
    what.onUndo();
  };
  follow(parts, what.record);
  countDown(parts, what.record, back);
  await following(parts, what);
}

function fillGrade(parts, { live, table, data }) {
  const card = parts.badge.closest('.card-body');
  if (!live) {
    card.hidden = true;
    return;
  }
  const { result, words, missing, held } = live;
  tone(parts.badge, result);
  parts.word.textContent = wordOf(result, table);
  const was = data.grade?.colour;
  parts.before.textContent = was ? `原为 ${colourWords({ colour: was, emergency: false }, table).word}` : '';
  const texts = words.slice(0, REASONS_SHOWN).map((word) => word.text);
  list(
    parts.reasons,
    texts.length ? texts : [result.colour === 'unrated' ? '资料还不全' : '没有需要关注的情况'],
  );
  const notes = [];
  if (words.length > REASONS_SHOWN) notes.push(`另有 ${words.length - REASONS_SHOWN} 条。`);
  if (result.colour === 'unrated') notes.push(`还缺：${missing.join('、')}。`);
  if (held) notes.push('医生确认以前，仍按红管理。');
  parts.held.textContent = notes.join('');
  parts.held.hidden = !notes.length;
}

/** In an emergency the hospital knows nothing yet, whatever the phone shows: our server tells nobody there. */
function fillAlarm(parts, { live, answers }) {
  parts.emergency.hidden = !live?.result.emergency;
  const referred = answers.referral === true;
  parts['alarm-title'].textContent = referred ? '医院还没有收到转诊单' : '医院还不知道这个情况';
  const now = online() ? '记录上传后，系统不会自动通知医院，' : '手机现在没有网，';
  parts['alarm-text'].replaceChildren(clause(now), clause('请先打电话通知急诊。'));
}

/** Words that stay on one line. */
function clause(words) {
  return Object.assign(document.createElement('span'), { className: 'nobr', textContent: words });
}

/** What becomes of the record, said in words while the screen is open. */
function follow(parts, record) {
  const say = async () => {
    const now = await outbox.get(record.op_id).catch(() => undefined);
    if (now) parts.sending.textContent = STATES[now.state]();
  };
  listen((message) => {
    if (parts.sending.isConnected && (message?.t === 'outbox' || message?.t === 'sent')) say();
  });
  say();
}

/** Undo for as long as the sender holds the record; then the line empties without moving anything. */
function countDown(parts, record, back) {
  const button = parts.undo;
  if (!record.hold_until) {
    button.hidden = true;
    return;
  }
  const tick = () => {
    const left = Math.ceil((record.hold_until - Date.now()) / 1000);
    parts.seconds.textContent = `${Math.max(0, left)} 秒`;
    if (left > 0 && button.isConnected) setTimeout(tick, 250);
    else button.hidden = true;
  };
  button.addEventListener('click', async () => {
    button.disabled = true;
    if (await outbox.undo(record.op_id)) {
      back();
      return;
    }
    // It has left the phone: what is on the server is corrected, not taken back.
    const link = document.createElement('a');
    link.className = 'btn text mild';
    link.href = `/visits/${record.op_id}/correct`;
    link.textContent = '已经上传，可以更正';
    button.replaceWith(link);
  });
  tick();
}

/** 下一位: the most urgent one of today's stored list who has no visit waiting on this phone. */
async function following(parts, { record, today }) {
  const row = await nextRow(record, today).catch(() => null);
  if (!row) {
    parts.following.hidden = true;
    parts.list.className = 'btn solid';
    return;
  }
  parts.following.href = row.href;
  parts.following.textContent = `下一位 ${row.name}`;
}

async function nextRow(record, today) {
  const stored = await pages.get('/today');
  if (!stored) return null;
  const rows = readPanel(new DOMParser().parseFromString(stored.html, 'text/html'));
  const waiting = await outbox.pending(record.author_id);
  const seen = new Set(waiting.filter((op) => op.kind === 'visit.create').map((op) => op.patient_id));
  return nextAfter(
    rows.filter((row) => !seen.has(row.id)),
    record.patient_id,
    today,
  );
}
