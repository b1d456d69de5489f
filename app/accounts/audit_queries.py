"""Questions to the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, case, func, or_, select, union_all

from app.accounts.models import AuditLine, User
from app.extensions import db

GRANTED = ("ok", "offline:", "reported:")  # how the results of what really took place begin


@dataclass(frozen=True)
class Deed:
    """Something a person did with one patient's record. `offline`: a page their phone had kept."""

    at: datetime
    user: User | None
    user_id: str
    role: str
    org_id: str | None
    action: str
    offline: bool


@dataclass(frozen=True)
class Deeds:
    rows: list[Deed]
    number: int
    last: int


def deeds_about(patient_id: str, *, besides: str, number: int, size: int) -> Deeds:
    """A page of what people did with this patient's record, newest first; `besides` names who is left out.

    What a phone reported later stands at the moment it named, unless that lies after its arrival.
    """
    wanted = (
        AuditLine.id.in_(_about(patient_id)),
        AuditLine.user_id.is_not(None),
        AuditLine.user_id != besides,
        or_(*(AuditLine.result.startswith(word, autoescape=True) for word in GRANTED)),
    )
    total = db.session.scalar(select(func.count()).select_from(AuditLine).where(*wanted)) or 0
    last = max(1, -(-total // size))
    number = min(number, last)
    moment = _moment()
    statement = (
        select(AuditLine, moment, User)
        .outerjoin(User, User.id == AuditLine.user_id)
        .where(*wanted)
        .order_by(moment.desc(), AuditLine.id.desc())
    )
    found = db.session.execute(statement.offset((number - 1) * size).limit(size))
    return Deeds([_deed(line, at, user) for line, at, user in found], number, last)


def _about(patient_id: str) -> CompoundSelect[int]:
    """Ids of all lines. Those of the last seconds are not linked yet, and stand in no order of patients."""
    theirs = AuditLine.patient_id == patient_id
    return union_all(
        select(AuditLine.id).where(theirs, AuditLine.position.is_not(None)),
        select(AuditLine.id).where(theirs, AuditLine.position.is_(None)),
    )


def _moment() -> ColumnElement[datetime]:
    return case((AuditLine.claimed_at < AuditLine.at, AuditLine.claimed_at), else_=AuditLine.at)


def _deed(line: AuditLine, at: datetime, user: User | None) -> Deed:
    return Deed(
        at=at,
        user=user,
        user_id=line.user_id or "",
        role=line.role or "",
        org_id=line.org_id,
        action=line.action,
        offline=not line.result.startswith("ok"),
    )
