// 我: what this phone keeps, how it is locked, and the ways out.

import * as fingerprint from '../vault/fingerprint.js';
import { lock } from '../vault/idle.js';
import { guessable, PIN_LENGTH } from '../vault/policy.js';
import * as vault from '../vault/vault.js';
import * as pages from './pages.js';
import { userId } from './person.js';

const MB = 1048576;
const byId = (id) => document.getElementById(id);

export async function start() {
  await Promise.all([storage(), locking()]);
}

async function storage() {
  const words = document.querySelector('[data-storage]');
  if (!words) return;
  const meta = await pages.meta().catch(() => undefined);
  const count = meta ? Object.keys(meta.revs).length : 0;
  words.textContent = [`已下载 ${count} 页`, await space(), `${await lasting()}。`]
    .filter(Boolean)
    .join('，');
  words.closest('section').hidden = false;
}

/** How much of what the browser allows is used; some browsers do not say. */
async function space() {
  const found = await navigator.storage?.estimate?.().catch(() => undefined);
  if (!found?.quota) return '';
  return `共用 ${(found.usage / MB).toFixed(1)} MB，还可用 ${Math.round((found.quota - found.usage) / MB)} MB`;
}

async function lasting() {
  return (await navigator.storage?.persisted?.().catch(() => false))
    ? '系统不会自动清理'
    : '系统空间不够时可能被清理，请常连网更新';
}

async function locking() {
  const section = byId('lock-section');
  const row = await vault.row(userId()).catch(() => undefined);
  if (!section || !row?.wrapped) return;
  section.hidden = false;
  byId('lock-none').hidden = !row.without_pin;
  byId('lock-some').hidden = Boolean(row.without_pin);
  byId('lock-minutes').textContent = String(row.lock_minutes);
  byId('lock-now').onclick = lock;
  byId('pin-change').onclick = () => askPin('换解锁密码', changePin, true);
  const finger = byId('finger-switch');
  finger.hidden = !(row.fingerprint || (await fingerprint.offered()));
  finger.lastChild.textContent = row.fingerprint ? '停用指纹解锁' : '用指纹解锁';
  finger.onclick = () => (row.fingerprint ? off() : askPin('用指纹解锁', fingerOn, false));
}

async function off() {
  await fingerprint.turnOff(userId());
  await locking();
}

/** The sheet that asks for the PIN in use, and for a new one where one is wanted. */
function askPin(title, then, fresh) {
  const sheet = byId('pin-sheet');
  const [old, first, second] = ['pin-old', 'pin-new', 'pin-again'].map(byId);
  byId('pin-title').textContent = title;
  byId('pin-fresh').hidden = !fresh;
  for (const field of [old, first, second]) field.value = '';
  say('');
  sheet.querySelector('form').onsubmit = async (event) => {
    if (event.submitter?.value === 'keep') return;
    event.preventDefault();
    const fault = await then(old.value, first.value, second.value).catch(() => '没有成功，请再试一次。');
    if (!fault) {
      sheet.close();
      await locking();
    } else {
      say(fault);
    }
  };
  sheet.showModal();
}

function say(words) {
  byId('pin-says').textContent = words;
  byId('pin-says').hidden = !words;
}

/** @returns {Promise<string>} empty when it is right; a wrong one counts like at the lock */
async function right(pin) {
  const result = await vault.unlock(userId(), pin);
  if (result.ok) return '';
  if (result.ended) {
    await lock();
    return '输错次数太多。';
  }
  if (result.untried) return `请等 ${Math.ceil(result.wait_ms / 1000)} 秒再试。`;
  return `解锁密码不对，还可试 ${result.left} 次。`;
}

async function changePin(old, first, second) {
  if (!new RegExp(`^\\d{${PIN_LENGTH}}$`).test(first)) return `新的解锁密码要 ${PIN_LENGTH} 位数字。`;
  if (guessable(first)) return '新的太容易猜到，换一个。';
  if (first !== second) return '两次输入的不一样。';
  const fault = await right(old);
  if (fault) return fault;
  await vault.changePin(userId(), old, first);
  return '';
}

async function fingerOn(pin) {
  const fault = await right(pin);
  if (fault) return fault;
  return (await fingerprint.turnOn(userId(), pin)) ? '' : '这台手机的指纹不能用来解锁，请继续用密码。';
}
