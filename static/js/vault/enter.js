// May this page be read? Every page of a signed-in person asks here before anything else.

import { post } from '../offline/channel.js';
import { possible } from './crypto.js';
import { unlockAddress } from './idle.js';
import { handOver, tellWorker } from './relay.js';
import * as rows from './rows.js';
import * as vault from './vault.js';

/**
 * @param {{user_id: string, name: string, role: string}} who whose page this is
 * @param {() => Promise<boolean>} hasWorker resolves once it is known whether a worker is here
 * @returns {Promise<'open' | 'leaving' | 'nothing'>} nothing: this browser keeps nothing; leaving: the unlock
 *   page comes
 */
export async function enter(who, hasWorker) {
  if (!possible) return 'nothing';
  try {
    const held = await vault.open();
    if (held?.user_id === who.user_id) return 'open';
    if (held) {
      vault.drop();
      await lockOthers(who.user_id);
      await tellWorker({ t: 'lock' });
    }
    return await without(who, hasWorker);
  } catch (error) {
    console.error('vault', error);
    return 'nothing'; // no IndexedDB: a private window, a broken profile
  }
}

/** One person at a time has this phone open: the pages of everybody else, in other tabs, lock themselves. */
async function lockOthers(user_id) {
  for (const person of await rows.people()) {
    if (person.user_id !== user_id) post({ t: 'locked', user_id: person.user_id });
  }
}

async function without(who, hasWorker) {
  const state = await vault.state(who.user_id);
  const worker = await hasWorker();
  if (!worker && (state === 'none' || state === 'ended')) {
    if (await vault.create(who, null)) return 'open';
  }
  if (!worker && (await vault.state(who.user_id)) === 'without-pin') {
    return (await vault.openWithoutPin(who.user_id)) ? 'open' : 'nothing';
  }
  if (!worker) return 'nothing'; // nobody would carry the key from page to page
  await vault.arrive(who);
  await lockOthers(who.user_id);
  location.replace(unlockAddress());
  return 'leaving';
}

/** After unlocking or setting a PIN: the worker learns the key, then the person goes where they wanted to. */
export async function goOn(next) {
  await handOver();
  await lockOthers(vault.userId());
  const here = location.pathname + location.search;
  if (next === here || (!next && location.pathname !== '/unlock')) location.reload();
  else location.replace((next || '/') + location.hash);
}
