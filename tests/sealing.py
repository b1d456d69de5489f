"""What a phone does with an operation: seal it to the server's public key."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def seal_bytes(key: dict[str, str], plaintext: bytes, info: bytes = b"nuanxun-op-1") -> str:
    """`plaintext` sealed to a key as sign-in gives it, as the `data` of an entry."""
    point = base64.urlsafe_b64decode(key["public_key"] + "=")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return unpadded(SUITE.encrypt(plaintext, public, info=info))


def sealed(key: dict[str, str], op: dict[str, Any], *, squeeze: bool = True, **given: Any) -> dict[str, Any]:
    """The entry of an operation; `given` stands in place of its members."""
    text = json.dumps(op, ensure_ascii=False).encode()
    plaintext = b"\x01" + gzip.compress(text) if squeeze else b"\x00" + text
    entry = {
        "op_id": op["op_id"],
        "author_id": op["author_id"],
        "key_id": key["key_id"],
        "data": seal_bytes(key, plaintext),
    }
    return {**entry, **given}
