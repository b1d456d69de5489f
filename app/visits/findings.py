"""What a visit found out for good: diagnoses and living alone, kept on the register too.

The register's own word is written down as an observation before a visit overrides it, so that cancelling or
correcting the visit gives it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from app.observations import service as observations
from app.patients.models import Patient
from app.shared import clock

CODES = ("conditions", "lives_alone")
Newest = Mapping[str, Mapping[str, Any]]


def of_register(patient: Patient, newest: Newest) -> list[dict[str, Any]]:
    """The register's words that no observation holds yet, as rows; made before a visit writes its own.

    `newest` as `observations.remembered` gives it.
    """
    rows: list[dict[str, Any]] = []
    for code in CODES:
        said = getattr(patient, code)
        if said is None or (code in newest and newest[code]["value"] == said):
            continue
        on, at = _when(patient, code, seen=code in newest)
        value: dict[str, Any] = {"code": code, "value": said}
        rows += observations.rows(None, patient.id, on, [value], at=at, source="register")
    return rows


def settle(patient: Patient, newest: Newest) -> None:
    """Call after a visit's observations were added, changed or taken away: the newest word stands."""
    for code in CODES:
        if code not in newest:
            continue
        if getattr(patient, code) != newest[code]["value"]:
            setattr(patient, code, newest[code]["value"])
        if code == "conditions" and patient.conditions_on != newest[code]["observed_on"]:
            patient.conditions_on = newest[code]["observed_on"]


def _when(patient: Patient, code: str, *, seen: bool) -> tuple[date, datetime | None]:
    """The register's word is as old as the register says, but newer than the visit it differs from."""
    if code == "conditions" and patient.conditions_on is not None:
        return patient.conditions_on, clock.now() if seen else None
    if seen:
        return clock.today(), clock.now()
    return clock.local_date(patient.created_at), None
