"""Reads the service needs to judge one visit."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select

from app.accounts.models import AuditLine
from app.encounters.models import Visit
from app.extensions import db


def same_day(patient_id: str, form: str, on: date, besides: str) -> bool:
    """Whether another visit with this form and day stands for the patient."""
    statement = select(Visit.id).where(
        Visit.patient_id == patient_id,
        Visit.form == form,
        Visit.visited_on == on,
        Visit.voided.is_(False),
        Visit.id != besides,
    )
    return db.session.scalar(statement.limit(1)) is not None


def newest(patient_id: str, besides: str | None = None) -> Visit | None:
    """The newest visit that stands, by its moment."""
    statement = select(Visit).where(Visit.patient_id == patient_id, Visit.voided.is_(False))
    if besides is not None:
        statement = statement.where(Visit.id != besides)
    found: Visit | None = db.session.scalar(
        statement.order_by(Visit.visited_at.desc(), Visit.id.desc()).limit(1)
    )
    return found


def first_refused_at(author_id: str, op_id: str) -> datetime | None:
    """When this operation was first told that what it depends on is missing."""
    statement = select(func.min(AuditLine.at)).where(
        AuditLine.user_id == author_id,
        AuditLine.object_id == op_id,
        AuditLine.result == "rejected:missing_dependency",
    )
    return db.session.scalar(statement)
