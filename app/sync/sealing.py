"""Operations sealed on the phone to the server: the keys, and opening what was sealed.

HPKE (RFC 9180) in base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, no AAD. A phone needs only
the public key, so it can send or hand over what it can no longer read itself. The private keys are derived
from SECRET_KEY, one a month, and kept nowhere: none can be lost. Why: docs/decisions/0017-sealed-queue.md
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import current_app

from app.shared import clock, strictjson
from app.sync.schema import MAX_OPENED_BYTES

INFO = b"nuanxun-op-1"
PLAIN, GZIPPED = 0, 1
KEY_ID = re.compile(r"[0-9]{6}")
SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
# The order of P-256 (SEC 2, secp256r1): a private key is a number from 1 to ORDER - 1.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class CannotOpen(Exception):
    """Altered, cut, sealed to another server, or not an operation inside."""


def current() -> dict[str, str]:
    """This month's key as a phone wants it: `key_id`, and `public_key` as base64url of the 65-byte point."""
    key_id = clock.today().strftime("%Y%m")
    return {"key_id": key_id, "public_key": _public(current_app.config["SECRET_KEY"], key_id)}


def open_op(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The operation inside a sealed entry (SealedSchema has passed it), with strictjson's faults in place.

    Nothing inside is checked yet, not even that it bears the ids written outside. Raises CannotOpen.
    """
    body = _inflated(_unsealed(entry["key_id"], _bytes(entry["data"])))
    try:
        op = strictjson.loads(body)
    except strictjson.NotJson:
        raise CannotOpen from None
    if not isinstance(op, dict):
        raise CannotOpen
    return op


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CannotOpen from None


def _unsealed(key_id: str, sealed: bytes) -> bytes:
    """Under the present SECRET_KEY, else under a former one that the operator still names."""
    secrets = [current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]]
    for secret in secrets:
        try:
            return SUITE.decrypt(sealed, _private(secret, key_id), info=INFO)
        except (InvalidTag, ValueError):
            continue
    raise CannotOpen


def _inflated(opened: bytes) -> bytes:
    """What follows the byte that tells the form; never more than MAX_OPENED_BYTES."""
    form, body = opened[:1], opened[1:]
    if form == bytes([GZIPPED]):
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            body = decoder.decompress(body, MAX_OPENED_BYTES + 1)
        except zlib.error:
            raise CannotOpen from None
        if len(body) <= MAX_OPENED_BYTES and (not decoder.eof or decoder.unused_data):
            raise CannotOpen
    elif form != bytes([PLAIN]):
        raise CannotOpen
    if len(body) > MAX_OPENED_BYTES:
        raise CannotOpen
    return body


@lru_cache(maxsize=64)
def _private(secret: str, key_id: str) -> ec.EllipticCurvePrivateKey:
    """The key of a month, past or to come: a phone's clock may run ahead of ours.

    48 bytes reduced modulo the order leave no measurable bias (FIPS 186-5, A.2.1).
    """
    if not KEY_ID.fullmatch(key_id):
        raise ValueError("a key id is six digits")
    info = b"nuanxun/seal/" + key_id.encode("ascii")
    drawn = HKDF(algorithm=SHA256(), length=48, salt=None, info=info).derive(secret.encode())
    return ec.derive_private_key(int.from_bytes(drawn, "big") % (ORDER - 1) + 1, ec.SECP256R1())


@lru_cache(maxsize=64)
def _public(secret: str, key_id: str) -> str:
    point = _private(secret, key_id).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).decode("ascii").rstrip("=")
