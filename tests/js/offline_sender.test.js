import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { aServer, aVisit, json, portal, problem } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const vault = await import('../../static/js/vault/vault.js');
const { send } = await import('../../static/js/offline/sender.js');

const push = (server, reason = 'button') => send({ reason, fetch: server.fetch });
const states = async () => (await outbox.all('ann')).map((op) => op.state);

beforeEach(async () => {
  const db = await outbox.openStore();
  const tx = db.transaction(['ops', 'meta'], 'readwrite');
  await Promise.all([tx.objectStore('ops').clear(), tx.objectStore('meta').clear(), tx.done]);
  document.body.dataset.user = 'ann';
});

test('what was recorded is sent once and kept as a receipt', async () => {
  const server = aServer();
  const record = await outbox.add(aVisit());
  const result = await push(server);
  assert.equal(result.outcome, 'sent');
  assert.deepEqual(server.applied, [record.op_id]);
  const [kept] = await outbox.all('ann');
  assert.equal(kept.state, 'done');
  assert.equal(kept.result.entity_id, record.op_id);
  assert.ok(kept.done_at);
});

test('operations go in the order they were recorded, even when the clock is set back', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-06-02T10:00:00Z') });
  const first = await outbox.add(aVisit());
  t.mock.timers.setTime(Date.parse('2021-06-02T10:00:00Z'));
  const second = await outbox.add(aVisit());
  t.mock.timers.reset();
  const server = aServer();
  await push(server);
  assert.deepEqual(server.applied, [first.op_id, second.op_id]);
});

test('a captive portal that answers 200 is not a receipt', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.fault = () => portal();
  assert.equal((await push(server)).outcome, 'unreachable');
  assert.deepEqual(await states(), ['saved']);
  server.fault = () => json({ ok: true });
  await push(server);
  assert.deepEqual(await states(), ['saved']);
  server.me = () => portal();
  assert.equal((await push(server)).outcome, 'unreachable');
});

test('a gateway error after the commit ends as one record', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.fault = (_ops, when) => (when === 'after' ? new Response('Bad gateway', { status: 502 }) : null);
  await push(server);
  assert.deepEqual(await states(), ['saved']);
  assert.equal(server.applied.length, 1);
  server.fault = null;
  await push(server);
  const [record] = await outbox.all('ann');
  assert.equal(record.state, 'done');
  assert.equal(record.result.status, 'duplicate');
  assert.equal(server.applied.length, 1);
});

test('the same operation is sent letter for letter the second time', async () => {
  const server = aServer();
  await outbox.add(aVisit({ base_revision: 3 }));
  server.fault = () => {
    throw new TypeError('cut');
  };
  await push(server);
  await push(server);
  assert.equal(server.pushes.length, 2);
  assert.equal(JSON.stringify(server.pushes[0]), JSON.stringify(server.pushes[1]));
});

test('413 halves the batch until it fits', async () => {
  const server = aServer();
  for (let n = 0; n < 9; n += 1) await outbox.add(aVisit());
  server.fault = (ops) =>
    ops.length > 3 ? problem(413, 'too_large', { max_ops: 100, max_bytes: 1048576 }) : null;
  const result = await push(server);
  assert.equal(result.sent, 9);
  assert.equal(server.applied.length, 9);
  assert.ok(server.pushes.slice(-4).every((ops) => ops.length <= 3));
});

test('a single operation the server finds too large waits for a person, a proxy that says so does not count', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.fault = () =>
    new Response('<h1>413</h1>', { status: 413, headers: { 'Content-Type': 'text/html' } });
  await push(server);
  assert.deepEqual(await states(), ['saved']);
  server.fault = () => problem(413, 'too_large', { max_ops: 100, max_bytes: 1048576 });
  await push(server);
  assert.deepEqual(await states(), ['rejected']);
});

test('batches keep to the limits the server names', async () => {
  const server = aServer({ limits: { max_ops: 4, max_bytes: 1048576 } });
  for (let n = 0; n < 10; n += 1) await outbox.add(aVisit());
  await push(server);
  assert.deepEqual(
    server.pushes.map((ops) => ops.length),
    [4, 4, 2],
  );
});

test('after 429 nothing is sent before the named time, not even by the button', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.fault = () => problem(429, 'too_many_requests', {}, { 'Retry-After': '30' });
  const result = await push(server);
  assert.equal(result.outcome, 'busy');
  assert.equal(result.retry_ms, 30000);
  server.fault = null;
  const again = await push(server);
  assert.equal(again.outcome, 'waiting');
  assert.ok(again.retry_ms > 25000 && again.retry_ms <= 30000);
  assert.equal(server.applied.length, 0);
});

test('back-off grows, and a timer waits for it while a real event does not', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.me = () => {
    throw new TypeError('no network');
  };
  const waits = [];
  for (let n = 0; n < 5; n += 1) waits.push((await push(server, 'online')).retry_ms);
  assert.ok(waits[4] > waits[0]);
  assert.equal((await push(server, 'timer')).outcome, 'waiting');
  server.me = null;
  assert.equal((await push(server, 'online')).outcome, 'sent');
});

test('once the line is well, a record does not wait out the failures before it', async () => {
  const server = aServer();
  server.me = () => {
    throw new TypeError('no network');
  };
  for (let n = 0; n < 5; n += 1) await push(server, 'online');
  server.me = null;
  assert.equal((await push(server, 'online')).outcome, 'idle');
  await outbox.add(aVisit());
  assert.equal((await push(server, 'timer')).outcome, 'sent');
});

test('a session that expired leaves the queue untouched', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.signedIn = false;
  assert.equal((await push(server)).outcome, 'signed_out');
  assert.deepEqual(await states(), ['saved']);
  assert.equal(server.pushes.length, 0);
  server.signedIn = true;
  server.fault = () => problem(401, 'session_expired');
  assert.equal((await push(server)).outcome, 'signed_out');
  assert.deepEqual(await states(), ['saved']);
  server.fault = () => problem(401, 'device_revoked');
  assert.equal((await push(server)).outcome, 'revoked');
  assert.deepEqual(await states(), ['saved']);
});

test('another person on the same phone sends none of the first one’s records', async () => {
  await outbox.add(aVisit());
  const server = aServer({ user: 'bob' });
  await push(server);
  assert.equal(server.pushes.length, 0);
  assert.deepEqual(await states(), ['saved']);
  server.user = 'ann';
  await push(server);
  assert.deepEqual(await states(), ['done']);
});

test('one refused operation does not hold up the others', async () => {
  const server = aServer();
  const ops = [];
  for (let n = 0; n < 4; n += 1) ops.push(await outbox.add(aVisit()));
  server.judge = (op) => {
    if (op.op_id === ops[1].op_id) return { status: 'rejected', code: 'invalid', errors: [] };
    if (op.op_id === ops[2].op_id)
      return { status: 'conflict', code: 'stale_revision', current: { revision: 3 } };
    return null;
  };
  const result = await push(server);
  assert.equal(result.sent, 2);
  assert.deepEqual(await states(), ['done', 'rejected', 'conflict', 'done']);
  assert.deepEqual(await outbox.counts('ann'), { waiting: 0, sending: 0, needs: 2 });
});

test('an operation without a result of its own stays waiting', async () => {
  const server = aServer();
  const a = await outbox.add(aVisit());
  const b = await outbox.add(aVisit());
  server.fault = (_ops, when) =>
    when === 'after'
      ? json({
          results: [
            { op_id: b.op_id, status: 'applied', entity_id: b.op_id, revision: 1 },
            { op_id: 'x', status: 'applied' },
          ],
        })
      : null;
  await push(server);
  assert.equal((await outbox.get(a.op_id)).state, 'saved');
  assert.equal((await outbox.get(b.op_id)).state, 'done');
});

test('what depends on a record not yet there is sent again by itself', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  server.judge = () => ({ status: 'rejected', code: 'missing_dependency' });
  assert.equal((await push(server)).outcome, 'partly');
  assert.deepEqual(await states(), ['saved']);
  server.judge = null;
  await push(server);
  assert.deepEqual(await states(), ['done']);
});

test('an answer to an older version of a record does not mark the newer one sent', async () => {
  const record = await outbox.add(aVisit());
  const [sent] = await outbox.claim([record.op_id]);
  const stale = { ...sent, version: 0 };
  await outbox.settle(
    [stale],
    [{ op_id: record.op_id, status: 'applied', entity_id: record.op_id, revision: 1 }],
  );
  assert.deepEqual(await states(), ['saved']);
});

test('a record under way can be neither changed in place nor undone', async () => {
  const server = aServer();
  const record = await outbox.add(aVisit());
  let refused;
  let undone;
  server.fault = async (_ops, when) => {
    if (when !== 'before') return null;
    refused = await outbox
      .add(aVisit({ replaces: record.op_id, payload: { changed: true } }))
      .catch((e) => e);
    undone = await outbox.undo(record.op_id);
    return null;
  };
  await push(server);
  assert.ok(refused instanceof Error);
  assert.equal(undone, false);
  assert.deepEqual((await outbox.get(record.op_id)).payload, record.payload);
});

test('a browser killed while sending sends the same again', async () => {
  const server = aServer();
  const record = await outbox.add(aVisit());
  await outbox.claim([record.op_id]);
  assert.deepEqual(await states(), ['sending']);
  await push(server);
  assert.deepEqual(await states(), ['done']);
});

test('what is recorded while a batch is under way is sent in the same run', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  let added = false;
  server.fault = async () => {
    if (!added) {
      added = true;
      await outbox.add(aVisit());
    }
    return null;
  };
  await push(server);
  assert.deepEqual(await states(), ['done', 'done']);
});

test('what is taken back while its request is ready does not go', async () => {
  const server = aServer();
  const records = [];
  for (let n = 0; n < 150; n += 1) records.push(await outbox.add(aVisit()));
  let undone;
  server.fault = async (_ops, when) => {
    if (when === 'after' && undone === undefined) {
      await new Promise((go) => setTimeout(go, 50)); // the next request is ready by now
      undone = await outbox.undo(records[120].op_id);
    }
    return null;
  };
  await push(server);
  assert.equal(undone, true);
  assert.ok(!server.applied.includes(records[120].op_id));
  assert.equal(server.applied.length, 149);
});

test('calls that overlap send everything once', async () => {
  const server = aServer();
  for (let n = 0; n < 5; n += 1) await outbox.add(aVisit());
  await Promise.all([push(server), push(server), push(server)]);
  assert.equal(server.pushes.flat().length, 5);
});

test('a held record waits for its ten seconds unless the button is pressed', async () => {
  const server = aServer();
  await outbox.add(aVisit({ hold_ms: 10000 }));
  assert.equal((await push(server, 'added')).sent, 0);
  assert.equal((await push(server, 'button')).sent, 1);
});

test('the next try comes when a hold is over, when the sender may, or after a minute', async (t) => {
  const { untilNext } = await import('../../static/js/offline/pace.js');
  t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-06-02T10:00:00Z') });
  assert.equal(await untilNext('ann', { outcome: 'idle' }), 60000);
  assert.equal(await untilNext('ann', { outcome: 'unreachable', retry_ms: 2500 }), 2500);
  assert.equal(await untilNext('ann', { outcome: 'busy', retry_ms: 0 }), 1000);
  await outbox.add(aVisit({ hold_ms: 10000 }));
  const key = vault.holding();
  vault.drop();
  assert.equal(await untilNext('ann', undefined), 10100); // also while the phone is locked
  vault.adopt(key);
  t.mock.timers.setTime(Date.parse('2026-06-02T10:00:11Z'));
  assert.equal(await untilNext('ann', { outcome: 'sent' }), 60000);
});

test('a server restored from a backup gets the kept copies again', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  await push(server);
  server.kept.clear();
  server.epoch = 'two';
  await push(server);
  assert.equal(server.kept.size, 1);
  assert.deepEqual(await states(), ['done']);
});

test('large bodies travel compressed', async () => {
  const server = aServer();
  for (let n = 0; n < 30; n += 1) await outbox.add(aVisit());
  let encoding;
  const fetch = (path, options) => {
    if (path === '/api/sync/push') encoding = options.headers['Content-Encoding'];
    return server.fetch(path, options);
  };
  await send({ reason: 'button', fetch });
  assert.equal(encoding, 'gzip');
  assert.equal(server.applied.length, 30);
});

test('a phone without room sends what it holds, and notes it once there is room', async (t) => {
  const server = aServer();
  const record = await outbox.add(aVisit());
  const held = await outbox.add({ ...aVisit(), hold_ms: 60000 });
  const put = t.mock.method(IDBObjectStore.prototype, 'put', () => {
    throw new DOMException('no room', 'QuotaExceededError');
  });
  assert.equal((await push(server)).outcome, 'partly');
  assert.deepEqual(server.applied, [record.op_id]); // the other could still be taken back
  assert.deepEqual(await states(), ['saved', 'saved']);
  put.mock.restore();
  await push(server);
  assert.deepEqual(await states(), ['done', 'done']);
  assert.deepEqual(server.applied, [record.op_id, held.op_id]);
});
