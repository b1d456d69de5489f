// How a record lies on the disk. Plain: what the queue itself needs (ids, kind, state, times). Under the
// author's data key: what was written and what the server said of it. Sealed: the operation for the server.

import * as vault from '../vault/vault.js';
import { seal } from './seal.js';

export const SCHEMA = 2; // 1: everything plain, as the first release wrote it; 2: body, answer and seal

const CONTENT = [
  'recorded_at',
  'payload',
  'base_revision',
  'replaces',
  'label',
  'patient_id',
  'patient_name',
  'corrects',
];
const ANSWER = ['result'];

/** The operation as the contract writes it: exactly the same every time it is sent. */
export function wire(record) {
  const { op_id, device_id, author_id, kind, recorded_at, payload } = record;
  const op = { op_id, device_id, author_id, kind, recorded_at, payload };
  if (record.base_revision !== undefined) op.base_revision = record.base_revision;
  if (record.replaces !== undefined) op.replaces = record.replaces;
  return op;
}

/** A record as it is written to the disk. Throws LockedError when its author has not opened the phone. */
export async function closed(record) {
  const [body, sealed] = await Promise.all([
    vault.encrypt(pick(record, CONTENT), `op|${record.op_id}`),
    seal(wire(record)),
  ]);
  return { ...without(record), schema: SCHEMA, body, sealed, answer: await closedAnswer(record) };
}

/** What the server's words change in a row. The seal stays: what it holds is what was sent. */
export async function judged(record) {
  const body = await vault.encrypt(pick(record, CONTENT), `op|${record.op_id}`);
  return { body, answer: await closedAnswer(record) };
}

async function closedAnswer(record) {
  const answer = pick(record, ANSWER);
  return Object.keys(answer).length ? vault.encrypt(answer, `answer|${record.op_id}`) : null;
}

/**
 * A record as the pages know it. What cannot be read now (locked, another author, a data key that is gone)
 * comes without its content, marked `unreadable`.
 */
export async function opened(row) {
  const plain = { ...row };
  for (const name of ['body', 'sealed', 'answer']) delete plain[name];
  const { body, answer } = row;
  const receipt = plain.receipt ? { result: plain.receipt } : {};
  if (!body) return plain.payload ? plain : { ...plain, ...receipt, unreadable: true, label: '' };
  try {
    const content = await vault.decrypt(body, `op|${row.op_id}`);
    const said = answer ? await vault.decrypt(answer, `answer|${row.op_id}`) : {};
    return { ...plain, ...receipt, ...content, ...said };
  } catch {
    return { ...plain, ...receipt, unreadable: true, label: '' };
  }
}

function pick(record, names) {
  return Object.fromEntries(
    names.filter((name) => record[name] !== undefined).map((name) => [name, record[name]]),
  );
}

function without(record) {
  const hidden = new Set([...CONTENT, ...ANSWER, 'last_error', 'unreadable']);
  return Object.fromEntries(Object.entries(record).filter(([name]) => !hidden.has(name)));
}
