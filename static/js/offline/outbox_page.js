// 待上传: what waits for a person, what is only on this phone, what the server has confirmed today.

import { hourMinute, isoDay } from '../when.js';
import * as carrying from './carrying.js';
import { listen } from './channel.js';
import * as needs from './needs.js';
import * as outbox from './outbox.js';
import { userId } from './person.js';
import * as receipts from './receipts.js';
import { clock, titleOf } from './recordwords.js';
import { sendNow } from './triggers.js';

const WAITS_FOR = {
  missing_dependency: '等另一条先上传',
  author_mismatch: '等本人登录后上传',
  signed_out: '登录后上传',
};
const SAYS = {
  unreachable: '现在连不上服务器，记录都还在，有信号会自动上传。',
  signed_out: '请重新登录，记录都还在。',
  busy: '服务器正忙，过一会儿会自动再传。',
  waiting: '服务器让我们稍等，过一会儿会自动再传。',
  partly: '有几条这次没有传成，会自动再传。',
  failed: '这台手机刚才没能上传，记录都还在，请再试一次。',
  idle: '没有要上传的记录。',
};

let hearing = false;
let painting = Promise.resolve();

/** Called for this page, and again when it was swapped. */
export function start() {
  const button = document.getElementById('send-now');
  button?.addEventListener('click', press);
  if (button) button.disabled = false;
  document.getElementById('healed-ok')?.addEventListener('click', async () => {
    await receipts.understood(userId());
    await paint();
  });
  carrying.start();
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
  const says = document.getElementById('outbox-says');
  if (says) says.textContent = SAYS[result?.outcome] || '';
}

/** One painting at a time, in order: an older look must not be drawn over a newer one. */
export function paint() {
  painting = painting.then(draw, draw);
  return painting;
}

async function draw() {
  if (!document.querySelector('[data-page="outbox"]')) return;
  document.getElementById('no-worker').hidden = 'serviceWorker' in navigator;
  const found = await read().catch(() => null);
  document.getElementById('no-store').hidden = Boolean(found);
  if (!found) return;
  const { care, waiting, done, compared } = found;
  const cards = await needs.cards(care);
  fill('needs', cards);
  fill('waiting', [...waiting].reverse().map(waitingRow));
  confirmed(done, compared);
  healed(compared);
  await carrying.paint();
  const nothing = !(care.length || waiting.length || done.length);
  document.getElementById('nothing').hidden = !nothing;
}

async function read() {
  const user = userId();
  const midnight = new Date(`${isoDay()}T00:00:00`).getTime();
  const [care, waiting, done, compared] = await Promise.all([
    outbox.needsCare(user),
    outbox.waiting(user),
    outbox.doneSince(user, midnight),
    receipts.last(user),
  ]);
  return { care, waiting, done, compared };
}

function fill(id, rows) {
  const section = document.getElementById(id);
  section.hidden = !rows.length;
  section.querySelector('[data-count]').textContent = `${rows.length} 条`;
  section.querySelector('[data-list]').replaceChildren(...rows);
}

const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

function clone() {
  return document.getElementById('waiting-row').content.firstElementChild.cloneNode(true);
}

function waitingRow(record) {
  const row = clone();
  part(row, 'name').textContent = record.patient_name || '';
  part(row, 'label').textContent = titleOf(record);
  part(row, 'time').textContent = record.state === 'sending' ? '正在上传' : clock(record);
  const why = record.unreadable ? '内容已加密，有信号时上传' : WAITS_FOR[record.why];
  part(row, 'why').textContent = why || '';
  part(row, 'why').hidden = !why;
  if (record.patient_id && record.kind !== 'patient.create') row.href = `/patients/${record.patient_id}`;
  return row;
}

// ---- what the server has confirmed ----

function confirmed(done, compared) {
  fill('receipts', [...done].reverse().map(receiptRow));
  if (!done.length) return;
  const with_receipt = done.filter((record) => (record.result || record.receipt)?.entity_id).length;
  document.getElementById('receipt-words').textContent = `服务器回执 ${with_receipt}/${done.length}`;
  const newest = Math.max(...done.map((record) => record.done_at));
  document.getElementById('receipt-time').textContent = hourMinute(newest);
  const checked = document.getElementById('receipt-checked');
  const today = compared && isoDay(new Date(compared.checked_at)) === isoDay();
  checked.hidden = !today;
  checked.textContent = today ? `已与服务器核对 ${hourMinute(compared.checked_at)}` : '';
}

function receiptRow(record) {
  const row = clone();
  row.querySelector('.icon use').setAttribute('href', '/static/vendor/frame.svg#check');
  part(row, 'name').textContent = record.patient_name || '';
  part(row, 'label').textContent = titleOf(record);
  part(row, 'time').textContent = hourMinute(record.done_at);
  part(row, 'why').hidden = true;
  if (record.kind === 'visit.create') row.href = `/visits/${record.op_id}`;
  else if (record.patient_id) row.href = `/patients/${record.patient_id}`;
  return row;
}

/** What this phone called delivered was not there: said until it was read. */
function healed(compared) {
  const count = compared?.healed || 0;
  document.getElementById('healed').hidden = !count;
  document.getElementById('healed-words').textContent = `有 ${count} 条服务器上没有，已重新上传。`;
}
