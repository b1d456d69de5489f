// Closes and seals what lies in the outbox: under the data key for the phone, under the server's key for the way.

import * as rows from './rows.js';
import { CAN_SEAL, expectSeal, sealable, sealTo } from './seal.js';
import { getMeta, inState, NEEDS_CARE, openStore, setMeta, write } from './store.js';

/**
 * Close and seal what is not: rows of the first release, rows saved before the server's key was known, and
 * those it could not open. Ask again about refused ones that the data key took along. Called when a store is
 * opened, and when a new key comes; meanwhile the worker, or another page, may be sending the same rows. The
 * worker leaves it to the pages.
 */
export async function protect(author_id) {
  if (!CAN_SEAL) return;
  await readSealKey();
  const states = ['saved', 'sending', 'mended', 'done', ...NEEDS_CARE];
  for (const found of await inState(author_id, ...states)) {
    let row = found;
    while (row && !(await protectRow(row))) row = await (await openStore()).get('ops', row.op_id);
  }
}

/** @returns {Promise<boolean>} false: it was sent or answered meanwhile, and is to be looked at anew */
async function protectRow(row) {
  const open = !row.body || Boolean(row.payload); // a refusal may have been closed beside its plain words
  const unsealed = sealable() && row.state !== 'done' && (!row.sealed || row.reseal);
  const care = NEEDS_CARE.includes(row.state);
  if (!open && !unsealed && !care) return true;
  const record = await rows.opened(row);
  if (record.unreadable && care && row.sealed) await askAgain(row);
  if (record.unreadable || !(open || unsealed)) return true;
  const fresh = await rows.closed({
    ...record,
    reseal: undefined,
    saved_on: record.recorded_at.slice(0, 10),
  });
  if (open && row.result) {
    const { status, entity_id, revision } = row.result;
    if (row.state === 'done') fresh.receipt = { status, entity_id, revision };
  }
  return write(async (ops) => {
    const now = await ops.get(row.op_id);
    if (now && ['version', 'state', 'tries'].some((name) => now[name] !== row[name])) return false;
    if (now) await ops.put(fresh);
    return true;
  });
}

/**
 * A refused record whose content went with the data key: nobody can mend what nobody can read. Sent again as
 * it was sealed, it is either taken now, or refused once more and given back with its content.
 */
async function askAgain({ op_id, state }) {
  await write(async (ops) => {
    const row = await ops.get(op_id);
    if (row?.state === state) await ops.put({ ...row, state: 'saved', hold_until: 0 });
  });
}

export async function readSealKey() {
  if (!sealable()) sealTo(await getMeta('seal'));
}

/** Somebody is about to save: what can be done before they press is done now. */
export async function expectRecord() {
  await readSealKey();
  expectSeal();
}

/** The server's newest public key, as it comes with the pack and with every greeting. */
export async function learnSealKey(key) {
  if (!key?.key_id || (await getMeta('seal'))?.key_id === key.key_id) return;
  await setMeta('seal', key);
  sealTo(key);
}
