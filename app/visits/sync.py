"""visit.create and visit.correct as operations; the visit as a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select

from app.accounts.models import User
from app.encounters.models import Visit
from app.extensions import db
from app.forms import engine
from app.grading.models import GradeRecord
from app.patients import scope
from app.shared import clock, scope_table
from app.shared.strictjson import storable
from app.sync.models import Revision
from app.sync.registry import Applied, Entity, Kind, Op, register_entity, register_kind
from app.visits import recording, service
from app.visits.schema import VisitCorrect, VisitCreate


def register() -> None:
    may = scope_table.roles_of
    register_kind(Kind("visit.create", "visit", VisitCreate, frozenset(may("visit")), together=Creating))
    correctors = frozenset(may("correct"))
    register_kind(Kind("visit.correct", "visit", VisitCorrect, correctors, _correct, needs_base=True))
    register_entity(Entity("visit", _in_scope, _patients, _record))


class Creating:
    """Visits of one push, taken in together."""

    def __init__(self, author: User, payloads: Iterable[dict[str, Any]]) -> None:
        self.recording = recording.Recording(author, named(payloads))
        self.write = self.recording.write
        self.moved, self.leave_out = self.recording.moved, self.recording.leave_out

    def apply(self, op: Op) -> Applied:
        return _applied(self.recording.record(op))


def named(payloads: Iterable[dict[str, Any]]) -> set[str]:
    """Ids of patients in payloads that nobody has looked at yet."""
    found = (payload.get("patient_id") for payload in payloads)
    return {patient_id for patient_id in found if isinstance(patient_id, str) and storable(patient_id)}


def _correct(op: Op) -> Applied:
    return _applied(recording.correct(op))


def _applied(visit: Visit) -> Applied:
    return Applied(visit.id, visit.revision, visit.patient_id, "voided" if visit.voided else None)


def _in_scope(user: User) -> ColumnElement[bool]:
    """Relatives, helpers and offices read no visits."""
    return Revision.patient_id.in_(_patients(user))


def _patients(user: User) -> Select[str]:
    return scope.ids(user, "chart")


def _record(_user: User, visit_id: str) -> dict[str, Any] | None:
    visit = db.session.get(Visit, visit_id)
    if visit is None:
        return None
    grade = service.last_grade(visit)
    return {
        "patient_id": visit.patient_id,
        "form": visit.form,
        "form_version": visit.form_version,
        "title": engine.definition(visit.form).zh,
        "revision": visit.revision,
        "voided": visit.voided,
        "author_id": visit.author_id,
        "visited_at": clock.local(visit.visited_at).isoformat(),
        "visited_on": visit.visited_on.isoformat(),
        "mode": visit.mode,
        "answers": visit.answers,
        "summary": visit.summary,
        "next_visit_on": visit.next_visit_on.isoformat() if visit.next_visit_on else None,
        "flags": visit.flags,
        "grade": grade_of(grade) if grade else None,
        "phone_differs": bool(grade and grade.phone_differs),
    }


def grade_of(record: GradeRecord) -> dict[str, Any]:
    """A kept grade in the shape phones send theirs."""
    return {
        "colour": record.colour,
        "emergency": record.emergency,
        "reasons": record.reasons,
        "missing": record.missing,
        "due_in_days": record.due_in_days,
        "rule_version": record.rule_version,
    }
