import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aVisit } from './offline_setup.js';

const outbox = await import('../../static/js/offline/outbox.js');
const { openDB } = await import('../../static/vendor/idb.js');

test('a newer release may change the store while an older page has it open, and finds everything', async () => {
  const record = await outbox.add(aVisit());
  const newer = await openDB(outbox.DATABASE, 3, {
    upgrade: (db, _old, _new, tx) => tx.objectStore('ops').createIndex('later', 'kind'),
  });
  assert.equal((await newer.get('ops', record.op_id)).kind, 'visit.create');
  newer.close();
  await assert.rejects(outbox.get(record.op_id), { name: 'VersionError' }); // the older page keeps its hands off
});
