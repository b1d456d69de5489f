"""What earlier visits say to the next one, kept in the row that each visit writes anyway (CurrentGrade.past).

To find it among what years have left cost a tenth of a push, and an index that every visit wrote into.
Whoever takes something back that a visit did lets go of it (`grading.forget_past`): the next one is told by
the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

WRITTEN_BEFORE = -1  # the place of a kept row among rows of one moment: before all that come now


@dataclass
class Past:
    """`newest`: the newest observation of what is REMEMBERED, by code. `days`: the newest day of each form.
    `newest_at`: behind every visit, by moment and id."""

    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    days: dict[str, date] = field(default_factory=dict)
    newest_at: tuple[datetime, str] | None = None


def kept(past: Past) -> dict[str, Any]:
    """JSON of it."""
    at = past.newest_at
    return {
        "newest": {code: _kept_row(row) for code, row in past.newest.items()},
        "days": {form: on.isoformat() for form, on in past.days.items()},
        "newest_at": None if at is None else [_text(at[0]), at[1]],
    }


def read(told: Mapping[str, Any]) -> Past:
    """Back from JSON."""
    at = told["newest_at"]
    return Past(
        {code: _read_row(row) for code, row in told["newest"].items()},
        {form: date.fromisoformat(on) for form, on in told["days"].items()},
        None if at is None else (datetime.fromisoformat(at[0]), at[1]),
    )


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
