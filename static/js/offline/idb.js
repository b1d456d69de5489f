// The one door to IndexedDB. A relative path, so that browsers and `node --test` read the same file.
export { openDB } from '../../vendor/idb.js';
