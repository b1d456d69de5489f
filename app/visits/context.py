"""What the forms need to know about the patient and the past to judge one visit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from app.forms import engine
from app.observations import service as observations
from app.patients.models import Patient
from app.shared import clock

YEARS_SHOWN = timedelta(days=3 * 366)


def of_patient(
    patient: Patient, form: str, previous: tuple[dict[str, Any], str] | None, besides: str | None = None
) -> dict[str, Any]:
    """The full context for a person who is filling in `form` now, last values included.

    `besides` is the visit being corrected: what it measured is not what was measured before it.
    """
    rows = observations.of_many([patient.id], since=clock.today() - YEARS_SHOWN)[patient.id]
    latest = observations.latest_values(
        row for row in rows if row.source == "visit" and row.visit_id != besides
    )
    last = engine.last_values(form, latest, previous)
    return {
        **_person(patient),
        "visited_on": clock.today().isoformat(),
        "previous_visit_on": previous[1] if previous else None,
        "last": last,
    }


def on_arrival(
    patient: Patient,
    answers: Any,
    *,
    visited_on: date,
    next_visit_on: date | None,
    mode: str,
    previous_on: date | None,
    same_day: bool,
    entered_later: bool,
) -> dict[str, Any]:
    """The context in which an arriving visit is judged: only what its author could know.

    Another doctor's newer figures must not refuse a visit recorded honestly without signal, so there is no
    `last`; and a visit counts as 补录 only when it was written down on a later day. A reason for it
    that was given all the same is accepted.
    """
    explained = isinstance(answers, dict) and bool(answers.get("backdate_reason"))
    if previous_on is not None and not entered_later:
        previous_on = None
    if explained and (previous_on is None or previous_on <= visited_on):
        previous_on = visited_on + timedelta(days=1)
    return {
        **_person(patient),
        "visited_on": visited_on.isoformat(),
        "next_visit_on": next_visit_on.isoformat() if next_visit_on else None,
        "previous_visit_on": previous_on.isoformat() if previous_on else None,
        "mode": mode,
        "same_day_visit": same_day,
        "last": None,
    }


def _person(patient: Patient) -> dict[str, Any]:
    return {
        "today": clock.today().isoformat(),
        "birth_date": patient.birth_date.isoformat(),
        "sex": patient.sex,
        "conditions": patient.conditions,
        "same_day_visit": False,
    }
