"""Keeping and reading what was measured. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from math import inf
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, bindparam, delete, func, select

from app.encounters import queries as encounters
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
    Observation.id,
)
TO_PLACE = "patient_id", "code", "value", "observed_on", "observed_at", "visit_id", "id"
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

    The same as `_in_order`; what is not written yet has no `id`, and comes after what is.
    """
    return row["observed_on"], row["observed_at"], row["visit_id"] or "", row.get("id", inf)


def forget_visit(visit_id: str) -> None:
    """The visit was corrected or cancelled: what it had measured no longer counts."""
    db.session.execute(delete(Observation).where(Observation.visit_id == visit_id))


@lru_cache(maxsize=64)  # made once: to make it anew costs as much as to have it answered
def _in_order(codes: tuple[str, ...], dated: bool) -> Select[*tuple[Any, ...]]:
    """Oldest first. Of two visits of one moment (both entered for noon of a past day) the one recorded later
    counts."""
    its = _of_patients(codes, dated)
    return select(its).order_by(
        its.c.observed_on, its.c.observed_at, func.coalesce(its.c.visit_id, ""), its.c.id
    )


@lru_cache(maxsize=64)
def _to_place(codes: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
    its = _of_patients(codes, dated=False)
    return select(*(its.c[name] for name in TO_PLACE))


def _of_patients(codes: tuple[str, ...], dated: bool) -> Subquery:
    """At their visits; and, without a visit, what the register had said before one said otherwise."""
    narrow: list[ColumnElement[bool]] = [Observation.code.in_(codes)] if codes else []
    if dated:
        narrow.append(Observation.observed_on >= bindparam("since"))
    return encounters.kept(COLUMNS, Observation.visit_id, Observation.patient_id, *narrow).subquery()


def of(patient_id: str) -> list[Row[Any]]:
    """Everything measured of one patient as rows (code, value, number, unit, observed_on …), oldest first."""
    return of_many([patient_id])[patient_id]


def of_many(
    patient_ids: Iterable[str], codes: Sequence[str] = (), since: date | None = None
) -> dict[str, list[Row[Any]]]:
    """The same for many patients; every id asked for is a key. `codes` and `since` narrow what is read."""
    wanted = list(patient_ids)
    found: dict[str, list[Row[Any]]] = {patient_id: [] for patient_id in wanted}
    statement = _in_order(tuple(codes), since is not None)
    for start in range(0, len(wanted), PATIENTS_A_QUERY):
        asked = {encounters.IDS: wanted[start : start + PATIENTS_A_QUERY], "since": since}
        for row in db.session.execute(statement, asked):
            found[row.patient_id].append(row)
    return found


def to_place(patient_ids: Iterable[str], codes: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """Everything measured of each patient in rows as `place` wants them, in no order; `codes` narrows it."""
    found: dict[str, list[dict[str, Any]]] = {patient_id: [] for patient_id in patient_ids}
    if not found:
        return found
    asked = {encounters.IDS: list(found)}
    for values in bulk.rows(db.session(), _to_place(tuple(codes)), asked):
        row = dict(zip(TO_PLACE, values, strict=True))
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
