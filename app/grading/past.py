"""What earlier visits say to the next one, kept in the row that each visit writes anyway (CurrentGrade.past).

To find it among what years have left cost a tenth of a push, and an index that every visit wrote into.
Whoever takes something back that a visit did lets go of it (`grading.forget_past`): the next one is told by
the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeGuard

WRITTEN_BEFORE = -1  # the place of a kept row among rows of one moment: before all that come now
Done = tuple[date, date | None]  # the day a form was filled in, and the next day then asked for


@dataclass
class Past:
    """`newest`: the newest observation of what is REMEMBERED, by code. `days`: the newest day of each form;
    `done`: of those, when it was last filled in. `newest_at`: behind every visit, by moment and id."""

    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: dict[str, date] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    newest_at: tuple[datetime, str] | None = None


def kept(past: Past) -> dict[str, Any]:
    """JSON of it."""
    at = past.newest_at
    return {
        "newest": {code: _kept_row(row) for code, row in past.newest.items()},
        "days": {form: on.isoformat() for form, on in past.days.items()},
        "done": {form: _kept_done(done) for form, done in past.done.items()},
        "newest_at": None if at is None else [_text(at[0]), at[1]],
    }


def read(told: Mapping[str, Any]) -> Past:
    """Back from JSON."""
    at = told["newest_at"]
    return Past(
        {code: _read_row(row) for code, row in told["newest"].items()},
        {form: date.fromisoformat(on) for form, on in told["days"].items()},
        read_done(told),
        None if at is None else (datetime.fromisoformat(at[0]), at[1]),
    )


def is_whole(told: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether JSON that is kept says all of it: the first of it did not tell when forms were filled in."""
    return told is not None and "done" in told


def read_done(told: Mapping[str, Any]) -> dict[str, Done]:
    """Of the JSON, when each form was last filled in."""
    return {
        form: (date.fromisoformat(on), date.fromisoformat(asked) if asked else None)
        for form, (on, asked) in told["done"].items()
    }


def last_done(done: Mapping[str, Done]) -> date | None:
    """The newest day any form was filled in."""
    return max((on for on, _ in done.values()), default=None)


def _kept_done(done: Done) -> list[str | None]:
    on, asked_on = done
    return [on.isoformat(), asked_on.isoformat() if asked_on else None]


def _kept_row(row: Mapping[str, Any]) -> list[Any]:
    return [row["value"], row["observed_on"].isoformat(), _text(row["observed_at"]), row["visit_id"]]


def _read_row(row: list[Any]) -> dict[str, Any]:
    value, on, at, visit_id = row
    return {
        "value": value,
        "observed_on": date.fromisoformat(on),
        "observed_at": datetime.fromisoformat(at),
        "visit_id": visit_id,
        "id": WRITTEN_BEFORE,
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
