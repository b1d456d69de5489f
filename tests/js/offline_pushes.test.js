// Several requests under way, and the first of them before the server has said who is signed in.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { aServer, aVisit, json, problem } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const vault = await import('../../static/js/vault/vault.js');
const { send } = await import('../../static/js/offline/sender.js');

const states = async () => (await outbox.all('ann')).map((op) => op.state);
const turns = (ms = 30) => new Promise((go) => setTimeout(go, ms));
let key;

beforeEach(async () => {
  const db = await outbox.openStore();
  const tx = db.transaction(['ops', 'meta'], 'readwrite');
  await Promise.all([tx.objectStore('ops').clear(), tx.objectStore('meta').clear(), tx.done]);
  document.body.dataset.user = 'ann';
  key = key || vault.holding();
  vault.adopt(key);
});

/** A visit of a person of its own. */
const visitOf = (patient_id, extra = {}) =>
  outbox.add(aVisit({ patient_id, payload: { patient_id, form: 'adl', answers: {} }, ...extra }));

const register = (extra = {}) =>
  outbox.add({ kind: 'patient.create', payload: { name: '宁如意' }, label: '登记', ...extra });

async function visits(count, from = 0) {
  const made = [];
  for (let n = from; n < from + count; n += 1) made.push(await visitOf(`p${n}`));
  return made;
}

/** Every request is kept until `answer(n)`: by the place in which it came. `paths` tells what came. */
function waiting(server) {
  const kept = [];
  const paths = [];
  const sizes = [];
  return {
    kept,
    paths,
    sizes,
    fetch: async (path, options = {}) => {
      const place = paths.push(path) - 1;
      const turn = new Promise((go) => {
        kept[place] = go;
        options.signal?.addEventListener('abort', () => go(() => Promise.reject(new TypeError('too late'))));
      });
      sizes[place] = (await outbox.counts('ann')).sending;
      const instead = await turn;
      return instead ? instead() : server.fetch(path, options);
    },
    answer(place, instead) {
      kept[place](instead);
    },
    pushes: () => paths.map((path, place) => (path === '/api/sync/push' ? place : -1)).filter((n) => n >= 0),
    greeting: () => paths.indexOf('/api/auth/me'),
  };
}

async function until(true_now) {
  for (let n = 0; n < 400; n += 1) {
    if (await true_now()) return;
    await turns(5);
  }
  assert.fail(`still not: ${true_now}`);
}

/** A phone that has met its server once. */
async function met(server) {
  await send({ reason: 'button', fetch: server.fetch });
}

// -- several under way ---------------------------------------------------------------------------------------

test('250 visits of 250 people go in four even requests at once, and each is there once', async () => {
  const server = aServer();
  await visits(250);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.paths.length === 1);
  line.answer(0); // who is signed in, on a phone that never heard it
  await until(() => line.paths.length === 5);
  await until(() => line.sizes[4] !== undefined);
  assert.deepEqual(line.sizes.slice(1), [63, 126, 188, 250]); // what is under way is marked, and nothing else
  await turns();
  assert.equal(line.paths.length, 5);
  for (const place of [3, 1, 4, 2]) line.answer(place);
  assert.equal((await sending).sent, 250);
  assert.equal(new Set(server.applied).size, 250);
  assert.equal(server.applied.length, 250);
  assert.ok((await states()).every((state) => state === 'done'));
});

test('no more than four are under way, and the next goes when one has landed', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(55);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 4);
  await turns();
  assert.equal(line.pushes().length, 4);
  line.answer(line.pushes()[1]);
  await until(() => line.pushes().length === 5);
  await turns();
  assert.equal(line.pushes().length, 5);
  assert.equal(server.applied.length, 10);
  for (let place = 0; place < line.paths.length; place += 1) line.answer(place);
  await until(() => line.pushes().length === 6);
  line.answer(line.pushes()[5]);
  assert.equal((await sending).sent, 55);
});

test('a second visit of a person waits for the first', async () => {
  const server = aServer({ limits: { max_ops: 2, max_bytes: 1048576 } });
  await met(server);
  const [one, two, third, fourth] = [
    await visitOf('a'),
    await visitOf('b'),
    await visitOf('a'),
    await visitOf('c'),
  ];
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 2);
  await turns();
  assert.equal(line.pushes().length, 2);
  line.answer(line.pushes()[1]);
  await until(() => server.applied.length === 1);
  assert.deepEqual(server.applied, [fourth.op_id]);
  await turns();
  assert.equal(line.pushes().length, 2); // nothing but what waits for the first is left
  line.answer(line.pushes()[0]);
  await until(() => line.pushes().length === 3);
  line.answer(line.pushes()[2]);
  line.answer(line.greeting());
  assert.equal((await sending).sent, 4);
  assert.deepEqual(server.applied, [fourth.op_id, one.op_id, two.op_id, third.op_id]);
});

test('what concerns a person registered, changed or corrected before it waits for that', async () => {
  const about = {
    registered: (person) => register({ op_id: person }),
    'patient.update': (patient_id) => outbox.add({ kind: 'patient.update', payload: { patient_id } }),
    'visit.correct': (patient_id) =>
      outbox.add({ kind: 'visit.correct', payload: { visit_id: 'v' }, base_revision: 1, patient_id }),
    'order.create': (patient_id) => outbox.add({ kind: 'order.create', payload: { patient_id } }),
    'order.transition': (patient_id) =>
      outbox.add({ kind: 'order.transition', payload: { order_id: 'o' }, base_revision: 1, patient_id }),
  };
  for (const [name, make] of Object.entries(about)) {
    await (await outbox.openStore()).clear('ops');
    const server = aServer({ limits: { max_ops: 2, max_bytes: 1048576 } });
    await met(server);
    await visits(1, 10);
    const first = await make('a');
    await visits(1, 20); // alone in its request: nothing else may go beside the first
    const after = await visitOf(name === 'registered' ? first.op_id : 'a');
    const other = await visitOf('z');
    const line = waiting(server);
    const sending = send({ reason: 'button', fetch: line.fetch });
    await until(() => line.pushes().length === 2);
    await turns();
    assert.equal(line.pushes().length, 2, name);
    line.answer(line.pushes()[1]);
    await until(() => server.applied.includes(other.op_id));
    assert.ok(!server.applied.includes(after.op_id), name);
    line.answer(line.pushes()[0]);
    await until(() => line.pushes().length === 3);
    line.answer(line.pushes()[2]);
    line.answer(line.greeting());
    assert.equal((await sending).sent, 5, name);
    assert.equal(server.applied.at(-1), after.op_id, name);
    assert.ok(server.applied.includes(first.op_id), name);
  }
});

test('a registration still waiting for its turn keeps its visits back', async () => {
  const server = aServer({ limits: { max_ops: 2, max_bytes: 1048576 } });
  await met(server);
  await visits(2);
  const person = await register();
  const visit = await visitOf(person.op_id);
  const other = await visitOf('z');
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 2);
  for (const place of line.pushes()) line.answer(place);
  await until(() => line.pushes().length === 3);
  assert.equal(server.applied.length, 3);
  assert.ok(server.applied.includes(other.op_id));
  line.answer(line.pushes()[2]);
  line.answer(line.greeting());
  await sending;
  assert.deepEqual(server.applied.slice(-2), [person.op_id, visit.op_id]);
});

test('a correction of which nobody knows whom it concerns lets nothing past', async () => {
  const server = aServer({ limits: { max_ops: 1, max_bytes: 1048576 } });
  await met(server);
  const first = await visitOf('a');
  const blind = await outbox.add({ kind: 'visit.correct', payload: { visit_id: 'v' }, base_revision: 1 });
  const last = await visitOf('z');
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  for (const count of [1, 2, 3]) {
    await until(() => line.pushes().length === count);
    await turns();
    assert.equal(line.pushes().length, count);
    line.answer(line.pushes()[count - 1]);
  }
  line.answer(line.greeting());
  assert.equal((await sending).sent, 3);
  assert.deepEqual(server.applied, [first.op_id, blind.op_id, last.op_id]);
});

test('one of four that fails ends the sending; the others are settled by their own answers', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(55);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 4);
  line.answer(line.greeting());
  const [one, two, three, four] = line.pushes();
  line.answer(two, () => Promise.reject(new TypeError('cut')));
  await turns();
  line.answer(one);
  await turns();
  line.answer(four);
  await turns();
  line.answer(three, () => problem(503, 'unavailable', {}, { 'Retry-After': '20' }));
  const result = await sending;
  assert.equal(line.pushes().length, 4);
  assert.deepEqual([result.outcome, result.sent, result.retry_ms], ['busy', 20, 20000]);
  assert.deepEqual(await outbox.counts('ann'), { waiting: 35, sending: 0, needs: 0 });
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).outcome, 'waiting'); // it asked for it
  await outbox.setMeta('not_before', null);
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).sent, 35);
  assert.equal(server.applied.length, 55);
});

test('a session that ends in the middle costs nothing', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(55);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 4);
  line.answer(line.greeting());
  line.answer(line.pushes()[0]);
  await until(() => line.pushes().length === 5);
  server.signedIn = false;
  for (const place of line.pushes().slice(1)) line.answer(place);
  const result = await sending;
  assert.deepEqual([result.outcome, result.sent, line.pushes().length], ['signed_out', 10, 5]);
  assert.deepEqual(await outbox.counts('ann'), { waiting: 45, sending: 0, needs: 0 });
  server.signedIn = true;
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).sent, 45);
  assert.equal(server.applied.length, 55);
});

test('413 to all of four halves them, and everything arrives once', async () => {
  const server = aServer({ limits: { max_ops: 20, max_bytes: 1048576 } });
  await met(server);
  await visits(80);
  let most = 0;
  let under_way = 0;
  server.fault = async (ops, when) => {
    if (when !== 'before') return null;
    under_way += 1;
    most = Math.max(most, under_way);
    await turns(60);
    under_way -= 1;
    return ops.length > 7 ? problem(413, 'too_large', {}) : null;
  };
  const result = await send({ reason: 'button', fetch: server.fetch });
  assert.deepEqual([result.outcome, result.sent, server.applied.length], ['sent', 80, 80]);
  assert.equal(most, 4);
  const sizes = server.pushes.map((ops) => ops.length);
  assert.deepEqual(sizes.slice(0, 8), [20, 20, 20, 20, 10, 10, 10, 10]); // halved once, not four times
  assert.ok(sizes.slice(8).every((size) => size <= 5));
});

test('what comes back too large goes before what builds on it', async () => {
  const server = aServer({ limits: { max_ops: 4, max_bytes: 1048576 } });
  await met(server);
  const people = [];
  for (let n = 0; n < 4; n += 1) people.push(await register());
  for (const { op_id } of people) await visitOf(op_id);
  await visits(4);
  let first = true;
  server.fault = async (_ops, when) => {
    if (!first || when !== 'before') return null;
    first = false;
    await turns(60); // what goes after it is ready by now
    return problem(413, 'too_large', {});
  };
  server.judge = ({ kind, payload }) =>
    kind === 'visit.create' && payload.patient_id.length > 5 && !server.kept.has(payload.patient_id)
      ? { status: 'rejected', code: 'missing_dependency' }
      : null;
  const result = await send({ reason: 'button', fetch: server.fetch });
  assert.deepEqual([result.outcome, result.sent], ['sent', 12]);
});

test('what is told while sending only grows, and is true at the end', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(75);
  globalThis.window = new EventTarget();
  const told = [];
  window.addEventListener('nuanxun', ({ detail }) => {
    if (detail.t === 'sending') told.push([detail.done, detail.total]);
  });
  let first = true;
  server.fault = (_ops, when) => {
    if (!first || when !== 'before') return null;
    first = false;
    return problem(413, 'too_large', {});
  };
  await send({ reason: 'button', fetch: server.fetch });
  delete globalThis.window;
  const shown = told.filter(([, total]) => total);
  assert.ok(shown.length > 8);
  assert.ok(
    shown.every(([done, total]) => total === 75 && done <= total),
    JSON.stringify(shown),
  );
  assert.ok(shown.every(([done], n) => n === 0 || done >= shown[n - 1][0]));
  assert.equal(shown.at(-1)[0], 75);
  assert.equal(told.at(-1)[1], 0);
});

test('what is taken back while four are under way does not go', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  const made = await visits(55);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 4);
  assert.equal(await outbox.undo(made[5].op_id), false);
  await turns(); // the fifth request is ready by now
  assert.equal(await outbox.undo(made[45].op_id), true);
  for (let n = 0; n < 5; n += 1) {
    for (let place = 0; place < line.paths.length; place += 1) line.answer(place);
    await turns();
  }
  assert.equal((await sending).sent, 54);
  assert.ok(!server.applied.includes(made[45].op_id));
});

test('a phone that is locked in the middle sends the rest as it was sealed', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(55);
  const db = await outbox.openStore();
  for (const row of await db.getAll('ops'))
    await db.put('ops', { ...row, sealed: { key_id: '202612', data: new Uint8Array(40) } });
  const line = waiting(server);
  const doors = [];
  const fetch = async (path, options) => {
    if (path !== '/api/sync/sealed') return line.fetch(path, options);
    const { sealed } = JSON.parse(await new Response(unzipped(options)).text());
    doors.push(sealed.length);
    const results = sealed.map(({ op_id }) => ({ op_id, status: 'applied', entity_id: op_id, revision: 1 }));
    return json({ results });
  };
  const sending = send({ reason: 'button', fetch });
  await until(() => line.pushes().length === 4);
  await turns();
  vault.drop();
  for (let n = 0; n < 6; n += 1) {
    for (let place = 0; place < line.paths.length; place += 1) line.answer(place);
    await turns();
  }
  assert.equal((await sending).sent, 55);
  assert.equal(server.applied.length + doors.reduce((sum, count) => sum + count, 0), 55);
  assert.ok(server.applied.length <= 50 && doors.length >= 1); // one was ready before the lock fell
});

function unzipped({ body, headers }) {
  const whole = new Blob([body]);
  if (headers['Content-Encoding'] !== 'gzip') return whole;
  return whole.stream().pipeThrough(new DecompressionStream('gzip'));
}

// -- before the greeting ---------------------------------------------------------------------------------------

test('a phone that has met its server sends while it asks who is signed in, and says as whom', async () => {
  const server = aServer();
  await met(server);
  await visits(3);
  const line = waiting(server);
  const names = [];
  const fetch = (path, options = {}) => {
    if (path === '/api/sync/push') names.push(options.headers['Nuanxun-User']);
    return line.fetch(path, options);
  };
  const sending = send({ reason: 'button', fetch });
  await until(() => line.paths.length === 2);
  assert.deepEqual(line.paths, ['/api/auth/me', '/api/sync/push']);
  assert.deepEqual(names, ['ann']);
  line.answer(1);
  await until(async () => (await states()).join() === 'done,done,done');
  line.answer(0);
  const result = await sending;
  assert.deepEqual([result.outcome, result.sent, result.user_id], ['sent', 3, 'ann']);
  assert.equal(line.pushes().length, 1);
});

test('somebody else is signed in: nothing is looked at, and it goes once the right person is', async () => {
  const server = aServer();
  await met(server);
  await visits(250);
  server.user = 'bob';
  const looked = [];
  server.judge = (op) => {
    looked.push(op.op_id);
    return null;
  };
  const result = await send({ reason: 'button', fetch: server.fetch });
  assert.deepEqual([result.outcome, result.sent, result.user_id], ['idle', 0, 'bob']);
  assert.deepEqual([looked.length, server.pushes.length], [0, 0]);
  assert.deepEqual(await outbox.counts('ann'), { waiting: 250, sending: 0, needs: 0 });
  assert.equal(await outbox.getMeta('failures'), undefined); // nothing has failed
  assert.ok((await outbox.all('ann')).every((record) => !record.result));

  server.user = 'ann';
  assert.equal((await send({ reason: 'timer', fetch: server.fetch })).sent, 250);
  assert.equal(server.applied.length, 250);
});

test('whose session it is turns out too late: theirs goes, and no other', async () => {
  const server = aServer();
  await met(server);
  await visits(2);
  const his = await outbox.add(aVisit({ author_id: 'bob' })); // kept under ann's key: what matters is whose it is
  server.user = 'bob';
  const result = await send({ reason: 'button', fetch: server.fetch });
  assert.deepEqual(server.applied, [his.op_id]);
  assert.deepEqual([result.sent, result.user_id], [1, 'bob']);
  assert.deepEqual(await states(), ['saved', 'saved']);
});

test('who is signed in changes between the greeting and a request: that one is left for later', async () => {
  const server = aServer();
  await met(server);
  await visits(2);
  const fetch = async (path, options) => {
    server.user = path === '/api/auth/me' ? 'ann' : 'bob';
    return server.fetch(path, options);
  };
  const result = await send({ reason: 'button', fetch });
  assert.deepEqual([result.outcome, result.sent], ['partly', 0]);
  assert.deepEqual(await states(), ['saved', 'saved']);
  assert.deepEqual(server.pushes, []);
});

test('somebody else has the phone open than was greeted last: nothing goes before the greeting', async () => {
  const server = aServer({ user: 'bob' });
  await met(server);
  await visits(1);
  server.user = 'ann';
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await turns();
  assert.deepEqual(line.paths, ['/api/auth/me']);
  line.answer(0);
  await until(() => line.paths.length === 2);
  line.answer(1);
  assert.equal((await sending).sent, 1);
});

test('where the key is not, nothing goes before the greeting, and nobody is asked for the key', async () => {
  const server = aServer();
  await met(server);
  await visits(1);
  const db = await outbox.openStore();
  for (const row of await db.getAll('ops'))
    await db.put('ops', { ...row, sealed: { key_id: '202612', data: new Uint8Array(40) } });
  vault.drop();
  let asked = 0;
  vault.askWith(async () => {
    asked += 1;
    return null;
  });
  const line = waiting(server);
  const sending = send({ reason: 'sync', fetch: line.fetch });
  await turns();
  assert.deepEqual([line.paths, asked], [['/api/auth/me'], 0]);
  line.answer(0);
  await until(() => line.paths.length === 2);
  assert.equal(line.paths[1], '/api/sync/sealed');
  assert.ok(asked > 0);
  line.answer(1, () => problem(503, 'unavailable'));
  assert.equal((await sending).outcome, 'busy');
  vault.askWith(async () => null);
});

test('signed out: greeting and requests are refused together, and all of it stays', async () => {
  const server = aServer();
  await met(server);
  await visits(250);
  server.signedIn = false;
  const result = await send({ reason: 'button', fetch: server.fetch });
  assert.deepEqual([result.outcome, result.sent, server.pushes.length], ['signed_out', 0, 0]);
  assert.deepEqual(await outbox.counts('ann'), { waiting: 250, sending: 0, needs: 0 });
  assert.equal(await outbox.getMeta('failures'), 1); // one sending, one failure
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await turns();
  assert.deepEqual(line.paths, ['/api/auth/me']); // not everything again, only to be refused again
  line.answer(0);
  assert.equal((await sending).outcome, 'signed_out');
  server.signedIn = true;
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).sent, 250);
});

test('a greeting that fails ends the sending, whatever has arrived', async () => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(55);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 4);
  line.answer(line.greeting(), () => problem(429, 'too_many_requests', {}, { 'Retry-After': '40' }));
  await turns();
  for (const place of line.pushes()) line.answer(place);
  const result = await sending;
  assert.deepEqual([result.outcome, result.sent, result.retry_ms], ['busy', 40, 40000]);
  assert.equal(line.pushes().length, 4);
  assert.equal((await outbox.counts('ann')).waiting, 15);
});

test('a server back from a backup is greeted late, and is given the kept copies all the same', async () => {
  const server = aServer();
  const old = await register();
  await met(server);
  server.kept.clear();
  server.applied.length = 0;
  server.epoch = 'two';
  const young = await visitOf(old.op_id);
  server.judge = ({ kind, payload }) =>
    kind === 'visit.create' && !server.kept.has(payload.patient_id)
      ? { status: 'rejected', code: 'missing_dependency' }
      : null;
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 1);
  line.answer(line.pushes()[0]);
  await until(() => server.pushes.length === 1);
  line.answer(line.greeting());
  await until(() => line.pushes().length === 2);
  line.answer(line.pushes()[1]);
  assert.equal((await sending).outcome, 'sent');
  assert.deepEqual(server.applied, [old.op_id, young.op_id]);
  assert.deepEqual(await states(), ['done', 'done']);
});

test('the limits of the last greeting are kept to before the next one', async () => {
  const server = aServer({ limits: { max_ops: 4, max_bytes: 1048576 } });
  await met(server);
  await visits(10);
  const line = waiting(server);
  const sending = send({ reason: 'button', fetch: line.fetch });
  await until(() => line.pushes().length === 3);
  for (let place = 0; place < line.paths.length; place += 1) line.answer(place);
  await sending;
  assert.deepEqual(
    server.pushes.map((ops) => ops.length),
    [4, 4, 2],
  );
});

test('a phone without room sends several at once, and notes them once there is room', async (t) => {
  const server = aServer({ limits: { max_ops: 10, max_bytes: 1048576 } });
  await met(server);
  await visits(25);
  const put = t.mock.method(IDBObjectStore.prototype, 'put', () => {
    throw new DOMException('no room', 'QuotaExceededError');
  });
  assert.equal((await send({ reason: 'button', fetch: server.fetch })).outcome, 'partly');
  assert.equal(server.applied.length, 25);
  assert.equal((await outbox.counts('ann')).waiting, 25);
  put.mock.restore();
  await send({ reason: 'button', fetch: server.fetch });
  assert.equal((await outbox.counts('ann')).waiting, 0);
  assert.equal(server.applied.length, 25);
});

// -- the line --------------------------------------------------------------------------------------------------

test('a request is given the time that the bytes of those beside it may take', async (t) => {
  const { sharedLine } = await import('../../static/js/offline/line.js');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const line = sharedLine();
  const over = [];
  const ends = {};
  const begin = (name, bytes) =>
    line(bytes, (signal) => {
      signal.addEventListener('abort', () => over.push(name));
      return new Promise((end) => {
        ends[name] = end;
      });
    });
  begin('one', 20000); // 10 s
  begin('two', 40000); // 20 s
  t.mock.timers.tick(30000 + 10000); // its own time is over, but the other one shares the line
  assert.deepEqual(over, []);
  t.mock.timers.tick(20000);
  assert.deepEqual(over.sort(), ['one', 'two']);

  const gone = begin('three', 20000);
  ends.three();
  await gone;
  t.mock.timers.tick(600000);
  assert.deepEqual(over, ['one', 'two']); // answered in time
});
