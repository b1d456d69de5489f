// The sender's side of the outbox: what may go, what is under way, what the server answered.

import { post } from './channel.js';
import * as rows from './rows.js';
import { dropMended, inState, put, write } from './store.js';

const KEEP_DONE_MS = 30 * 86400000;

/**
 * What may be sent of this author, `but` for these op_ids: rows with their records, in order.
 * @param {Map<string, object>} [known] as for claim()
 */
export async function toSend(author_id, but = new Set(), known = new Map()) {
  const found = (await inState(author_id, 'saved', 'sending')).filter((row) => !but.has(row.op_id));
  return Promise.all(
    found.map(async (row) => ({ row, record: await openedAnew(row, known.get(row.op_id)) })),
  );
}

/**
 * Mark these as under way and return them as they stand on the disk now. Undone ones are left out.
 * @param {string[]} op_ids
 * @param {Map<string, object>} [known] records that were opened a moment ago, by op_id: what has not changed
 *   since is not opened again
 */
export async function claim(op_ids, known = new Map()) {
  const taken = await write(async (ops) => {
    const found = [];
    for (const row of await Promise.all(op_ids.map((op_id) => ops.get(op_id)))) {
      if (!row || !(row.state === 'saved' || row.state === 'sending')) continue;
      row.state = 'sending';
      row.tries += 1;
      put(ops, row);
      found.push(row);
    }
    return found;
  });
  post({ t: 'outbox', change: 'sending' });
  return Promise.all(taken.map((row) => openedAnew(row, known.get(row.op_id))));
}

async function openedAnew(row, known) {
  const same = known && !known.unreadable && known.version === row.version;
  const record = same ? { ...known, state: row.state, tries: row.tries } : await rows.opened(row);
  return { ...record, sealed: row.sealed };
}

const STATE_AFTER = { applied: 'done', duplicate: 'done', conflict: 'conflict', rejected: 'rejected' };
// The server takes these later, from somebody else's session, or under a newer key: nobody has to mend anything.
const SEND_AGAIN = new Set(['missing_dependency', 'author_mismatch', 'cannot_open']);

/**
 * Write down what the server answered. `sent` and `results` are paired by op_id; an operation without its
 * own answer, or changed since it was sent, stays waiting. So does a refusal whose words cannot be kept
 * because the phone is locked: it is asked for again once somebody can read it.
 * @returns {Promise<{done: object[], needs: number, again: number}>}
 */
export async function settle(sent, results, now = Date.now()) {
  const answers = new Map();
  for (const result of results) {
    if (result && typeof result.op_id === 'string') answers.set(result.op_id, result);
  }
  const judged = await Promise.all(sent.map((record) => judgement(record, answers.get(record.op_id), now)));
  const outcome = await write(async (ops) => {
    const found = { done: [], needs: 0, again: 0 };
    const arrived = [];
    const stand = await Promise.all(sent.map(({ op_id }) => ops.get(op_id)));
    for (const [place, { record, changes }] of judged.entries()) {
      const row = stand[place];
      if (!row || row.state === 'done') continue;
      const stale = row.version !== record.version;
      put(ops, stale ? { ...row, state: 'saved' } : { ...row, ...changes });
      if (stale || changes.state === 'saved') found.again += 1;
      else if (changes.state !== 'done') found.needs += 1;
      else {
        found.done.push({ ...record, ...changes });
        arrived.push(row);
      }
    }
    await dropMended(ops, arrived);
    return found;
  });
  post({ t: 'outbox', change: 'settled' });
  return outcome;
}

async function judgement(record, result, now) {
  const known = result && STATE_AFTER[result.status];
  if (!known || SEND_AGAIN.has(result.code)) {
    return { record, changes: { state: 'saved', why: result?.code, reseal: result?.code === 'cannot_open' } };
  }
  if (known === 'done') {
    const { status, entity_id, revision, replaced_by } = result;
    const receipt = { status, entity_id, revision, ...(replaced_by ? { replaced_by } : {}) };
    return { record, changes: { state: 'done', done_at: now, receipt } };
  }
  // A copy that this phone could not read comes back from the server with its content.
  const { op, ...words } = result;
  const readable =
    record.unreadable && op
      ? { ...record, ...op, patient_id: op.payload?.patient_id, unreadable: undefined }
      : record;
  try {
    if (readable.unreadable) throw new Error('unreadable');
    const judged = await rows.judged({ ...readable, result: words });
    return { record, changes: { ...judged, state: known, why: undefined } };
  } catch {
    return { record, changes: { state: 'saved', refused: result.code } };
  }
}

/** Nothing is known about these: back to waiting, with the reason. */
export async function release(sent, why) {
  await write(async (ops) => {
    for (const { op_id } of sent) {
      const row = await ops.get(op_id);
      if (row?.state === 'sending') await ops.put({ ...row, state: 'saved', why });
    }
  });
  post({ t: 'outbox', change: 'released' });
}

/** Confirmed ones that the server turned out not to hold: sent again. Without `op_ids` all of them. */
export async function requeueDone(author_id, op_ids) {
  const wanted = op_ids && new Set(op_ids);
  const found = (await inState(author_id, 'done')).filter((row) => !wanted || wanted.has(row.op_id));
  await write(async (ops) => {
    for (const row of found)
      await ops.put({ ...row, state: 'saved', healed: (row.healed || 0) + (wanted ? 1 : 0) });
  });
  post({ t: 'outbox', change: 'requeued' });
  return found.length;
}

/** Receipts older than 30 days go; nothing else ever does by itself. */
export async function dropOldReceipts(author_id, now = Date.now()) {
  const old = (await inState(author_id, 'done')).filter((row) => row.done_at < now - KEEP_DONE_MS);
  if (!old.length) return;
  await write(async (ops) => {
    for (const row of old) await ops.delete(row.op_id);
  });
}
