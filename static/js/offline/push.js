// One request with a batch of operations, and what its answer means. Readable ones go as the contract writes
// them; those this phone cannot read now go as they were sealed.

import { localIso } from '../when.js';
import { ask, json, outcomeOf, retryAfter } from './net.js';
import { wire } from './rows.js';
import { toBase64url } from './seal.js';

const GZIP_FROM_BYTES = 1024;
const SENT_AS = 'Nuanxun-User'; // the server looks at nothing when somebody else is signed in
const encoder = new TextEncoder();

export function size(text) {
  return encoder.encode(text).length;
}

/**
 * A request made ready: it may be, while the one before it is still under way.
 * @param {object[]} batch records as the outbox claimed them, or as they will be
 * @param {{sealed: boolean, echo: boolean}} how echo: give back what is refused, since this phone cannot read
 *   its own copy
 */
export async function packed(batch, { sealed, echo }) {
  const sent_at = localIso(new Date());
  const text = JSON.stringify(
    sealed
      ? { sent_at, sealed: batch.map(asSealed), ...(echo ? { echo } : {}) }
      : { sent_at, ops: batch.map(asPlain) },
  );
  const bytes = size(text);
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const path = sealed ? '/api/sync/sealed' : '/api/sync/push';
  if (bytes <= GZIP_FROM_BYTES || typeof CompressionStream !== 'function')
    return { path, headers, body: text, bytes };
  headers['Content-Encoding'] = 'gzip';
  return { path, headers, body: await gzip(text), bytes };
}

/** How an operation stands in a batch. */
export const asPlain = wire;

export function asSealed({ op_id, author_id, sealed }) {
  return { op_id, author_id, key_id: sealed.key_id, data: toBase64url(sealed.data) };
}

/**
 * @param {object} request as packed() made it
 * @param {{as: string, line: Function, fetch?: typeof fetch}} how as: whose session it is for; line: sharedLine()
 * @returns {Promise<{results?: object[], too_large?: object, outcome?: string, retry_ms?: number | null}>}
 */
export function push({ path, headers, body, bytes }, { as, line, fetch }) {
  return line(bytes, async (signal) => {
    try {
      const named = { ...headers, [SENT_AS]: as };
      return await meant(await ask(path, { method: 'POST', headers: named, body, signal, fetch }));
    } catch {
      return { outcome: 'unreachable', retry_ms: null };
    }
  });
}

async function meant(response) {
  const answer = await json(response);
  if (response.status === 200 && Array.isArray(answer?.results)) return { results: answer.results };
  // Any 413 halves the batch, a proxy's too; only our own says anything about a single operation.
  if (response.status === 413) return { too_large: answer || {}, outcome: 'busy', retry_ms: null };
  if (response.status === 409 && answer?.code === 'other_user') return { outcome: 'other_user' };
  const outcome = outcomeOf(response, answer);
  // Our own server, but neither results nor "wait" nor "sign in": it is broken for now.
  return { outcome: outcome === 'ok' ? 'busy' : outcome, retry_ms: retryAfter(response) };
}

async function gzip(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}
