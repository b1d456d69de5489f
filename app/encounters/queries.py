"""Whose visit is whose: what is kept by visit has no index by patient, and is found by way of this table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam
from sqlalchemy.orm import InstrumentedAttribute

from app.encounters.models import Visit

IDS = "ids"


def patients() -> BindParameter[Any]:
    """The place in a question for the ids of the patients it is asked about: {IDS: [...]}."""
    return bindparam(IDS, expanding=True)


def theirs(visit_id: InstrumentedAttribute[Any]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions for rows of visits to `patients`, cancelled visits included; they join Visit."""
    return Visit.id == visit_id, Visit.patient_id.in_(patients())
