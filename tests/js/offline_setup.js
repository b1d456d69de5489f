// A browser's storage, a server to push to, and nothing else.

import 'fake-indexeddb/auto';
import { openFor } from './vault_setup.js';

await openFor('ann');

globalThis.document = { body: { dataset: { user: 'ann' } }, querySelectorAll: () => [] };

export const json = (body, { status = 200, headers = {}, type = 'application/json' } = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type, ...headers } });

export const problem = (status, code, extra = {}, headers = {}) =>
  json(
    { type: 'about:blank', title: code, status, code, ...extra },
    { status, headers, type: 'application/problem+json' },
  );

export const portal = () =>
  new Response('<html>Welcome to the wi-fi</html>', {
    status: 200,
    headers: { 'Content-Type': 'text/html' },
  });

async function opsOf(options) {
  let body = options.body;
  if (options.headers['Content-Encoding'] === 'gzip') {
    body = await new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
  }
  return JSON.parse(body).ops;
}

/** A server that keeps operations and counts how often each was applied. Faults come from `fault(ops)`. */
export function aServer({ user = 'ann', limits = { max_ops: 100, max_bytes: 1048576 } } = {}) {
  const server = {
    user,
    limits,
    epoch: 'one',
    kept: new Map(),
    applied: [],
    pushes: [],
    fault: null,
    signedIn: true,
    async fetch(path, options = {}) {
      if (path === '/api/auth/me') {
        if (server.me) return server.me();
        if (!server.signedIn) return problem(401, 'session_expired');
        return json({ user: { id: server.user }, limits: server.limits, epoch: server.epoch });
      }
      if (path !== '/api/sync/push') throw new TypeError(`nothing at ${path}`);
      if (!server.signedIn) return problem(401, 'session_expired');
      const meant = options.headers['Nuanxun-User'];
      if (meant !== undefined && meant !== server.user) return problem(409, 'other_user');
      const ops = await opsOf(options);
      server.pushes.push(ops);
      const early = server.fault && (await server.fault(ops, 'before'));
      if (early) return early;
      const results = ops.map((op) => server.take(op));
      const late = server.fault && (await server.fault(ops, 'after'));
      return late || json({ server_time: '2026-06-01T10:00:00+08:00', results });
    },
    take(op) {
      if (server.judge) {
        const own = server.judge(op);
        if (own) return { op_id: op.op_id, ...own };
      }
      if (server.kept.has(op.op_id)) {
        return { op_id: op.op_id, status: 'duplicate', entity_id: op.op_id, revision: 1 };
      }
      server.kept.set(op.op_id, op);
      server.applied.push(op.op_id);
      return { op_id: op.op_id, status: 'applied', entity_id: op.op_id, revision: 1 };
    },
  };
  return server;
}

export const aVisit = (extra = {}) => ({
  kind: 'visit.create',
  payload: { patient_id: 'p1', form: 'hypertension', answers: { systolic: 186 } },
  label: '高血压随访',
  patient_id: 'p1',
  patient_name: '宁如意',
  ...extra,
});
