import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aVisit } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const rows = await import('../../static/js/offline/rows.js');
const { openDB } = await import('../../static/vendor/idb.js');

test('a newer release may change the store while an older page has it open, and finds everything', async () => {
  const record = await outbox.add(aVisit());
  const { version } = await outbox.openStore();
  const newer = await openDB(outbox.DATABASE, version + 1, {
    upgrade: (_db, _old, _new, tx) => tx.objectStore('ops').createIndex('later', 'kind'),
  });
  const row = await newer.getFromIndex('ops', 'later', 'visit.create');
  assert.equal((await rows.opened(row)).label, record.label);
  newer.close();
  await assert.rejects(outbox.get(record.op_id), { name: 'VersionError' }); // the older page keeps its hands off
});
