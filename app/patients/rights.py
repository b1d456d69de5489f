"""A person's rights over their record, as far as they change it: restriction, and reasons for disclosures.

Restricting takes the place of erasing where the law keeps medical records (domain/identity.md §5): the record
stays, and nothing is done with it any more. Each function is one thing somebody does, and commits.
"""

from __future__ import annotations

from sqlalchemy import select

from app.accounts import audit
from app.accounts.models import User
from app.errors import DomainError
from app.extensions import db
from app.patients import scope
from app.patients.events import patient_changed, patient_restricted
from app.patients.models import Disclosure, FamilyLink, Patient, Restriction
from app.pwa import rendered
from app.shared import clock
from app.shared.ids import new_id
from app.shared.words import blank
from app.sync import feed

ASKED_BY = ("本人", "监护人", "近亲属")
LONGEST_NOTE = 200
# Why somebody is shown what is otherwise kept back: code -> words.
REASONS = {
    "numbers": {
        "identity": "核对身份",
        "referral": "转诊、住院",
        "insurance": "医保、长护险",
        "contact": "联系老人或家属",
        "other": "其他",
    },
    "restricted": {
        "person": "老人本人要求",
        "care": "急救或连续治疗",
        "law": "法律要求、调查",
        "other": "其他",
    },
    "copy": {"person": "本人要求", "guardian": "监护人要求", "relative": "本人同意的家属"},
}


def disclose(actor: User, patient: Patient, what: str, reason: str, note: str = "") -> None:
    """Write down why `actor` is shown it. Raises DomainError without a reason. Commits."""
    if reason not in REASONS[what]:
        raise DomainError("请选择原因", field="reason")
    words = _words(note, "说明", "note", required=reason == "other")
    db.session.add(
        Disclosure(
            id=new_id(),
            patient_id=patient.id,
            user_id=actor.id,
            what=what,
            reason=reason,
            note=words or None,
            at=clock.now(),
        )
    )
    action = "patient.open" if what == "restricted" else f"patient.{what}"
    audit.note(action, object_id=patient.id, patient_id=patient.id, result=f"ok:{reason}")
    db.session.commit()


def restrict(actor: User, patient_id: str, asked_by: str, reason: str) -> None:
    """From now on the record is only kept. Phones let go of it; operations on it are refused in words."""
    feed.lock()
    patient = scope.get(actor, patient_id, "restrict")
    if asked_by not in ASKED_BY:
        raise DomainError("请选择是谁要求的", field="asked_by")
    words = _words(reason, "原因", "reason", required=True)
    if patient.restricted_at is not None:
        raise DomainError("这份档案已经限制处理了。", code="already_restricted")
    patient.restricted_at = now = clock.now()
    db.session.add(
        Restriction(id=new_id(), patient_id=patient.id, asked_by=asked_by, reason=words, at=now, by=actor.id)
    )
    relatives = select(FamilyLink.user_id).where(
        FamilyLink.patient_id == patient.id, FamilyLink.ended_at.is_(None)
    )
    users = [f"user:{user_id}" for user_id in db.session.scalars(relatives)]
    feed.depart(patient.id, [*scope.audiences(patient), *users])
    rendered.forget(f"/patients/{patient.id}")
    patient_restricted.send(patient.id)
    audit.note("patient.restrict", object_id=patient.id, patient_id=patient.id)
    db.session.commit()


def lift(actor: User, patient_id: str, why: str) -> None:
    """The record is used again: phones get it, grade and plan are those of today."""
    feed.lock()
    patient = scope.get(actor, patient_id, "lift")
    words = _words(why, "原因", "why", required=True)
    current = restriction(patient)
    if current is None:
        raise DomainError("这份档案没有限制处理。", code="not_restricted")
    current.lifted_at, current.lifted_by, current.lifted_why = clock.now(), actor.id, words
    patient.restricted_at = None
    db.session.flush()
    feed.resend(patient.id)
    patient_changed.send(patient.id, cause="patient")
    audit.note("patient.lift", object_id=patient.id, patient_id=patient.id)
    db.session.commit()


def restriction(patient: Patient) -> Restriction | None:
    """The one that stands."""
    return next((one for one in restrictions(patient.id) if one.lifted_at is None), None)


def restrictions(patient_id: str) -> list[Restriction]:
    """All there ever were, newest first."""
    statement = select(Restriction).where(Restriction.patient_id == patient_id)
    return list(db.session.scalars(statement.order_by(Restriction.at.desc(), Restriction.id.desc())))


def restricted_of(user: User) -> list[Patient]:
    """Those whom `user` may open for a reason, the latest first: they are in no other list."""
    statement = select(Patient).where(scope.condition(user, "open"), Patient.restricted_at.is_not(None))
    return list(db.session.scalars(statement.order_by(Patient.restricted_at.desc(), Patient.id)))


def disclosures(patient_id: str) -> list[Disclosure]:
    """All there ever were, newest first."""
    statement = select(Disclosure).where(Disclosure.patient_id == patient_id)
    return list(db.session.scalars(statement.order_by(Disclosure.at.desc(), Disclosure.id.desc())))


def _words(text: str, label: str, field: str, *, required: bool) -> str:
    text = text.strip()
    if required and blank(text):
        raise DomainError(f"请写明{label}", field=field)
    if len(text) > LONGEST_NOTE:
        raise DomainError(f"{label}不能超过 {LONGEST_NOTE} 字", field=field)
    return text
