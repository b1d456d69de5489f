"""Keeping and reading what was measured. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from math import inf
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select

from app.extensions import db
from app.observations.models import REMEMBERED, Observation
from app.shared import bulk, clock

COLUMNS = (
    Observation.patient_id,
    Observation.visit_id,
    Observation.code,
    Observation.value,
    Observation.number,
    Observation.unit,
    Observation.observed_on,
    Observation.observed_at,
    Observation.source,
)
# Of two visits of one moment (both entered for noon of a past day) the one recorded later counts.
IN_ORDER = (
    Observation.observed_on,
    Observation.observed_at,
    func.coalesce(Observation.visit_id, ""),
    Observation.id,
)
PATIENTS_A_QUERY = 500


def rows(
    visit_id: str | None,
    patient_id: str,
    on: date,
    values: Sequence[Mapping[str, Any]],
    *,
    at: datetime | None = None,
    source: str = "visit",
) -> list[dict[str, Any]]:
    """`values`, each {code, value, unit, on?}, as rows to `write`: an `on` of its own is an ISO day before.

    `at` is the moment of the visit and orders visits of one day; by default the beginning of `on`.
    """
    moment = at or datetime.combine(on, time(), clock.LOCAL)
    return [
        {
            "patient_id": patient_id,
            "visit_id": visit_id,
            "code": item["code"],
            "value": item["value"],
            "number": _number(item["value"]),
            "unit": item.get("unit", ""),
            "observed_on": date.fromisoformat(item["on"]) if item.get("on") else on,
            "observed_at": moment,
            "source": source,
        }
        for item in values
    ]


def write(made: Iterable[Mapping[str, Any]]) -> None:
    bulk.insert_rows(db.session(), Observation, made)


def place(row: Mapping[str, Any]) -> tuple[date, datetime, str, float]:
    """Where a row stands among others of its code: the greatest is the newest, the last of equals.

    The same as IN_ORDER; what is not written yet has no `id`, and comes after what is.
    """
    return row["observed_on"], row["observed_at"], row["visit_id"] or "", row.get("id", inf)


def forget_visit(patient_id: str, visit_id: str) -> None:
    """The visit was corrected or cancelled: what it had measured no longer counts."""
    its_own = Observation.patient_id == patient_id, Observation.visit_id == visit_id
    db.session.execute(delete(Observation).where(*its_own))


def of(patient_id: str) -> list[Row[Any]]:
    """Everything measured of one patient as rows (code, value, number, unit, observed_on …), oldest first."""
    return of_many([patient_id])[patient_id]


_OF_MANY = (  # made once: to make it anew costs as much as to have it answered
    select(*COLUMNS).where(Observation.patient_id.in_(bindparam("ids", expanding=True))).order_by(*IN_ORDER)
)


def of_many(
    patient_ids: Iterable[str], codes: Sequence[str] = (), since: date | None = None
) -> dict[str, list[Row[Any]]]:
    """The same for many patients; every id asked for is a key. `codes` and `since` narrow what is read."""
    wanted = list(patient_ids)
    found: dict[str, list[Row[Any]]] = {patient_id: [] for patient_id in wanted}
    for start in range(0, len(wanted), PATIENTS_A_QUERY):
        part = wanted[start : start + PATIENTS_A_QUERY]
        statement = _OF_MANY
        if codes:
            statement = statement.where(Observation.code.in_(codes))
        if since is not None:
            statement = statement.where(Observation.observed_on >= since)
        for row in db.session.execute(statement, {"ids": part}):
            found[row.patient_id].append(row)
    return found


def to_place(patient_ids: Iterable[str], codes: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Everything measured of each patient in rows as `place` wants them, in no order; `codes` narrows it."""
    found: dict[str, list[dict[str, Any]]] = {patient_id: [] for patient_id in patient_ids}
    if not found:
        return found
    columns = (Observation.patient_id, Observation.code, Observation.value, Observation.observed_on,
               Observation.observed_at, Observation.visit_id, Observation.id)  # fmt: skip
    statement = select(*columns).where(Observation.patient_id.in_(list(found)))
    if codes:
        statement = statement.where(Observation.code.in_(codes))
    names = [column.key for column in columns]
    for values in bulk.rows(db.session(), statement):
        row = dict(zip(names, values, strict=True))
        found[row["patient_id"]].append(row)
    return found


def remembered(patient_ids: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Patient id -> code -> the newest row, as `to_place` gives it, of what is REMEMBERED."""
    return {
        patient_id: {row["code"]: row for row in sorted(rows, key=place)}
        for patient_id, rows in to_place(patient_ids, REMEMBERED).items()
    }


def latest_values(rows: Iterable[Row[Any]]) -> dict[str, tuple[Any, str]]:
    """code -> (value, ISO day) of the newest of each kind; `rows` oldest first, as `of` gives them."""
    return {row.code: (row.value, row.observed_on.isoformat()) for row in rows}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
