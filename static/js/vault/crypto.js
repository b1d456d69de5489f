// Keys and ciphertexts of the locked store. Knows WebCrypto; knows no storage and no screen.
//
// A data key (AES-GCM, 256 bit) encrypts what lies on the phone. It exists only wrapped: by a key made from
// the PIN (PBKDF2) or from the fingerprint (WebAuthn PRF), and once more by a device key that no script can
// export. Browsers keep such keys in plain bytes on the disk: it stops scripts, not a taken-apart phone.

const subtle = globalThis.crypto?.subtle;
const PIN_HASH = 'SHA-256';
const FEWEST_ROUNDS = 600000; // OWASP 2023 for PBKDF2-HMAC-SHA256
const MOST_ROUNDS = 10000000;
const UNLOCK_MS = 500; // what a person hardly notices, and a guesser pays for each of a million PINs
const PROBE_ROUNDS = 60000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Whether this browser can keep anything locked: not on an insecure address, not on very old kernels. */
export const possible = Boolean(subtle && globalThis.indexedDB);

export function random(length) {
  return crypto.getRandomValues(new Uint8Array(length));
}

export function newDeviceKey() {
  return subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** A fresh data key. Extractable, since it must be wrapped; what unwrap() gives for use is not. */
export function newDataKey() {
  return subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
}

/** PBKDF2 rounds that take this phone about half a second; never fewer than 600,000. */
export async function rounds(clock = () => performance.now()) {
  // The best of three: the first one pays for starting up, and a busy moment says little about the phone.
  let best_ms = Infinity;
  for (let probe = 0; probe < 3; probe += 1) {
    const begin = clock();
    await pinKey('000000', random(16), PROBE_ROUNDS);
    best_ms = Math.min(best_ms, clock() - begin);
  }
  const each_ms = Math.max(best_ms, 0.1) / PROBE_ROUNDS;
  return Math.round(Math.min(Math.max(UNLOCK_MS / each_ms, FEWEST_ROUNDS), MOST_ROUNDS));
}

export async function pinKey(pin, salt, iterations) {
  const secret = await subtle.importKey('raw', encoder.encode(pin), 'PBKDF2', false, ['deriveKey']);
  const how = { name: 'PBKDF2', hash: PIN_HASH, salt, iterations };
  return subtle.deriveKey(how, secret, { name: 'AES-KW', length: 256 }, false, ['wrapKey', 'unwrapKey']);
}

/** A wrapping key from 32 secret bytes (the fingerprint's PRF output, or made at random where no PIN is asked). */
export async function secretKey(bytes, label) {
  const secret = await subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey']);
  const how = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: encoder.encode(label) };
  return subtle.deriveKey(how, secret, { name: 'AES-KW', length: 256 }, false, ['wrapKey', 'unwrapKey']);
}

/** The data key, wrapped twice: inside by `kek`, outside by the device key. */
export async function wrap(dataKey, kek, deviceKey) {
  const inner = await subtle.wrapKey('raw', dataKey, kek, 'AES-KW');
  const iv = random(12);
  const outer = await subtle.encrypt({ name: 'AES-GCM', iv }, deviceKey, inner);
  return { iv, ct: new Uint8Array(outer) };
}

/** The data key again. Throws when `kek` is the wrong one; extractable only for being wrapped anew. */
export async function unwrap({ iv, ct }, kek, deviceKey, extractable = false) {
  const inner = await subtle.decrypt({ name: 'AES-GCM', iv }, deviceKey, ct);
  const uses = ['encrypt', 'decrypt'];
  return subtle.unwrapKey('raw', inner, kek, 'AES-KW', { name: 'AES-GCM', length: 256 }, extractable, uses);
}

/** Any JSON value as ciphertext. `bound` names what it is, so that it cannot be passed off as something else. */
export async function encrypt(key, value, bound) {
  const iv = random(12);
  const how = { name: 'AES-GCM', iv, additionalData: encoder.encode(bound) };
  return { iv, ct: new Uint8Array(await subtle.encrypt(how, key, encoder.encode(JSON.stringify(value)))) };
}

/** Throws when altered, moved to another place, or under another key. */
export async function decrypt(key, { iv, ct }, bound) {
  const how = { name: 'AES-GCM', iv, additionalData: encoder.encode(bound) };
  return JSON.parse(decoder.decode(await subtle.decrypt(how, key, ct)));
}
