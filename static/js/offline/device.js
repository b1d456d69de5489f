// The name this browser has for the server. Chromium writes localStorage some seconds late, and a killed phone
// would come back under another name: the lock's own database keeps it too.

import { deviceId, nameDevice } from '../ids.js';
import * as rows from '../vault/rows.js';

/** Called before the name is used for anything. Never fails: without storage the name lasts as long as the page. */
export async function recall() {
  try {
    const known = await rows.getMeta('device-id');
    if (known) nameDevice(known);
    else await rows.setMeta('device-id', deviceId());
  } catch {
    // no storage
  }
}
