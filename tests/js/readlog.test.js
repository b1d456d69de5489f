import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { json, portal, problem } from './offline_setup.js';
import { openFor } from './vault_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const pages = await import('../../static/js/offline/pages.js');
const vault = await import('../../static/js/vault/vault.js');
const { see, report } = await import('../../static/js/offline/readlog.js');
const { send } = await import('../../static/js/offline/sender.js');

const ANNA = '01900000-0000-7000-8000-000000000001';
const BERT = '01900000-0000-7000-8000-000000000002';
const chart = (id) => `https://phone/patients/${id}`;
const MINUTE = 60000;
let now;

/** A server that keeps what is reported and counts how often it was asked. */
function aServer() {
  const server = { asked: [], kept: new Map(), answer: null };
  server.fetch = async (path, options) => {
    if (path === '/api/auth/me') return json({ user: { id: 'ann' }, limits: {}, epoch: 'one' });
    if (path !== '/api/sync/reads') throw new TypeError(`nothing at ${path}`);
    const { device_id, reads } = JSON.parse(options.body);
    server.asked.push({ device_id, reads });
    if (server.answer) return server.answer();
    const fresh = reads.filter(({ id }) => !server.kept.has(id));
    for (const read of fresh) server.kept.set(read.id, read);
    return json({ kept: fresh.length, known: reads.length - fresh.length });
  };
  return server;
}

beforeEach(async (t) => {
  now = Date.parse('2026-06-01T01:00:00Z');
  t.mock.method(Date, 'now', () => now);
  await openFor('ann');
  await pages.drop('ann');
  await outbox.setMeta('device:ann', 'phone-1');
});

test('an opened page is reported once with what the contract asks for', async () => {
  const server = aServer();
  assert.equal(await see('patient', chart(ANNA)), true);
  assert.equal(await see('visit-form', `https://phone/visits/new/adl?patient=${BERT}`), true);
  await report('ann', server);
  await report('ann', server);
  assert.equal(server.asked.length, 1);
  assert.equal(server.asked[0].device_id, 'phone-1');
  const reads = [...server.kept.values()].sort((a, b) => a.patient_id.localeCompare(b.patient_id));
  assert.deepEqual(
    reads.map(({ patient_id, page }) => [patient_id, page]),
    [
      [ANNA, 'patient'],
      [BERT, 'visit-form'],
    ],
  );
  for (const read of reads) {
    assert.deepEqual(Object.keys(read).sort(), ['at', 'id', 'page', 'patient_id']);
    assert.match(read.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
  }
});

test('one line per patient in ten minutes, reported or not', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  assert.equal(await see('patient', chart(ANNA)), false);
  await report('ann', server);
  now += 9 * MINUTE;
  assert.equal(await see('visit-form', `https://phone/visits/new/adl?patient=${ANNA}`), false);
  now += 2 * MINUTE;
  assert.equal(await see('patient', chart(ANNA)), true);
  await report('ann', server);
  assert.equal(server.kept.size, 2);
});

test('what was reported does not stay on the phone for ever', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  await report('ann', server);
  now += 11 * MINUTE;
  await report('ann', server);
  assert.deepEqual(await pages.draftsFrom('read|'), []);
});

test('pages that are nobody’s, and made-up addresses, leave nothing', async () => {
  const addresses = [
    ['today', 'https://phone/today'],
    ['patient', 'https://phone/patients/new'],
    ['patient', 'https://phone/patients/%E5%BC%A0'],
    ['visit-form', 'https://phone/visits/new/adl'],
    ['visit-form', `https://phone/visits/${ANNA}/correct`],
    ['order', `https://phone/orders/${ANNA}`],
  ];
  for (const [page, address] of addresses) assert.equal(await see(page, address), false, address);
});

test('nothing is lost while the server does not answer, or somebody else does', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  for (const answer of [
    () => portal(),
    () => json({ ok: true }),
    () => new Response(null, { status: 204 }),
    () => problem(503, 'unavailable'),
  ]) {
    server.answer = answer;
    await report('ann', server);
  }
  server.answer = () => {
    throw new TypeError('no network');
  };
  await assert.rejects(report('ann', server));
  server.answer = null;
  await report('ann', server);
  assert.equal(server.kept.size, 1);
});

test('a long time without signal is reported in batches the server takes', async () => {
  const server = aServer();
  for (let n = 0; n < 501; n += 1) {
    const id = `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;
    await pages.putDraft({ key: `read|${n}`, id, patient_id: ANNA, page: 'patient', at: 'x', noted_at: 0 });
  }
  await report('ann', server);
  assert.deepEqual(
    server.asked.map(({ reads }) => reads.length),
    [500, 1],
  );
  assert.deepEqual(await pages.draftsFrom('read|'), []);
});

test('it lies encrypted, and a locked phone neither writes nor reports', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  const store = await new Promise((resolve) => {
    const asked = indexedDB.open(pages.databaseOf('ann'));
    asked.onsuccess = () => resolve(asked.result);
  });
  const rows = await new Promise((resolve) => {
    const asked = store.transaction('drafts').objectStore('drafts').getAll();
    asked.onsuccess = () => resolve(asked.result);
  });
  store.close();
  assert.equal(rows.length, 1);
  assert.ok(!JSON.stringify(rows).includes(ANNA));
  vault.drop();
  assert.equal(await see('patient', chart(BERT)), false);
  await report('ann', server);
  assert.equal(server.asked.length, 0);
});

test('another person’s session reports nothing of this one', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  await outbox.setMeta('device:bob', 'phone-1');
  await report('bob', server);
  assert.equal(server.asked.length, 0);
});

test('the sender reports after it has pushed, and a failure there is none of sending', async () => {
  const server = aServer();
  await see('patient', chart(ANNA));
  server.answer = () => problem(503, 'unavailable');
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).outcome, 'idle');
  server.answer = null;
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).outcome, 'idle');
  assert.equal(server.kept.size, 1);
});
