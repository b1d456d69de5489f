"""Whose visit is whose: what is kept by visit has no index by patient, and is found by way of this table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, CompoundSelect, bindparam, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from app.encounters.models import Visit

IDS = "ids"
Column = InstrumentedAttribute[Any]


def patients() -> BindParameter[Any]:
    """The place in a question for the ids of the patients it is asked about: {IDS: [...]}."""
    return bindparam(IDS, expanding=True)


def theirs(visit_id: Column) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions for rows of visits to `patients`, cancelled visits included; they join Visit."""
    return Visit.id == visit_id, Visit.patient_id.in_(patients())


def kept(
    columns: Sequence[Column], visit_id: Column, patient_id: Column, *narrow: ColumnElement[bool]
) -> CompoundSelect[*tuple[Any, ...]]:
    """Rows of visits to `patients`, and those of theirs that belong to no visit (see NO_VISIT)."""
    return union_all(
        select(*columns).where(*theirs(visit_id), *narrow),
        select(*columns).where(visit_id.is_(None), patient_id.in_(patients()), *narrow),
    )
