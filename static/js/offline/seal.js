// Closing an operation so that only the server can open it: it can then be sent while the phone is locked, or
// be carried to the server by somebody else. HPKE, RFC 9180 (docs/decisions/0017-sealed-queue.md).

const INFO = new TextEncoder().encode('nuanxun-op-1');
// The cipher is fetched when it is needed, which a worker may not do.
export const CAN_SEAL = typeof ServiceWorkerGlobalScope === 'undefined';
const PLAIN = 0;
const GZIP = 1;

let suite = null;
let server = null; // {key_id, public_key} the server named last
let ahead = null; // {key_id, sender: Promise}: half the work of a seal, done before anybody waits for it

/** Name the key to seal to. */
export function sealTo(key) {
  if (!key?.key_id || key.key_id === server?.key_id) return;
  server = key;
  ahead = null;
}

/** Do the half of the next seal that needs no record: where somebody is about to save one. */
export function expectSeal() {
  if (!ahead) prepare();
}

/** Whether anything can be sealed yet: a phone that never met its server has no key of its. */
export function sealable() {
  return Boolean(server);
}

function prepare() {
  if (server) {
    const sender = senderTo(server);
    sender.catch(() => {}); // whoever seals next learns of it
    ahead = { key_id: server.key_id, sender };
  }
}

/** Made for one message only: two under the same would share their ephemeral key. */
async function senderTo({ public_key }) {
  if (!suite) {
    // After first paint: nobody waits for eight kilobytes of cipher to read a page.
    const { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } = await import('../../vendor/hpke.js');
    suite = new CipherSuite({
      kem: new DhkemP256HkdfSha256(),
      kdf: new HkdfSha256(),
      aead: new Aes256Gcm(),
    });
  }
  const recipientPublicKey = await suite.kem.deserializePublicKey(fromBase64url(public_key));
  return suite.createSenderContext({ recipientPublicKey, info: INFO });
}

/**
 * One operation, closed.
 * @param {object} op as it is sent
 * @returns {Promise<{key_id: string, data: Uint8Array} | null>} null: no key of the server is known yet
 */
export async function seal(op) {
  if (!server) return null;
  const taken = ahead?.key_id === server.key_id ? ahead : { key_id: server.key_id, sender: senderTo(server) };
  ahead = null;
  try {
    const [sender, content] = await Promise.all([taken.sender, packed(op)]);
    const closed = new Uint8Array(await sender.seal(content));
    return { key_id: taken.key_id, data: joined(new Uint8Array(sender.enc), closed) };
  } finally {
    prepare();
  }
}

async function packed(op) {
  const text = new TextEncoder().encode(JSON.stringify(op));
  if (typeof CompressionStream !== 'function') return joined(Uint8Array.of(PLAIN), text);
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return joined(Uint8Array.of(GZIP), new Uint8Array(await new Response(stream).arrayBuffer()));
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

export function toBase64url(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export function fromBase64url(text) {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}
