// Names made on the phone: they last for ever, so that nothing has to be renamed when it is sent.

let lastMs = 0;
let lastCount = 0;

/**
 * A fresh UUIDv7 (RFC 9562), lower case, rising within one page even when the clock stands still.
 * @param {number} [ms] milliseconds since 1970
 * @returns {string}
 */
export function uuid7(ms = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  if (ms > lastMs) {
    lastMs = ms;
    lastCount = bytes[7] & 0x3f;
  } else {
    ms = lastMs;
    lastCount += 1;
    if (lastCount > 0xfff) {
      lastMs += 1;
      ms = lastMs;
      lastCount = 0;
    }
  }
  for (let place = 5, rest = ms; place >= 0; place -= 1) {
    bytes[place] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = 0x70 | (lastCount >> 8);
  bytes[7] = lastCount & 0xff;
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Give this browser back the name it had. */
export function nameDevice(known) {
  memoryDevice = known;
  try {
    if (localStorage.getItem('nx-device') !== known) localStorage.setItem('nx-device', known);
  } catch {
    // memory is enough for this page
  }
}

let memoryDevice = '';

/** This browser's name for the server, made once. Where nothing may be stored it lives as long as the page. */
export function deviceId() {
  try {
    const known = localStorage.getItem('nx-device');
    if (known) return known;
    const fresh = uuid7();
    localStorage.setItem('nx-device', fresh);
    return fresh;
  } catch {
    memoryDevice = memoryDevice || uuid7();
    return memoryDevice;
  }
}
