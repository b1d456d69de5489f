"""What a visit found out for good: diagnoses and living alone, kept on the register too.

The register's own word is written down as an observation before a visit overrides it, so that cancelling or
correcting the visit gives it back.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from app.observations import service as observations
from app.patients.models import Patient
from app.shared import clock

CODES = ("conditions", "lives_alone")


def remember_register(patient: Patient) -> None:
    """Call before a visit writes its observations."""
    for code in CODES:
        said = getattr(patient, code)
        newest = observations.newest(patient.id, code)
        if said is None or (newest is not None and newest.value == said):
            continue
        on, at = _when(patient, code, seen=newest is not None)
        value: dict[str, Any] = {"code": code, "value": said}
        observations.record(None, patient.id, on, [value], at=at, source="register")


def settle(patient: Patient) -> None:
    """Call after a visit's observations were written, changed or taken away: the newest word stands."""
    for code in CODES:
        newest = observations.newest(patient.id, code)
        if newest is None:
            continue
        if getattr(patient, code) != newest.value:
            setattr(patient, code, newest.value)
        if code == "conditions":
            patient.conditions_on = newest.observed_on


def _when(patient: Patient, code: str, *, seen: bool) -> tuple[date, datetime | None]:
    """The register's word is as old as the register says, but newer than the visit it differs from."""
    if code == "conditions" and patient.conditions_on is not None:
        return patient.conditions_on, clock.now() if seen else None
    if seen:
        return clock.today(), clock.now()
    return clock.local_date(patient.created_at), None
