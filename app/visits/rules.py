"""When a visit took place and when the next one may be. No Flask, no database, no clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.shared.clock import local_date, parse_day

FUTURE_ALLOWED = timedelta(hours=24)
EARLIEST, LATEST_YEAR = date(2000, 1, 1), 2199
NEXT_WITHIN_DAYS = 730
LATE_DAYS = 30
CLOCK_WRONG = timedelta(minutes=5)
FLOOR, CEILING = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Impossible(ValueError):
    """A date that cannot be; the text is for the person who wrote it."""


def day_of(visited_at: datetime, skew: timedelta, received_at: datetime) -> date:
    """The local day a visit counts for.

    `skew` is server clock minus phone clock. Refused: more than 24 h ahead once the phone's clock is put
    right, or before 2000 (SYNC §7). A stated moment ahead of the server's clock counts on the day its
    corrected moment falls on, never after arrival: a wrong clock is the phone's fault, not the patient's.
    """
    if visited_at.year > LATEST_YEAR or visited_at.year < EARLIEST.year - 1:
        raise Impossible("随访时间不对，请核对日期")
    stated = local_date(visited_at)
    if stated < EARLIEST:
        raise Impossible("随访时间不能早于 2000 年")
    corrected = _shifted(visited_at, skew)
    if corrected > received_at + FUTURE_ALLOWED:
        raise Impossible("随访时间不能晚于现在 24 小时以上")
    arrived = local_date(received_at)
    return stated if stated <= arrived else min(local_date(corrected), arrived)


def next_day(text: str, visited_on: date) -> date:
    """The next visit's day. Raises Impossible unless it is a real day after the visit, within two years."""
    try:
        day = parse_day(text)
    except ValueError:
        raise Impossible("下次随访日期应为有效的日期") from None
    if day <= visited_on:
        raise Impossible(f"须晚于随访日期 {visited_on.month}月{visited_on.day}日")
    if (day - visited_on).days > NEXT_WITHIN_DAYS:
        raise Impossible("下次随访日期太远，应在两年以内")
    return day


def entered_later(visited_on: date, recorded_at: datetime, skew: timedelta) -> bool:
    """Whether the visit was written down on a later day than it took place (补录)."""
    return local_date(_shifted(recorded_at, skew)) > visited_on


def flags(visited_on: date, received_on: date, skew: timedelta, *, same_day: bool) -> list[str]:
    """What a reader of the visit should know about it; nothing of this refuses it."""
    found = ["same_day"] if same_day else []
    if (received_on - visited_on).days > LATE_DAYS:
        found.append("late")
    if abs(skew) > CLOCK_WRONG:
        found.append("clock")
    return found


def _shifted(moment: datetime, skew: timedelta) -> datetime:
    """`moment` put right by `skew`, held within years that local time can show."""
    try:
        return min(max(moment.astimezone(UTC) + skew, FLOOR), CEILING)
    except OverflowError:
        return FLOOR if skew < timedelta(0) else CEILING


DIED, MOVED_AWAY = 1, 2


def ended_on(answers: dict[str, Any], visited_on: date) -> date | None:
    """The day care ended by what a visit found: the day of death, or of learning of the move. Else None.

    Source: lost_reason in domain forms §0 (1 died, 2 moved away, 3 lost, 4 refused).
    """
    if answers.get("lost_reason") == DIED:
        return date.fromisoformat(answers.get("death_date") or visited_on.isoformat())
    return visited_on if answers.get("lost_reason") == MOVED_AWAY else None
