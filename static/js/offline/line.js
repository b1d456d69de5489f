// Requests that share one weak line: each is given the time that the bytes of all of them may take.

const FIRST_MS = 30000;
const SLOWEST_BYTES_PER_MS = 2; // 16 kbit/s

/** @returns {(bytes: number, work: (signal: AbortSignal) => Promise) => Promise} */
export function sharedLine() {
  const under_way = new Set();
  return async (bytes, work) => {
    const before = [...under_way].reduce((sum, other) => sum + other.bytes, 0);
    for (const other of under_way) other.more_ms += bytes / SLOWEST_BYTES_PER_MS;
    const mine = { bytes, more_ms: FIRST_MS + (bytes + before) / SLOWEST_BYTES_PER_MS, timer: 0 };
    const stop = new AbortController();
    under_way.add(mine);
    wait(mine, stop);
    try {
      return await work(stop.signal);
    } finally {
      clearTimeout(mine.timer);
      under_way.delete(mine);
    }
  };
}

/** Give up once the time is over, and what was added to it meanwhile. */
function wait(one, stop) {
  const ms = one.more_ms;
  one.more_ms = 0;
  one.timer = setTimeout(() => (one.more_ms ? wait(one, stop) : stop.abort()), ms);
}
