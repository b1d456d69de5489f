"""Planning: the next forms of a person, decided again after every visit, change and night."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from app.extensions import db
from app.grading import service as grading
from app.grading.models import CurrentGrade
from app.patients.models import Patient
from app.plans import agenda, rules
from app.plans.models import PlanItem
from app.shared import clock
from app.sync import feed

if TYPE_CHECKING:
    from app.grading.models import GradeRecord


def refresh(
    patient: Patient,
    *,
    cause: str,
    visit_id: str | None = None,
    phone: dict[str, Any] | None = None,
    as_of: date | None = None,
) -> tuple[GradeRecord, list[PlanItem]]:
    """Grade again, plan again: the grade and the open items, soonest first. Never commits.

    After a visit was corrected give its `visit_id`; when one was voided, `forget_visit` first.
    """
    as_of = as_of or clock.today()
    record = grading.regrade(patient, cause=cause, visit_id=visit_id, phone=phone, as_of=as_of)
    return record, replan(patient, record, as_of=as_of)


def replan(patient: Patient, grade: Any, *, as_of: date) -> list[PlanItem]:
    """Bring the open items in line with `grade` where no visit was recorded."""
    plan = agenda.load([patient.id])[patient.id]
    if plan.follow(patient, grade, held_colour(grading.current(patient.id)), as_of=as_of, after_visit=False):
        feed.touch(patient.id)
    db.session.flush()
    return open_items(patient.id)


def held_colour(grade: CurrentGrade | None) -> str | None:
    """The colour that stands until a clinician agrees to a lower one."""
    return grade.colour if grade is not None and grade.proposed_colour else None


def forget_visit(visit_id: str) -> None:
    """The visit was voided: it did nothing. Follow with `refresh`."""
    db.session.execute(delete(PlanItem).where(PlanItem.visit_id == visit_id))


def open_items(patient_id: str) -> list[PlanItem]:
    """What this person is due for, soonest first."""
    return open_items_many([patient_id]).get(patient_id, [])


def open_items_many(ids: Iterable[str]) -> dict[str, list[PlanItem]]:
    statement = select(PlanItem).where(PlanItem.patient_id.in_(list(ids)), PlanItem.done_on.is_(None))
    found: dict[str, list[PlanItem]] = {}
    for item in db.session.scalars(statement):
        found.setdefault(item.patient_id, []).append(item)
    for items in found.values():
        items.sort(key=lambda item: (item.due_on, rules.ORDER.index(item.form)))
    return found


def nightly(as_of: date | None = None) -> list[str]:
    """Grade again whom the passing of time changed, and plan them again. Returns their ids; never commits.

    Who was raised or waits to be lowered is planned again too. Twice on one day changes nothing.
    """
    as_of = as_of or clock.today()
    feed.lock()  # before any grade is locked, in the order of a push: else the two could wait for each other
    changed = grading.regrade_stale(as_of)
    in_use = select(Patient.id).where(Patient.restricted_at.is_(None))
    held = select(CurrentGrade.patient_id).where(
        CurrentGrade.raised_colour.is_not(None) | CurrentGrade.proposed_colour.is_not(None),
        CurrentGrade.patient_id.in_(in_use),
    )
    for patient_id in sorted({*changed, *db.session.scalars(held)}):
        grade = grading.history(patient_id)[0]
        replan(db.session.get_one(Patient, patient_id), grade, as_of=as_of)
    return changed


def on_patient_changed(patient_id: str, cause: str = "patient") -> None:
    patient = db.session.get(Patient, patient_id)
    if patient is not None:
        refresh(patient, cause=cause)
