"""Passwords: argon2id, with the library's current defaults (RFC 9106 low-memory profile)."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

hasher = PasswordHasher()
LONGEST = 256


@lru_cache(maxsize=1)
def _nobody() -> str:
    """Verified when nobody has that name, so that the answer takes as long and tells nothing."""
    return hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    return hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether `password` belongs to `stored`; None costs the same time and is never right."""
    try:
        return hasher.verify(stored or _nobody(), password[:LONGEST]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
