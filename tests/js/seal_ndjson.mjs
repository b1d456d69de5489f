// Seals as a phone does: the first line of stdin is the server's key, each other line an operation. One sealed
// entry out for each (tests/app/sync/test_sealing_twins.py). With "plain" it does as browsers without streams.

import { readFileSync } from 'node:fs';

if (process.argv[2] === 'plain') delete globalThis.CompressionStream;
const { seal, sealTo } = await import('../../static/js/offline/seal.js');
const { asSealed } = await import('../../static/js/offline/push.js');

const [key, ...ops] = readFileSync(0, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));
sealTo(key);
for (const op of ops) {
  const { op_id, author_id } = op;
  process.stdout.write(`${JSON.stringify(asSealed({ op_id, author_id, sealed: await seal(op) }))}\n`);
}
