"""Field encryption: identity numbers and whatever else must not lie readable in the database.

AES-256-GCM under a key derived from SECRET_KEY (HKDF-SHA256); the blind index is HMAC-SHA256 under
another derived key, so that equality can be asked without decrypting.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app

PREFIX = "v1:"


@lru_cache(maxsize=8)
def _key(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"nuanxun/" + purpose).derive(secret.encode())


def keys(purpose: bytes) -> list[bytes]:
    """The key derived for `purpose` from SECRET_KEY, then those from its former values, newest first."""
    config = current_app.config
    return [_key(secret, purpose) for secret in (config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])]


def seal(text: str) -> str:
    """`text` encrypted, as printable text; a fresh nonce each time."""
    nonce = secrets.token_bytes(12)
    secret = current_app.config["SECRET_KEY"]
    sealed = AESGCM(_key(secret, b"field")).encrypt(nonce, text.encode("utf-8"), None)
    return PREFIX + base64.b64encode(nonce + sealed).decode("ascii")


def unseal(sealed: str) -> str:
    """Back from `seal`. Raises cryptography's InvalidTag when altered or under another key."""
    raw = base64.b64decode(sealed.removeprefix(PREFIX))
    secret = current_app.config["SECRET_KEY"]
    return AESGCM(_key(secret, b"field")).decrypt(raw[:12], raw[12:], None).decode("utf-8")


def blind_index(text: str) -> str:
    """The same 64 hex digits for the same text, telling nothing about it without the key."""
    secret = current_app.config["SECRET_KEY"]
    return hmac.new(_key(secret, b"index"), text.encode("utf-8"), hashlib.sha256).hexdigest()


def fingerprint() -> str:
    """The same 16 hex digits on every server with this SECRET_KEY; they tell nothing about it."""
    return _key(current_app.config["SECRET_KEY"], b"fingerprint").hex()[:16]
