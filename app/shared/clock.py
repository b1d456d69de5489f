"""Time enters here and nowhere else: `clock.now()`, `clock.today()`.

Callers write `from app.shared import clock` and call through the module, so that a test can set the time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Shanghai")
# Python reads much more as ISO 8601 than a phone means: 20260601, 2026-W23-1, 09:12:00,5, +08:00:30.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    _DAY.pattern + r"T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The calendar day in Asia/Shanghai."""
    return now().astimezone(LOCAL).date()


def local(moment: datetime) -> datetime:
    return moment.astimezone(LOCAL)


def local_date(moment: datetime) -> date:
    """The Asia/Shanghai day of an aware moment."""
    return moment.astimezone(LOCAL).date()


@lru_cache(maxsize=1024)  # an operation's are asked for by its shape, its rules and its form
def parse_moment(text: str) -> datetime:
    """An aware moment from RFC 3339 text. Raises ValueError when malformed or without offset."""
    if not _MOMENT.fullmatch(text):
        raise ValueError("a moment needs a date, a time and an offset")
    moment = datetime.fromisoformat(text)
    moment.astimezone(UTC)  # raises OverflowError at the edges of the calendar
    return moment


def parse_day(text: str) -> date:
    """A date from YYYY-MM-DD and nothing else. Raises ValueError."""
    if not _DAY.fullmatch(text):
        raise ValueError("a day is YYYY-MM-DD")
    return date.fromisoformat(text)
