import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, test } from 'node:test';
import { aVisit } from './offline_setup.js';
import { openFor } from './vault_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const vault = await import('../../static/js/vault/vault.js');
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

test('a refused record is mended by a new operation that names the old one, which stays until then', async () => {
  for (const answer of [
    { status: 'rejected', code: 'invalid' },
    { status: 'conflict', code: 'stale_revision', current: { revision: 2 } },
  ]) {
    const record = await refused(answer);
    const mended = await outbox.add(aVisit({ replaces: record.op_id, payload: { better: true } }));
    assert.notEqual(mended.op_id, record.op_id);
    assert.equal(mended.replaces, record.op_id);
    assert.equal((await outbox.get(record.op_id)).state, 'mended');
    assert.deepEqual(await outbox.needsCare('ann'), []);
    const sent = await outbox.claim([mended.op_id]);
    const { settle } = outbox;
    await settle(sent, [{ op_id: mended.op_id, status: 'applied', entity_id: 'e', revision: 1 }]);
    assert.equal(await outbox.get(record.op_id), undefined);
  }
});

test('taking back the mended one brings the refused one back', async () => {
  const record = await refused({ status: 'rejected', code: 'invalid' });
  const mended = await outbox.add(aVisit({ replaces: record.op_id }));
  assert.equal(await outbox.undo(mended.op_id), true);
  assert.equal((await outbox.get(record.op_id)).state, 'rejected');
});

test('nobody mends what waits to be sent, or what was mended already', async () => {
  const waiting = await outbox.add(aVisit());
  await assert.rejects(outbox.add(aVisit({ replaces: waiting.op_id })));
  const no = await refused({ status: 'rejected', code: 'invalid' });
  await outbox.add(aVisit({ replaces: no.op_id }));
  await assert.rejects(outbox.add(aVisit({ replaces: no.op_id })));
});

test('a visit of a person registered offline follows the mended registration', async () => {
  const person = await outbox.add({ kind: 'patient.create', payload: { name: '宁如意' } });
  const visit = await outbox.add(aVisit({ payload: { patient_id: person.op_id }, patient_id: person.op_id }));
  const sent = await outbox.claim([person.op_id]);
  await outbox.settle(sent, [{ op_id: person.op_id, status: 'rejected', code: 'invalid' }]);
  const mended = await outbox.add({
    kind: 'patient.create',
    payload: { name: '宁如意' },
    replaces: person.op_id,
  });
  const found = await outbox.get(visit.op_id);
  assert.equal(found.payload.patient_id, mended.op_id);
  assert.equal(found.patient_id, mended.op_id);
  const order = (await outbox.all('ann')).filter((op) => op.state === 'saved').map((op) => op.op_id);
  assert.deepEqual(order, [mended.op_id, visit.op_id]);
});

async function refusedPerson() {
  const person = await outbox.add({ kind: 'patient.create', payload: { name: '宁如意' } });
  const visit = await outbox.add(aVisit({ payload: { patient_id: person.op_id }, patient_id: person.op_id }));
  const sent = await outbox.claim([person.op_id]);
  await outbox.settle(sent, [{ op_id: person.op_id, status: 'rejected', code: 'invalid' }]);
  const mend = () =>
    outbox.add({ kind: 'patient.create', payload: { name: '宁如意' }, replaces: person.op_id });
  return { person, visit, mend };
}

test('a visit that is under way while its person is mended follows as well, whatever its answer', async () => {
  const { visit, mend } = await refusedPerson();
  const under_way = await outbox.claim([visit.op_id]);
  const mended = await mend();
  assert.equal((await outbox.get(visit.op_id)).state, 'sending');
  await outbox.settle(under_way, [{ op_id: visit.op_id, status: 'rejected', code: 'missing_dependency' }]);
  const found = await outbox.get(visit.op_id);
  assert.equal(found.state, 'saved');
  assert.equal(found.payload.patient_id, mended.op_id);
  const [again] = await outbox.claim([visit.op_id]);
  assert.equal(again.tries, 2); // it has left the phone: no undo
  await outbox.settle([again], [{ op_id: visit.op_id, status: 'applied', entity_id: 'e', revision: 1 }]);
  assert.equal((await outbox.get(visit.op_id)).state, 'done');
});

test('taking back a mended person brings the visits back to the refused one', async () => {
  const { person, visit, mend } = await refusedPerson();
  assert.equal(await outbox.undo((await mend()).op_id), true);
  const found = await outbox.get(visit.op_id);
  assert.equal(found.payload.patient_id, person.op_id);
  assert.equal(found.patient_id, person.op_id);
  const mended = await mend();
  assert.equal((await outbox.get(visit.op_id)).payload.patient_id, mended.op_id);
});

test('nothing a person wrote lies readable on the disk', async () => {
  const record = await outbox.add(aVisit({ payload: { note: '家住河东村' } }));
  const sent = await outbox.claim([record.op_id]);
  await outbox.settle(sent, [
    { op_id: record.op_id, status: 'rejected', code: 'invalid', detail: '宁如意的血压' },
  ]);
  const row = await (await outbox.openStore()).get('ops', record.op_id);
  const text = JSON.stringify(row, (_k, v) => (v instanceof Uint8Array ? new TextDecoder().decode(v) : v));
  for (const word of ['河东村', '宁如意', '高血压']) assert.ok(!text.includes(word), word);
  assert.equal((await outbox.get(record.op_id)).result.detail, '宁如意的血压');
});

test('under another key a record is known by its kind only', async () => {
  const record = await outbox.add(aVisit());
  const key = vault.holding();
  vault.drop();
  assert.equal((await outbox.get(record.op_id)).unreadable, true);
  assert.deepEqual(await outbox.pending('ann'), []);
  assert.equal((await outbox.waiting('ann')).length, 1);
  assert.equal((await outbox.counts('ann')).waiting, 1);
  await assert.rejects(outbox.add(aVisit()), { name: 'LockedError' });
  vault.adopt(key);
  assert.equal((await outbox.get(record.op_id)).patient_name, '宁如意');
});

const OLD = {
  ...{ op_id: '0197-old', author_id: 'ann', device_id: 'd', kind: 'visit.create', n: 1, state: 'saved' },
  ...{ version: 1, tries: 0, saved_at: 1, schema: 1, label: '高血压随访', patient_name: '宁如意' },
  ...{ recorded_at: '2026-06-01T09:12:00+08:00', payload: { patient_id: 'p1' }, patient_id: 'p1' },
};
const isClosed = (row) => Boolean(row.body) && !('payload' in row) && !('patient_name' in row);

/** Let `meanwhile` happen once, just when the first row was read and is being closed. */
function whileClosing(meanwhile) {
  const { encrypt } = crypto.subtle;
  crypto.subtle.encrypt = async (...how) => {
    crypto.subtle.encrypt = encrypt;
    await meanwhile();
    return crypto.subtle.encrypt(...how);
  };
}

test('what the first release kept open is closed at the first opening', async () => {
  const db = await outbox.openStore();
  await db.put('ops', OLD);
  assert.equal((await outbox.get('0197-old')).patient_name, '宁如意');
  await outbox.protect('ann');
  const row = await db.get('ops', '0197-old');
  assert.ok(isClosed(row));
  const now = await outbox.get('0197-old');
  for (const [name, value] of Object.entries(OLD)) {
    if (name !== 'schema') assert.deepEqual(now[name], value, name);
  }
});

test('a receipt that comes while a record is being closed is kept with it', async () => {
  const db = await outbox.openStore();
  await db.put('ops', OLD);
  const sent = await outbox.claim([OLD.op_id]);
  const applied = { op_id: OLD.op_id, status: 'applied', entity_id: 'e', revision: 1 };
  whileClosing(() => outbox.settle(sent, [applied], 77));
  await outbox.protect('ann');
  const row = await db.get('ops', OLD.op_id);
  assert.ok(isClosed(row));
  assert.deepEqual([row.state, row.done_at, row.receipt?.entity_id], ['done', 77, 'e']);
});

test('a refusal that comes while a record is being closed keeps its words and nothing in plain', async () => {
  const db = await outbox.openStore();
  await db.put('ops', OLD);
  const sent = await outbox.claim([OLD.op_id]);
  const refusal = { op_id: OLD.op_id, status: 'rejected', code: 'invalid', detail: '身份证号不对' };
  whileClosing(() => outbox.settle(sent, [refusal]));
  await outbox.protect('ann');
  assert.ok(isClosed(await db.get('ops', OLD.op_id)));
  const now = await outbox.get(OLD.op_id);
  assert.deepEqual([now.state, now.result?.detail, now.payload], ['rejected', '身份证号不对', OLD.payload]);
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
  const folders = ['offline', 'vault'].map((name) => new URL(`../../static/js/${name}/`, import.meta.url));
  for (const [folder, name] of folders.flatMap((f) => readdirSync(f).map((n) => [f, n]))) {
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

test('nobody mends a record that is not here any more', async () => {
  const gone = { name: 'SettledError' };
  await assert.rejects(outbox.add(aVisit({ replaces: uuid7() })), gone);
  assert.equal((await outbox.all('ann')).length, 0);
});

test('two tabs mend the same record: one of them makes a new one', async () => {
  const record = await refused({ status: 'rejected', code: 'invalid' });
  const both = await Promise.allSettled([1, 2].map(() => outbox.add(aVisit({ replaces: record.op_id }))));
  assert.deepEqual(both.map((one) => one.status).sort(), ['fulfilled', 'rejected']);
  assert.equal(both.find((one) => one.reason)?.reason.name, 'SettledError');
  assert.equal((await outbox.waiting('ann')).length, 1);
});

test('a refused record that went with the data key is asked about again and comes back readable', async () => {
  const record = await refused({ status: 'rejected', code: 'invalid' });
  const db = await outbox.openStore();
  const row = await db.get('ops', record.op_id);
  await db.put('ops', { ...row, sealed: { key_id: '202606', data: Uint8Array.of(1) } });
  const before = vault.holding();
  await openFor('ann');
  assert.equal((await outbox.get(record.op_id)).unreadable, true);
  await outbox.protect('ann');
  assert.equal((await outbox.get(record.op_id)).state, 'saved');
  const sent = await outbox.claim([record.op_id]);
  const op = {
    op_id: record.op_id,
    kind: 'visit.create',
    payload: record.payload,
    recorded_at: record.recorded_at,
  };
  await outbox.settle(sent, [{ op_id: record.op_id, status: 'rejected', code: 'invalid', op }]);
  const back = await outbox.get(record.op_id);
  assert.deepEqual([back.state, back.payload, back.patient_id], ['rejected', record.payload, 'p1']);
  assert.equal(back.unreadable, undefined);
  vault.adopt(before);
});
