"""Calendar days as ISO text, so that both languages compare and subtract them alike."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(value: Any) -> str | None:
    """`value` as YYYY-MM-DD if it names a real day of 1880 to 2199, else None."""
    if value is None:
        return None
    if isinstance(value, date):
        value = value.isoformat()[:10]
    return value if isinstance(value, str) and _number(value) is not None else None


def _number(value: str) -> int | None:
    return _known_number(value) if len(value) == 10 else None


@lru_cache(maxsize=8192)  # the same days come again and again; nothing long is kept
def _known_number(value: str) -> int | None:
    if not _ISO.fullmatch(value) or not "1880" <= value[:4] <= "2199":
        return None
    try:
        return date.fromisoformat(value).toordinal()
    except ValueError:
        return None


def days_between(earlier: str | None, later: str | None) -> int | None:
    """Of days as `day` gives them."""
    if earlier is None or later is None:
        return None
    first, last = _number(earlier), _number(later)
    return None if first is None or last is None else last - first


def age_on(birth: str | None, on: str | None) -> int | None:
    """Full years; somebody born on 29 February turns a year older on 1 March."""
    if birth is None or on is None:
        return None
    return int(on[:4]) - int(birth[:4]) - (on[5:] < birth[5:])


def spoken(value: str) -> str:
    """2026-06-08 as people say it: 6月8日."""
    return f"{int(value[5:7])}月{int(value[8:10])}日"
