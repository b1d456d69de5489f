"""Visits as they stand, for who may see them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from app.accounts.models import User
from app.encounters.models import Visit
from app.errors import NotFound
from app.extensions import db
from app.grading import service as grading
from app.patients import scope
from app.patients.models import Patient
from app.visits.naming import Name


def may_correct(user: User, visit: Visit) -> bool:
    """Its author, or a clinic lead: a doctor of the team, the town's manager. Scope included."""
    if user.role not in ("manager", "doctor") and user.id != visit.author_id:
        return False
    return db.session.scalar(in_scope(user, visit.patient_id, "correct")) is not None


def get(user: User, visit_id: str) -> Visit:
    """Raises NotFound when absent or out of scope."""
    visit = db.session.get(Visit, visit_id)
    if visit is None:
        raise NotFound()
    scope.get(user, visit.patient_id, "chart")
    return visit


def of(patient_id: str, limit: int | None = None) -> list[Visit]:
    """A patient's visits, newest first; voided ones are left out."""
    return of_many([patient_id], limit)[patient_id]


def of_many(patient_ids: Iterable[str], limit: int | None = None) -> dict[str, list[Visit]]:
    """The same for many; every id asked for is a key."""
    found: dict[str, list[Visit]] = {patient_id: [] for patient_id in patient_ids}
    for visit in db.session.scalars(_of_many(limit is not None), {"ids": list(found), "most": limit}):
        found[visit.patient_id].append(visit)
    return found


@cache
def _of_many(few: bool) -> Select[Visit]:
    place = func.row_number().over(
        partition_by=Visit.patient_id, order_by=(Visit.visited_at.desc(), Visit.id.desc())
    )
    ranked = select(Visit.id, place.label("place")).where(
        Visit.patient_id.in_(bindparam("ids", expanding=True)), Visit.voided.is_(False)
    )
    newest = ranked.subquery()
    statement = select(Visit).join(newest, newest.c.id == Visit.id).order_by(newest.c.place)
    return statement.where(newest.c.place <= bindparam("most")) if few else statement


def named(patient_id: str, name: Name) -> str | None:
    """The id of this person's visit with this name."""
    same = _same_day(patient_id, name.day, name.form).order_by(Visit.voided, Visit.visited_at, Visit.id)
    return db.session.scalar(same.offset(name.nth - 1).limit(1))


def name_of(visit: Visit) -> Name:
    """What a visit that stands is called."""
    same = _same_day(visit.patient_id, visit.visited_on, visit.form).where(Visit.voided.is_(False))
    ids = list(db.session.scalars(same.order_by(Visit.visited_at, Visit.id)))
    return Name(visit.visited_on, visit.form, ids.index(visit.id) + 1 if visit.id in ids else 1)


def _same_day(patient_id: str, day: date, form: str) -> Select[str]:
    return select(Visit.id).where(Visit.patient_id == patient_id, Visit.visited_on == day, Visit.form == form)


def last_answers(patient_id: str, besides: str | None = None) -> dict[str, tuple[dict[str, Any], str]]:
    """Form key -> (answers, ISO day) of the newest visit with each form that took place.

    `besides` leaves out the visit being corrected and what came after it.
    """
    newest: dict[str, tuple[dict[str, Any], str]] = {}
    found = of(patient_id)
    place = next((n + 1 for n, visit in enumerate(found) if visit.id == besides), 0)
    for visit in found[place:]:
        if visit.answers.get("lost_reason") is None:
            newest.setdefault(visit.form, (visit.answers, visit.visited_on.isoformat()))
    return newest


def in_scope(user: User, patient_id: str, action: str) -> Select[Patient]:
    return select(Patient).where(Patient.id == patient_id, scope.condition(user, action))


def last_grade(visit: Visit) -> Any:
    """The newest GradeRecord this visit gave rise to; None once it is void."""
    return None if visit.voided else grading.of_visit(visit.id)
