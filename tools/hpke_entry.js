// What the phone needs of HPKE (RFC 9180), for `make setup` to bundle into static/vendor/hpke.js.
export { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
