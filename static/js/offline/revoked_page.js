// The server's own words that this phone was reported lost: what lies here goes at once.

import { wipe } from './wipe.js';

export function start() {
  return wipe();
}
