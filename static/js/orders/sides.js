// Both sides of an order that somebody else moved meanwhile: this phone's and the server's, and the choice
// between them. All of it from what the server answered then, so that it works without a network.

import { listen } from '../offline/channel.js';
import * as mend from '../offline/mend.js';
import { moment, sentence } from '../offline/needs.js';
import { icon } from '../offline/notice.js';
import * as opforms from '../offline/opforms.js';
import * as outbox from '../offline/outbox.js';
import { userId } from '../offline/person.js';
import { shortLabel } from '../offline/recordwords.js';
import { ahead, block } from './words.js';

let hearing = false;

/** Called for the page of an order, and again when it was swapped. */
export async function start() {
  if (!hearing) {
    hearing = true;
    listen((message) => {
      if (message.t === 'outbox') paint().catch(() => {});
    });
  }
  await paint();
  const asked = new URLSearchParams(location.search).get('op');
  const card = asked && document.getElementById(`op-${asked}`);
  if (!card) return;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: 'start' });
}

async function paint() {
  const place = document.getElementById('sides');
  if (!place) return;
  const { id } = block('order-data');
  const care = (await outbox.needsCare(userId())).filter(
    (record) => record.kind === 'order.transition' && record.payload?.order_id === id,
  );
  // What has already a form open in front of it is not said twice.
  const open = new Set([...document.querySelectorAll('form[data-op-id]')].map((form) => form.dataset.opId));
  const shown = care.filter((record) => !open.has(record.op_id));
  place.replaceChildren(...(await Promise.all(shown.map((record) => card(record)))));
  place.hidden = !shown.length;
  document.body.classList.toggle('choosing', shown.length > 0);
}

async function card(record) {
  const card = document.getElementById('side-card').content.firstElementChild.cloneNode(true);
  const part = (name) => card.querySelector(`[data-part="${name}"]`);
  const { result = {}, payload, label } = record;
  const { current = {} } = result;
  const words = block('order-words', { states: {} });
  card.id = `op-${record.op_id}`;
  part('who').textContent = label;
  part('detail').textContent = sentence(result.detail || '服务器没有收下这一步');
  const both = record.state === 'conflict' && Boolean(current.state);
  part('compare').hidden = !both;
  part('mine').textContent = words.states[payload.to] || shortLabel(record);
  note(part('mine-note'), moment(record.saved_at), document.body.dataset.name, payload.note);
  part('theirs').textContent = current.state_words || words.states[current.state] || '';
  note(part('theirs-note'), moment(current.at), current.by_name, current.note);
  const { kept } = current;
  part('kept').hidden = !kept;
  if (kept) part('kept-words').textContent = keptWords(kept, words);
  await ways(part('ways'), record, { both, kept });
  return card;
}

function keptWords({ to, state_words, at }, words) {
  return `您做过的“${words.states[to] || state_words}”（${moment(at)}）已经记在订单上，不用再做什么。`;
}

function note(place, ...facts) {
  place.replaceChildren(
    ...facts
      .filter(Boolean)
      .map((text) => Object.assign(document.createElement('span'), { className: 'line', textContent: text })),
  );
}

async function ways(place, record, { both, kept }) {
  const drop = async () => {
    await outbox.discard(record.op_id);
    opforms.handled();
  };
  if (kept || record.result?.code === 'already_applied') {
    place.append(button('知道了', 'solid', drop));
    return;
  }
  place.append(button(both ? '按服务器的' : '放弃这一步', 'line', drop));
  const form = record.result?.code === 'invalid' && mend.formHere(record);
  if (form) {
    place.append(button('改好，再上传', 'solid', () => mend.into(form, record)));
    return;
  }
  const now = both && (await newest(record));
  const step = now && block('order-data').may?.[now.state]?.[record.payload.to];
  if (step) place.append(button(`仍要${step}`, 'solid', (event) => insist(event, record, now.revision)));
}

function button(words, look, run) {
  const made = Object.assign(document.createElement('button'), { type: 'button', textContent: words });
  made.className = `btn ${look}`;
  made.addEventListener('click', run);
  return made;
}

/** Where the order stands: as the server said it then, or as this page has it by now, this phone's steps included. */
async function newest(record) {
  const { current } = record.result;
  const page = block('order-data');
  const row = page.revision >= current.revision ? page : { ...current, id: page.id, ops: page.ops };
  return ahead(await outbox.pending(userId()), row);
}

/** The same step once more, as a new operation on what stands there now. */
async function insist(event, record, base_revision) {
  const pressed = event.currentTarget;
  pressed.disabled = true;
  const { kind, payload, label, patient_id, patient_name, op_id } = record;
  try {
    await outbox.add({ kind, payload, base_revision, label, patient_id, patient_name, replaces: op_id });
    opforms.handled();
  } catch (error) {
    const says = Object.assign(document.createElement('p'), { className: 'message fault' });
    says.setAttribute('role', 'alert');
    const words = Object.assign(document.createElement('span'), { textContent: opforms.trouble(error) });
    says.append(icon('circle-alert'), words);
    pressed.closest('.btns').before(says);
    pressed.disabled = error.name === 'SettledError';
  }
}
