import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import { aVisit } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const { uuid7 } = await import('../../static/js/ids.js');

beforeEach(async () => {
  const db = await outbox.openStore();
  await db.clear('ops');
});

async function refused(result, extra = {}) {
  const record = await outbox.add(aVisit(extra));
  const sent = await outbox.claim([record.op_id]);
  await outbox.settle(sent, [{ op_id: record.op_id, ...result }]);
  return record;
}

test('a saved record has a name for ever, an author, a device and a local time', async () => {
  const record = await outbox.add(aVisit());
  assert.match(record.op_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(record.author_id, 'ann');
  assert.ok(record.device_id);
  assert.match(record.recorded_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
  assert.deepEqual(await outbox.get(record.op_id), record);
});

test('nothing is saved without an author', async () => {
  document.body.dataset.user = '';
  await assert.rejects(outbox.add(aVisit()));
  document.body.dataset.user = 'ann';
});

test('what the caller changes afterwards does not change the record', async () => {
  const payload = { answers: { systolic: 150 } };
  const record = await outbox.add(aVisit({ payload }));
  payload.answers.systolic = 1;
  assert.equal((await outbox.get(record.op_id)).payload.answers.systolic, 150);
});

test('undo takes back only what never left the phone', async () => {
  const record = await outbox.add(aVisit());
  assert.equal(await outbox.undo(record.op_id), true);
  assert.equal(await outbox.get(record.op_id), undefined);
  const other = await outbox.add(aVisit());
  const sent = await outbox.claim([other.op_id]);
  await outbox.release(sent, { code: 'unreachable' });
  assert.equal(await outbox.undo(other.op_id), false, 'the server may have it');
});

test('a refused record is mended under its own name', async () => {
  const record = await refused({ status: 'rejected', code: 'invalid' });
  const mended = await outbox.add(aVisit({ op_id: record.op_id, payload: { better: true } }));
  assert.equal(mended.op_id, record.op_id);
  assert.equal(mended.state, 'saved');
  assert.equal((await outbox.all('ann')).length, 1);
});

test('an overtaken record becomes a new operation', async () => {
  const record = await refused({ status: 'conflict', code: 'stale_revision', current: { revision: 2 } });
  const fresh = await outbox.add(aVisit({ op_id: record.op_id, base_revision: 2 }));
  assert.notEqual(fresh.op_id, record.op_id);
  assert.equal((await outbox.all('ann')).length, 1);
});

test('only what was refused or overtaken can be discarded', async () => {
  const waiting = await outbox.add(aVisit());
  assert.equal(await outbox.discard(waiting.op_id), false);
  const no = await refused({ status: 'rejected', code: 'invalid' });
  assert.equal(await outbox.discard(no.op_id), true);
  assert.deepEqual(
    (await outbox.all('ann')).map((op) => op.op_id),
    [waiting.op_id],
  );
});

test('receipts go after thirty days, nothing else does', async () => {
  await refused({ status: 'applied', entity_id: 'e', revision: 1 });
  await refused({ status: 'rejected', code: 'invalid' });
  await outbox.add(aVisit());
  await outbox.dropOldReceipts('ann', Date.now() + 29 * 86400000);
  assert.equal((await outbox.all('ann')).length, 3);
  await outbox.dropOldReceipts('ann', Date.now() + 31 * 86400000);
  assert.deepEqual((await outbox.all('ann')).map((op) => op.state).sort(), ['rejected', 'saved']);
});

test('each author sees only their own, the sign-in page only a number', async () => {
  await outbox.add(aVisit());
  await outbox.add(aVisit({ author_id: 'bob' }));
  assert.equal((await outbox.all('ann')).length, 1);
  assert.equal(await outbox.unsentOnPhone(), 2);
});

test('every write of the phone asks for strict durability', () => {
  const folder = new URL('../../static/js/offline/', import.meta.url);
  for (const name of readdirSync(folder)) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    const writes = source.match(/'readwrite'[^)]*\)/g) || [];
    for (const write of writes) assert.match(write, /STRICT\)/, name);
    assert.doesNotMatch(source, /\bdb\.(put|add|delete|clear)\(/, `${name}: shortcut writes are not strict`);
  }
});

test('ids rise within one millisecond and when the clock goes back', () => {
  const ids = [uuid7(5000), uuid7(5000), uuid7(4000), uuid7(6000)];
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(Array.from({ length: 5000 }, () => uuid7())).size, 5000);
});
