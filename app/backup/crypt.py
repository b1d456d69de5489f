"""A stream of bytes encrypted in chunks: nobody reads it, changes it, reorders it or cuts it unnoticed.

The layout is that of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015), with the AES-256-GCM we have anyway:

    magic (16) | salt (32) | key check (8) | chunk | chunk | ... | last chunk

A chunk is CHUNK bytes, the last one at most, and 16 of tag. Its nonce is its number (11 bytes) and whether it
is the last (1 byte): each file has a key of its own, made from the secret and the salt, so that no nonce
repeats. The three fields before the chunks are bound to each of them as associated data.
"""

from __future__ import annotations

import hmac
import io
import secrets
from collections.abc import Sequence
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.backup.trouble import BackupError

MAGIC = b"nuanxun backup 1"
SALT, CHECK, TAG = 32, 8, 16
CHUNK = 1 << 20


def _derived(secret: str, salt: bytes) -> tuple[bytes, bytes]:
    """The key of a file, and what tells whether the secret is the right one before anything is opened."""
    drawn = HKDF(algorithm=SHA256(), length=32 + CHECK, salt=salt, info=b"nuanxun/backup").derive(
        secret.encode("utf-8")
    )
    return drawn[:32], drawn[32:]


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class Encrypter(io.RawIOBase):
    """Writes to `file` what is written to it. Only after `close` is the file whole; `file` stays open."""

    def __init__(self, file: IO[bytes], secret: str) -> None:
        super().__init__()
        salt = secrets.token_bytes(SALT)
        key, check = _derived(secret, salt)
        self._file, self._cipher, self._number = file, AESGCM(key), 0
        self._head, self._waiting = MAGIC + salt + check, bytearray()
        file.write(self._head)

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def, override]
        self._waiting += data
        while len(self._waiting) > CHUNK:  # what may be the last chunk waits
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk. Left out, the file is one that `Decrypter` refuses."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, chunk: bytes, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._head))
        self._number += 1


class Decrypter(io.RawIOBase):
    """Reads what an Encrypter wrote. Raises BackupError at the first byte that is not as it was written."""

    def __init__(self, file: IO[bytes], candidates: Sequence[str]) -> None:
        super().__init__()
        self._head = file.read(len(MAGIC) + SALT + CHECK)
        if not self._head.startswith(MAGIC) or len(self._head) < len(MAGIC) + SALT + CHECK:
            raise BackupError("this is not a backup of 暖巡, or its beginning is missing")
        salt, check = self._head[len(MAGIC) : -CHECK], self._head[-CHECK:]
        drawn = [_derived(secret, salt) for secret in candidates]
        keys = [key for key, known in drawn if hmac.compare_digest(known, check)]
        if not keys:
            raise BackupError("it was made with another key: set BACKUP_KEY or SECRET_KEY to that one")
        self._file, self._cipher, self._number = file, AESGCM(keys[0]), 0
        self._next, self._plain, self._over = file.read(CHUNK + TAG), memoryview(b""), False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def, override]
        while not self._plain and not self._over:
            self._open_next()
        taken = self._plain[: len(buffer)]
        buffer[: len(taken)] = taken
        self._plain = self._plain[len(taken) :]
        return len(taken)

    def _open_next(self) -> None:
        sealed, self._next = self._next, self._file.read(CHUNK + TAG)
        last = not self._next
        try:
            self._plain = memoryview(self._cipher.decrypt(_nonce(self._number, last), sealed, self._head))
        except (InvalidTag, ValueError):
            raise BackupError("the file is damaged: it was changed, or its end is missing") from None
        self._number, self._over = self._number + 1, last
