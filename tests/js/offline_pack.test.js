import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import { portal, problem } from './offline_setup.js';

const pages = await import('../../static/js/offline/pages.js');
const { refresh } = await import('../../static/js/offline/pack.js');
const { digest } = await import('../../static/js/offline/digest.js');

const sum = (held) =>
  createHash('sha256')
    .update(
      Object.keys(held)
        .sort()
        .map((url) => `${url}\t${held[url]}\n`)
        .join(''),
    )
    .digest('hex');

/** A server with pages {url: [seq, html]} that knows what changed since a cursor. */
function aPackServer(world, { user = 'ann', build = 'b1' } = {}) {
  const server = { world, user, build, asked: [], gone: [], mangle: (text) => text };
  server.fetch = async (path) => {
    const cursor = new URL(path, 'http://x').searchParams.get('cursor');
    server.asked.push(cursor);
    if (server.answer) {
      const own = server.answer(cursor);
      if (own) return own;
    }
    const since = cursor ? Number(cursor) : -1;
    const held = Object.fromEntries(
      Object.entries(world).map(([url, [seq]]) => [url, `${server.build}-${seq}`]),
    );
    const changed = Object.entries(world).filter(([, [seq]]) => seq > since);
    const lines = [
      {
        t: 'pack',
        user: server.user,
        build,
        epoch: 'e',
        expires_at: '2030-01-01T00:00:00+08:00',
        total: changed.length,
      },
    ];
    for (const [url, [, html]] of changed) lines.push({ t: 'page', url, rev: held[url], html });
    for (const url of server.gone) lines.push({ t: 'gone', url });
    const top = Math.max(0, ...Object.values(world).map(([seq]) => seq));
    lines.push({
      t: 'end',
      cursor: String(top),
      count: Object.keys(held).length,
      digest: server.digest || sum(held),
    });
    const text = server.mangle(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const bytes = new TextEncoder().encode(text);
    const body = new ReadableStream({
      start(out) {
        for (let at = 0; at < bytes.length; at += 7) out.enqueue(bytes.slice(at, at + 7)); // cuts characters in two
        if (server.cut) out.error(new TypeError('cut'));
        else out.close();
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
  };
  return server;
}

const load = (server, extra = {}) => refresh({ user_id: 'ann', fetch: server.fetch, ...extra });
const world = () => ({
  '/today': [5, '<p>今日</p>'],
  '/patients/1': [3, '<p>宁如意</p>'],
  '/outbox': [0, '<p>待上传</p>'],
});

beforeEach(() => pages.clear());

test('the digest is the one the server makes', async () => {
  const held = { '/b': 'x-1', '/a': 'x-2' };
  assert.equal(await digest(held), sum(held));
});

test('a first pack brings every page, whole, and says how far it is', async () => {
  const server = aPackServer(world());
  const seen = [];
  const result = await load(server, { onProgress: (done, total) => seen.push(`${done}/${total}`) });
  assert.equal(result.outcome, 'fresh');
  assert.equal((await pages.get('/patients/1')).html, '<p>宁如意</p>');
  assert.deepEqual(seen, ['0/3', '1/3', '2/3', '3/3']);
  assert.equal((await pages.meta()).user, 'ann');
});

test('the next pack brings what changed and drops what is gone', async () => {
  const server = aPackServer(world());
  await load(server);
  server.world['/today'] = [7, '<p>明日</p>'];
  delete server.world['/patients/1'];
  server.gone = ['/patients/1'];
  const result = await load(server);
  assert.deepEqual(server.asked, ['', '5']);
  assert.deepEqual(result.changed, ['/today']);
  assert.equal(await pages.get('/patients/1'), undefined);
  assert.equal((await pages.get('/outbox')).html, '<p>待上传</p>');
});

test('a stream that breaks off changes nothing', async () => {
  const server = aPackServer(world());
  await load(server);
  server.world['/today'] = [7, '<p>明日</p>'];
  server.mangle = (text) => text.slice(0, text.lastIndexOf('{"t":"end"'));
  assert.equal((await load(server)).outcome, 'cut');
  server.mangle = (text) => text;
  server.cut = true;
  assert.equal((await load(server)).outcome, 'unreachable');
  assert.equal((await pages.get('/today')).html, '<p>今日</p>');
  assert.equal((await pages.meta()).cursor, '5');
});

test('a digest that differs fetches everything again', async () => {
  const server = aPackServer(world());
  await load(server);
  server.world['/patients/2'] = [1, '<p>乐永年</p>']; // came into scope with an old number
  const result = await load(server);
  assert.equal(result.outcome, 'fresh');
  assert.deepEqual(server.asked, ['', '5', '']);
  assert.equal((await pages.get('/patients/2')).html, '<p>乐永年</p>');
});

test('a digest that never fits stores nothing', async () => {
  const server = aPackServer(world());
  server.digest = 'wrong';
  assert.equal((await load(server)).outcome, 'wrong');
  assert.equal(await pages.meta(), undefined);
});

test('410 begins again', async () => {
  const server = aPackServer(world());
  await load(server);
  server.answer = (cursor) => (cursor ? problem(410, 'cursor_unknown') : null);
  assert.equal((await load(server)).outcome, 'fresh');
});

test('a portal, an expired session and a gateway leave the pages alone', async () => {
  const server = aPackServer(world());
  await load(server);
  server.answer = () => portal();
  assert.equal((await load(server)).outcome, 'unreachable');
  server.answer = () => problem(401, 'session_expired');
  assert.equal((await load(server)).outcome, 'signed_out');
  server.answer = () => problem(503, 'unavailable');
  assert.equal((await load(server)).outcome, 'busy');
  assert.equal((await pages.get('/today')).html, '<p>今日</p>');
});

test('somebody else’s pack is not stored, and their pages go before one’s own come', async () => {
  const server = aPackServer(world());
  await load(server);
  const bob = aPackServer({ '/family': [1, '<p>妈妈</p>'] }, { user: 'bob' });
  assert.equal((await load(bob)).outcome, 'other_user');
  assert.equal((await pages.get('/today')).html, '<p>今日</p>');
  assert.equal((await refresh({ user_id: 'bob', fetch: bob.fetch })).outcome, 'fresh');
  assert.equal(await pages.get('/today'), undefined);
  assert.equal((await pages.get('/family')).html, '<p>妈妈</p>');
});

test('a young pack is left as it is', async () => {
  const server = aPackServer(world());
  await load(server);
  assert.equal((await load(server, { max_age_ms: 60000 })).outcome, 'current');
  assert.equal(server.asked.length, 1);
});

test('a page refreshed between two packs stays packed', async () => {
  const server = aPackServer(world());
  await load(server);
  await pages.put('/today', { rev: 'b1-9', html: '<p>新</p>' });
  assert.equal((await pages.get('/today')).packed, true);
  server.world['/today'] = [9, '<p>新</p>'];
  assert.equal((await load(server)).outcome, 'fresh');
  assert.deepEqual(server.asked, ['', '5']);
});

test('a form has one page whatever follows the question mark', () => {
  assert.equal(pages.pageKey('https://x/visits/new/adl?patient=1&op=2'), '/visits/new/adl');
  assert.equal(pages.pageKey('https://x/orders/new?patient=1'), '/orders/new');
  assert.equal(pages.pageKey('https://x/today?grade=red#a'), '/today?grade=red');
});
