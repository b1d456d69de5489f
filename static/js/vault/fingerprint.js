// Unlocking by fingerprint or face: a passkey of this phone gives back the same secret each time it is touched
// (WebAuthn PRF extension), and that secret wraps the data key a second time. The server takes no part.

import { random, secretKey } from './crypto.js';
import * as vault from './vault.js';

const LABEL = 'nuanxun fingerprint';

/** Whether this phone may have it at all; whether it can do PRF shows only when it is tried. */
export async function offered() {
  const how = globalThis.PublicKeyCredential;
  return Boolean(await how?.isUserVerifyingPlatformAuthenticatorAvailable?.().catch(() => false));
}

/**
 * Turn it on for the person who has just given their PIN.
 * @returns {Promise<boolean>} false: this phone's fingerprint gives no secret, the PIN stays the only way
 */
export async function turnOn(user_id, pin) {
  const row = await vault.row(user_id);
  const salt = random(32);
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { name: '暖巡' },
      user: { id: random(16), name: row.name || '暖巡', displayName: row.name || '暖巡' },
      challenge: random(32),
      pubKeyCredParams: [
        { type: 'public-key', alg: -7 },
        { type: 'public-key', alg: -257 },
      ],
      authenticatorSelection: { authenticatorAttachment: 'platform', userVerification: 'required' },
      extensions: { prf: { eval: { first: salt } } },
    },
  });
  const can = made.getClientExtensionResults().prf;
  if (!can?.enabled && !can?.results) return false;
  const credential = new Uint8Array(made.rawId);
  const secret = can.results?.first || (await secretOf(credential, salt));
  if (!secret) return false;
  const wrapped = await vault.wrapAgain(user_id, pin, await secretKey(secret, LABEL));
  await vault.keepFingerprint(user_id, { credential, salt, wrapped });
  return true;
}

export function turnOff(user_id) {
  return vault.keepFingerprint(user_id, undefined);
}

/** Ask for the finger and open the store. @returns the same as vault.unlock; throws when it was called off */
export async function unlock(user_id) {
  const { fingerprint } = await vault.row(user_id);
  const secret = await secretOf(fingerprint.credential, fingerprint.salt);
  return vault.unlockBySecret(user_id, await secretKey(secret, LABEL));
}

async function secretOf(credential, salt) {
  const found = await navigator.credentials.get({
    publicKey: {
      challenge: random(32),
      allowCredentials: [{ type: 'public-key', id: credential }],
      userVerification: 'required',
      extensions: { prf: { eval: { first: salt } } },
    },
  });
  return found.getClientExtensionResults().prf?.results?.first;
}
