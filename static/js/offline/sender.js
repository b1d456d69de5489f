// Sends what waits in the outbox. The only code that pushes; used by pages and by the worker's sync event.
//
// Anything but a 200 JSON answer holding an operation's own result means "unknown": the operation is kept
// and sent again. The server knows it by its op_id, so sending twice keeps one.

import { post } from './channel.js';
import { expected, expectNobody, greet, heed } from './greeting.js';
import { alone } from './lock.js';
import { report } from './net.js';
import * as outbox from './outbox.js';
import { failed, forgetFailures, mustWait } from './pace.js';
import { begin, fail, heedLimits, pushAll, worse } from './pushes.js';
import * as readlog from './readlog.js';
import * as receipts from './receipts.js';

let running = null;
let again = null;
let pressed = false;

/**
 * Send everything that may be sent now. Calls that overlap share one run, and one more after it.
 *
 * `reason` 'button' ignores the back-off and the ten seconds of undo, but never a server's Retry-After.
 * @returns {Promise<{outcome: string, sent: number, user_id?: string, retry_ms?: number}>} outcome: idle,
 *   sent, waiting (not before retry_ms), partly (some must go again), unreachable, signed_out, revoked, busy
 */
export function send({ reason = 'timer', fetch } = {}) {
  if (running) {
    pressed = pressed || reason === 'button'; // a pressed button counts, whoever queued before it
    if (!again) {
      again = running
        .catch(() => {})
        .then(() => {
          again = null;
          const why = pressed ? 'button' : reason;
          pressed = false;
          return send({ reason: why, fetch });
        });
    }
    return again;
  }
  running = (async () => {
    try {
      return (await alone('sync', () => drain(reason, fetch))) || { outcome: 'waiting', sent: 0 };
    } finally {
      running = null;
    }
  })();
  return running;
}

async function drain(reason, fetch) {
  const wait = await mustWait(reason);
  if (wait > 0) return { outcome: 'waiting', sent: 0, retry_ms: wait };
  const { heard, early } = await greetAndSend({ reason, fetch });
  const sent = early?.sent || 0;
  if (!heard.me) return stop(worse(early?.failure, heard), sent);
  const { user, limits } = heard.me;
  const how = { user_id: user.id, limits, reason, fetch };
  // Another person's session after all: now what waits for them goes, the way of a phone that knew nothing.
  const other = early?.failure ? early.failure.outcome === 'other_user' : early?.user_id !== user.id;
  const run = other ? { ...begin(how), sent } : early;
  if (heard.lost) startAfresh(run);
  if (!run.failure) await pushAll(run);
  const result = await concluded(run);
  if (result.outcome === 'idle' || result.outcome === 'sent') {
    await forgetFailures();
    await compareReceipts(how, result);
    await readlog.report(user.id, { fetch }).catch(() => {});
  }
  await outbox.dropOldReceipts(user.id);
  return { ...result, user_id: user.id };
}

/**
 * Ask who is signed in, and do not wait for the answer where it can be foreseen: what is sent meanwhile says
 * whose it is, and the server leaves it alone if the session is somebody else's.
 * @returns {Promise<{heard: object, early?: object}>} early: what was sent meanwhile, as pushes.js begins it
 */
async function greetAndSend(how) {
  const greeting = greet(how.fetch);
  const guess = await expected();
  const early = guess && begin({ ...how, ...guess });
  const heeding = greeting.then(async (heard) => {
    if (early) heedGreeting(early, heard);
    return heard.me ? { ...heard, lost: await heed(heard.me) } : heard;
  });
  heeding.catch(() => {}); // heard below
  try {
    if (early) await pushAll(early);
  } finally {
    await heeding.catch(() => {}); // nothing of this goes on once the turn is over
  }
  return { heard: await heeding, early };
}

function heedGreeting(early, heard) {
  if (!heard.me) fail(early, heard);
  else if (heard.me.user.id !== early.user_id) fail(early, { outcome: 'other_user' });
  else heedLimits(early, heard.me.limits);
}

/** The server has forgotten what it confirmed: what it did not take for that reason goes once more. */
function startAfresh(run) {
  run.tried.clear();
  run.again = 0;
}

/** What came of a sending, with the next try noted if there must be one. */
async function concluded(run) {
  const { failure, sent, needs } = run;
  if (failure && failure.outcome !== 'other_user') return stop(failure, sent);
  if (failure || run.again) return { ...(await stop({ outcome: 'partly' }, sent)), needs };
  return { outcome: sent || needs ? 'sent' : 'idle', sent, needs };
}

async function stop({ outcome, retry_ms }, sent) {
  if (outcome !== 'partly') report(outcome);
  if (outcome === 'signed_out') await expectNobody();
  post({ t: 'sending', done: sent, total: 0 });
  return { outcome, sent, retry_ms: await failed(retry_ms) };
}

/** What turned out to be missing is sent at once, and compared once more. */
async function compareReceipts(how, result) {
  const { user_id, fetch } = how;
  if (!(await receipts.compare(user_id, { fetch, now: result.sent > 0 }))) return;
  const healing = begin(how);
  await pushAll(healing);
  if ((await concluded(healing)).sent) await receipts.compare(user_id, { fetch, now: true });
}
