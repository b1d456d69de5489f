// 解锁: the six digits, asked for or set. Also what is said when the data key is gone.

import * as kept from '../offline/kept.js';
import { ask, json, sessionEnded } from '../offline/net.js';
import * as outbox from '../offline/outbox.js';
import { untilNext } from '../offline/pace.js';
import * as pages from '../offline/pages.js';
import { send } from '../offline/sender.js';
import * as wipe from '../offline/wipe.js';
import { goOn } from './enter.js';
import { lockOthers } from './idle.js';
import { guessable, PIN_LENGTH } from './policy.js';
import * as vault from './vault.js';

const ENDED = {
  tries: '输错次数太多，本机的老人资料已清除。',
  offline: '这台手机太久没有联网，本机的老人资料已清除。',
  signed_out: '已退出登录，本机的老人资料已清除。',
};
const CLOCK = '手机的时间被调回去了。请先连上网，核对以后再解锁。';
const NOTE = '老人资料加密存在这台手机上';

const TAKEN = '解锁密码已在另一个窗口设好，请输入它';

const state = { who: null, arrived: false, finger: false, mode: '', typed: '', first: '', busy: false };
const part = (name) => document.querySelector(`[data-lock="${name}"]`);

export async function start() {
  const page = document.querySelector('[data-page="unlock"]');
  if (!page?.hidden) return;
  try {
    state.who = await whose();
    if (!state.who) {
      location.replace('/'); // nothing is locked here: the server says who may go where
      return;
    }
    listen();
    await show();
  } catch (error) {
    // Perhaps since this very moment: a server clears a lost phone while it is asked.
    console.error('unlock', error);
    note('这台手机现在不能解锁，请再试一次。', true);
  }
  page.hidden = false;
  keepSending();
}

function listen() {
  for (const button of document.querySelectorAll('[data-digit]')) {
    button.addEventListener('click', () => type(button.dataset.digit));
  }
  part('back').addEventListener('click', erase);
  part('forgot').addEventListener('click', () => openSheet('forgot-sheet'));
  part('other').addEventListener('click', another);
  part('reset').addEventListener('click', reset);
  part('again').addEventListener('click', again);
  part('export').addEventListener('click', async () =>
    (await import('../offline/export.js')).save(state.who.user_id),
  );
  part('finger').addEventListener('click', byFinger);
  document.addEventListener('keydown', keyed);
}

/** Whose lock this is: who has just signed in, or who had the phone open last. */
async function whose() {
  const arrived = await vault.arrived();
  state.arrived = Boolean(arrived);
  if (arrived) return arrived;
  return vault.row(await vault.current());
}

async function show() {
  const { who } = state;
  part('name').textContent = who.name || '';
  part('face').textContent = (who.name || '')[0] || '';
  const found = await vault.state(who.user_id);
  const row = await vault.row(who.user_id);
  // Only somebody whom the server has just let in sets a PIN where there was one before.
  const anew = found === 'ended' && row.anew && state.arrived;
  if (anew || found === 'none' || found === 'without-pin') await setting();
  else if (found === 'ended') await ended(row.ended);
  else await asking(row);
}

async function setting() {
  mode('set');
  part('ask').textContent = '设一个 6 位解锁密码';
  const lost = await kept.missing(state.who.user_id);
  if (!lost) {
    note('以后每次打开都用它，没有信号也能开');
    return;
  }
  const unsent = lost.unsent ? `其中有 ${lost.unsent} 条没来得及上传，请重新填写。` : '';
  note(`本机数据被系统清除，设好密码后重新下载。${unsent}`, Boolean(lost.unsent));
}

async function asking(row) {
  mode('ask');
  state.finger = Boolean(row.fingerprint);
  part('finger').hidden = !state.finger;
  part('ask').textContent = '输入 6 位解锁密码';
  note(NOTE);
  const barred = await vault.bar(row.user_id); // a page opened anew does not shorten the wait
  if (barred?.ended === 'clock') setClock().catch(() => {});
  else if (barred?.ended) await over(barred.ended);
  else if (barred) slowDown(barred);
}

/** The server says what time it is; until it was reached nobody gets in. */
async function setClock() {
  note(CLOCK, true);
  await greet();
  const barred = await vault.bar(state.who.user_id);
  if (barred?.ended) return;
  note(NOTE);
  if (barred) slowDown(barred);
}

/** The data key is gone, and with it what it closed. */
async function over(why) {
  await pages.drop(state.who.user_id);
  await ended(why);
}

async function ended(why) {
  mode('ended');
  part('ask').textContent = ENDED[why] || ENDED.offline;
  const waiting = (await outbox.sealedUnsent(state.who.user_id)).length;
  note(waiting ? `${waiting} 条没上传的记录还在，锁着也会上传。` : '重新登录以后会再下载。');
  part('export').hidden = !waiting;
}

function mode(name) {
  state.mode = name;
  part('pad').hidden = name === 'ended';
  part('dots').hidden = name === 'ended';
  part('ended').hidden = name !== 'ended';
  part('finger').hidden = name !== 'ask' || !state.finger;
  part('forgot').textContent = name === 'set' ? '' : '忘记了';
  part('forgot').disabled = name === 'set';
}

function note(words, fault = false) {
  const place = part('note');
  place.textContent = words;
  place.classList.toggle('fault', fault);
}

// ---- typing ----

function keyed(event) {
  if (document.querySelector('dialog[open]') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^\d$/.test(event.key)) type(event.key);
  else if (event.key === 'Backspace') erase();
}

function type(digit) {
  if (state.busy || !['ask', 'set'].includes(state.mode) || state.typed.length >= PIN_LENGTH) return;
  state.typed += digit;
  dots();
  if (state.typed.length === PIN_LENGTH) complete();
}

function erase() {
  if (state.busy) return;
  state.typed = state.typed.slice(0, -1);
  dots();
}

function dots() {
  const all = part('dots');
  if (state.typed) all.classList.remove('wrong');
  all.setAttribute('aria-label', `已输入 ${state.typed.length} 位，共 ${PIN_LENGTH} 位`);
  for (const [place, dot] of [...all.children].entries()) {
    dot.classList.toggle('on', place < state.typed.length);
  }
}

async function complete() {
  const pin = state.typed;
  state.busy = true;
  let open = false;
  try {
    open = state.mode === 'set' ? await chosen(pin) : await tried(await vault.unlock(state.who.user_id, pin));
  } catch (error) {
    console.error('unlock', error);
    note('这台手机现在不能解锁，请再试一次。', true);
  }
  if (open) return; // the page that was asked for is coming: nothing more can be typed here
  state.typed = '';
  state.busy = false;
  dots();
}

/** @returns {Promise<boolean>} true: it is set, and the person is on their way */
async function chosen(pin) {
  if (!state.first) {
    if (guessable(pin)) return wrong('这个太容易猜到，换一个');
    state.first = pin;
    part('ask').textContent = '再输一次，记住它';
    note(NOTE);
    return false;
  }
  if (pin !== state.first) {
    state.first = '';
    part('ask').textContent = '设一个 6 位解锁密码';
    return wrong('两次不一样，重新设一个');
  }
  note('正在加密……');
  const before = await vault.row(state.who.user_id);
  if (before?.ended) await pages.drop(state.who.user_id); // nothing under the old key can be read again
  const { user_id, name, username, role } = state.who;
  if (!(await vault.create({ user_id, name, username, role }, pin))) {
    await show();
    return wrong(TAKEN);
  }
  return opened();
}

/** @returns {Promise<boolean>} true: it was right, and the person is on their way */
async function tried(result) {
  if (result.ok) return opened();
  if (result.ended === 'clock') {
    await setClock();
    return false;
  }
  if (result.ended) {
    await over(result.ended);
    return false;
  }
  if (!result.untried) wrong(`密码不对，还可试 ${result.left} 次`);
  if (result.wait_ms) slowDown(result);
  return false;
}

async function opened() {
  note('正在打开……');
  await outbox.protect(state.who.user_id).catch((error) => console.error('protect', error)); // next time, then
  await goOn(asked());
  return true;
}

/** Where the person wanted to go: a path of our own. */
function asked() {
  if (location.pathname !== '/unlock') return '';
  const next = new URLSearchParams(location.search).get('next') || '/';
  return /^\/(?![/\\])/.test(next) && !next.startsWith('/unlock') ? next : '/';
}

function wrong(words) {
  note(words, true);
  part('dots').classList.add('wrong');
  return false;
}

/** The keys rest. What is left is asked from the disk each time, where no reloaded page and no clock shortens it. */
function slowDown(barred) {
  if (state.mode === 'waiting') return;
  state.mode = 'waiting';
  resting(true);
  count(barred);
}

async function count({ wait_ms, left }) {
  note(`请等 ${Math.ceil(wait_ms / 1000)} 秒再试，还可试 ${left} 次`, true);
  await new Promise((go) => setTimeout(go, Math.min(wait_ms, 1000)));
  const barred = await vault.bar(state.who.user_id).catch(() => ({ wait_ms, left }));
  if (state.mode !== 'waiting') return;
  if (barred?.wait_ms) {
    count(barred);
    return;
  }
  resting(false);
  mode('ask');
  if (barred) await tried(barred);
  else note(`还可试 ${left} 次`);
}

function resting(on) {
  for (const button of document.querySelectorAll('[data-digit]')) button.disabled = on;
}

async function byFinger() {
  if (state.busy) return;
  state.busy = true;
  let open = false;
  try {
    open = await tried(await (await import('./fingerprint.js')).unlock(state.who.user_id));
  } catch {
    note('没有认出来，请输入解锁密码。');
  }
  state.busy = open;
}

// ---- other ways ----

function openSheet(id) {
  document.getElementById(id).showModal();
}

async function another() {
  const people = await vault.others();
  part('people').replaceChildren(
    ...people.filter((row) => row.user_id !== state.who.user_id).map(personButton),
  );
  openSheet('other-sheet');
}

function personButton(row) {
  const button = document.createElement('button');
  button.className = 'btn soft wide';
  button.textContent = row.name;
  button.addEventListener('click', async () => {
    await vault.arrive(null);
    await vault.choose(row.user_id);
    location.replace('/unlock');
  });
  return button;
}

/** A PIN is set anew only after the password was asked for: so the old session ends first. */
async function reset() {
  part('offline').hidden = true;
  part('reset').disabled = true; // a line that hangs is waited for
  if (await sessionEnded()) {
    await vault.end(state.who.user_id, 'signed_out');
    await lockOthers(state.who.user_id);
    await pages.drop(state.who.user_id);
    await leaveForSignIn();
  } else {
    part('offline').hidden = false;
    part('reset').disabled = false;
  }
}

async function again(event) {
  event.preventDefault();
  if (await sessionEnded()) await leaveForSignIn();
  else note('现在连不上服务器，有信号时再来。', true);
}

async function leaveForSignIn() {
  await vault.allowAnew(state.who.user_id);
  await vault.arrive(null);
  location.assign('/sign-in');
}

/** The server knows whether it is this person's phone; having answered, it sets the clock right. */
async function greet() {
  try {
    const response = await ask('/api/auth/me');
    const me = await json(response);
    if (me?.user?.id === state.who.user_id) await vault.contact(me.user.id, me.policy);
  } catch {
    // no line
  }
}

/** 锁着也会上传: what was sealed goes without the PIN, in its author's session. */
function keepSending() {
  let timer = 0;
  const go = async (reason) => {
    clearTimeout(timer);
    const result = await send({ reason }).catch(() => undefined);
    if (result?.outcome === 'revoked') {
      await wipe.wipe(); // a lost phone is mostly found locked
      wipe.show();
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(go, await untilNext(state.who?.user_id, result), 'timer');
  };
  // Whom the server has let in this very moment it need not greet again before there is a store.
  if (!state.arrived) go('load');
  addEventListener('online', () => go('online'));
}
