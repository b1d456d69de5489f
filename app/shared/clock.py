"""Time enters here and nowhere else: `clock.now()`, `clock.today()`.

Callers write `from app.shared import clock` and call through the module, so that a test can set the time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Shanghai")


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


def parse_moment(text: str) -> datetime:
    """An aware moment from RFC 3339 text. Raises ValueError when malformed or without offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text:
        raise ValueError("a moment needs a date, a time and an offset")
    moment.astimezone(UTC)  # raises OverflowError at the edges of the calendar
    return moment
