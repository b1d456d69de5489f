// What is needed on a press or in a rare state only: forms that are operations, signing out and in again,
// asking before what cannot be taken back, mending, the desktop. app.js fetches it before the page answers
// taps where the page has something of it, else once nobody waits.

import * as confirm from './confirm.js';
import * as install from './offline/install.js';
import * as leaving from './offline/leaving.js';
import * as mend from './offline/mend.js';
import * as opforms from './offline/opforms.js';
import { expectRecord } from './offline/outbox.js';
import { userId } from './offline/person.js';
import * as signin from './offline/signin.js';
import * as wipe from './offline/wipe.js';

export { open as signInAgain } from './offline/signin.js';

let started = false;

export function start() {
  if (started) return;
  started = true;
  confirm.start();
  opforms.start();
  leaving.start();
  signin.start();
  if (userId()) expectRecord().catch(() => {}); // without room the first save does it
  if (userId() && !wipe.isOver()) install.start();
}

/** Called for a page, and again for one swapped in, after its own script. */
export async function dress() {
  await mend.start();
  await opforms.recall();
}
