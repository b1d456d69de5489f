import assert from 'node:assert/strict';
import { test } from 'node:test';
import './offline_setup.js';

globalThis.location = { pathname: '/today', href: 'http://x/today' };
const { words } = await import('../../static/js/offline/status.js');
const when = await import('../../static/js/when.js');

const at = (text) => new Date(`2026-06-10T${text}:00`);
const line = (facts) => {
  const { state, bold, rest, right } = words(
    { user: 'ann', waiting: 0, needs: 0, online: true, ...facts },
    at('14:10'),
  );
  return [state, bold, rest, right].join('|');
};

test('the strip says what is true', () => {
  const data_at = at('14:05').getTime();
  assert.equal(line({ data_at }), 'online|在线|已全部上传|14:05 更新');
  assert.equal(line({ online: false, waiting: 3, data_at }), 'offline|离线|3 条仅在本机|数据截至 14:05');
  assert.equal(line({ sending: { done: 2, total: 3 }, waiting: 1 }), 'uploading|正在上传 2/3||');
  assert.equal(line({ needs: 1, waiting: 3, online: false }), 'attention|1 条需处理|3 条仅在本机|离线');
  assert.equal(line({ waiting: 2 }), 'online|在线|2 条仅在本机|');
  assert.equal(line({ loading: { done: 312, total: 640 } }), 'uploading|正在下载 312/640||');
  assert.equal(line({ outcome: 'signed_out', waiting: 2 }), 'attention|请重新登录|2 条仅在本机|登录');
  // What needs care can be seen to after signing in; without it nothing goes at all.
  assert.equal(line({ outcome: 'signed_out', needs: 1 }), 'attention|请重新登录|1 条需处理|登录');
  assert.equal(line({ draft: true }), 'online|在线||草稿已存');
});

test('it never promises to work without a network before everything for that is here', () => {
  const shell = { left: 3, total: 24 };
  assert.equal(line({ shell }), 'uploading|正在准备离线使用 21/24||');
  assert.equal(line({ shell, online: false, data_at: 1 }), 'offline|离线|没有待上传|离线功能没下完');
  assert.equal(line({ shell: { left: 0, total: 24 } }), 'online|在线|已全部上传|');
});

test('behind the lock it promises an upload only where one will come', () => {
  const locked = (facts) => line({ user: '', page: 'unlock', ...facts });
  assert.equal(locked({ waiting: 3, uploads: 2 }), 'online|在线|3 条仅在本机|锁着也会上传');
  assert.equal(locked({ waiting: 3, uploads: 3, online: false }), 'offline|离线|3 条仅在本机|锁着也会上传');
  assert.equal(locked({ waiting: 1, uploads: 0 }), 'online|在线|1 条仅在本机|'); // refused, or another person's
  assert.equal(locked({ waiting: 1, uploads: 1, outcome: 'signed_out' }), 'online|在线|1 条仅在本机|');
  assert.equal(locked({}), 'online|在线||');
});

test('without a network it never says that anything is being sent', () => {
  assert.match(line({ online: false, sending: { done: 0, total: 3 }, waiting: 3 }), /^offline\|离线/);
});

test('data of another day is dated', () => {
  const data_at = new Date('2026-06-07T09:00:00').getTime();
  assert.match(line({ online: false, data_at }), /数据截至 6月7日$/);
});

test('words for days never lie on the next day', () => {
  assert.equal(when.due('2026-06-12', '2026-06-10'), '6月12日前');
  assert.equal(when.due('2026-06-12', '2026-06-12'), '今天');
  assert.equal(when.due('2026-06-12', '2026-06-14'), '逾期 2 天');
  assert.equal(when.day('2026-06-09', '2026-06-10'), '昨天');
  assert.equal(when.day('2026-06-17', '2026-06-10'), '6月17日 周三');
  assert.equal(when.day('2025-06-17', '2026-06-10'), '2025年6月17日');
});

test('waiting is counted in the unit people use', () => {
  assert.equal(when.waited(at('14:00'), at('14:20')), '已等 20 分钟');
  assert.equal(when.waited(at('09:00'), at('14:20')), '已等 5 小时');
  assert.equal(when.waited('2026-06-07T09:00:00', at('14:20')), '已等 3 天');
});

test('age turns on the birthday', () => {
  assert.equal(when.age('1948-06-11', '2026-06-10'), 77);
  assert.equal(when.age('1948-06-10', '2026-06-10'), 78);
  assert.equal(when.age('1948-02-29', '2026-02-28'), 77);
  assert.equal(when.age('1948-02-29', '2026-03-01'), 78);
});

test('local times carry their offset', () => {
  const iso = when.localIso(at('14:05'));
  assert.equal(new Date(iso).getTime(), at('14:05').getTime());
});
