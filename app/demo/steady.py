"""The same every time: identifiers and chances that depend on a name, not on the run."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime

SEED = "nuanxun-1"
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def chance(*names: object) -> random.Random:
    """A generator of its own for this thing, so that adding another thing does not move it."""
    return random.Random(":".join([SEED, *map(str, names)]))


def steady_id(*names: object, at: datetime = LONG_AGO) -> str:
    """A UUIDv7 made of the names; sorts by `at`."""
    digest = int.from_bytes(hashlib.sha256(":".join([SEED, *map(str, names)]).encode()).digest()[:16])
    value = (int(at.timestamp() * 1000) << 80) | (digest & ((1 << 80) - 1))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
