"""Identifiers: UUID version 7, lower case, made by whoever creates the thing."""

from __future__ import annotations

import os
import re
import secrets
import time

STOCK = 256
OP_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


_chances: list[int] = []  # drawn in stock: to ask the kernel for each costs more than all the rest
os.register_at_fork(after_in_child=_chances.clear)


def new_id(at_ms: int | None = None) -> str:
    """A fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    return _id(time.time_ns() // 1_000_000 if at_ms is None else at_ms, _chance())


def _chance() -> int:
    """80 random bits that nobody else gets, neither thread nor forked process."""
    while True:
        try:
            return _chances.pop()
        except IndexError:
            drawn = secrets.token_bytes(10 * STOCK)
            _chances.extend(int.from_bytes(drawn[at : at + 10]) for at in range(0, len(drawn), 10))


def _id(at_ms: int, chance: int) -> str:
    value = (at_ms & ((1 << 48) - 1)) << 80 | chance
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: object) -> bool:
    """A lower-case UUID of version 7 or 4. Nothing is ever read out of its time part."""
    return isinstance(text, str) and OP_ID.fullmatch(text) is not None
