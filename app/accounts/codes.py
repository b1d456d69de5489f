"""Texts that open something once: made here, and kept as digests."""

from __future__ import annotations

import hashlib
import secrets

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that looks like another when written down
GROUP = 4


def make(groups: int = 3) -> str:
    """abcd-efgh-jkmn: about 20 bits a group, to be read out or copied by hand."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(groups))


def digits(length: int = 6) -> str:
    return f"{secrets.randbelow(10**length):0{length}d}"


def digest(text: str) -> str:
    """What is kept instead of a token, or of a name somebody tried."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
