// Phone and server compare what is called delivered.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { aServer, aVisit, json } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const receipts = await import('../../static/js/offline/receipts.js');
const { send } = await import('../../static/js/offline/sender.js');

beforeEach(async () => {
  const db = await outbox.openStore();
  await db.clear('ops');
  await db.clear('meta');
  await receipts.knowDevice('ann');
});

/** A server that also tells which operations it holds. */
function telling(server) {
  return async (path, options) => {
    if (!path.startsWith('/api/sync/receipts')) return server.fetch(path, options);
    const op_ids = [...server.kept.keys()].sort();
    return json({ count: op_ids.length, digest: await receipts.digestOf(op_ids), op_ids });
  };
}

test('what is there is compared and said to be there', async () => {
  const server = aServer();
  await outbox.add(aVisit());
  await send({ reason: 'button', fetch: telling(server) });
  const { held, missing, healed, checked_at } = await receipts.last('ann');
  assert.deepEqual([held, missing, healed], [1, 0, undefined]);
  assert.ok(checked_at > 0);
});

test('what was only said to be there is sent again at once, and that is remembered until it was read', async () => {
  const server = aServer();
  const made = [await outbox.add(aVisit()), await outbox.add(aVisit())];
  server.fault = (ops, when) => {
    if (when !== 'before') return undefined;
    server.fault = null;
    return json({
      results: ops.map(({ op_id }) => ({ op_id, status: 'applied', entity_id: op_id, revision: 1 })),
    });
  };
  await send({ reason: 'button', fetch: telling(server) });
  assert.deepEqual(server.applied.sort(), made.map((record) => record.op_id).sort());
  const { held, missing, healed } = await receipts.last('ann');
  assert.deepEqual([held, missing, healed], [2, 0, 2]);
  await receipts.understood('ann');
  assert.equal((await receipts.last('ann')).healed, undefined);
});
