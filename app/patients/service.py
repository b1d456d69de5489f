"""Registering and changing patients. Called by sync inside its transaction; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.orgs import service as orgs
from app.patients import consents, identity, scope
from app.patients.deciding import Word
from app.patients.events import patient_changed
from app.patients.models import FamilyGrant, FamilyLink, Patient
from app.patients.purposes import PURPOSES
from app.shared import clock, secretbox
from app.shared.ids import new_id
from app.sync import feed
from app.sync.registry import Conflict, Rejected

FAMILY_MAY_CHANGE = {"patient_id", "phone", "contact_name", "contact_phone", "contact_relation"}


def create(author: User, patient_id: str, payload: dict[str, Any]) -> Patient:
    """A new patient from a patient.create payload. Raises Rejected naming the field."""
    village = orgs.village(payload["village_id"])
    if village is None or not scope.may_place(author, village.code):
        raise Rejected.invalid("/village_id", "不是您负责的村（社区）")
    card = identity.parse_id_card(payload["id_card"], clock.today())
    index = secretbox.blind_index(card.number)
    if db.session.scalar(select(Patient.id).where(Patient.id_card_index == index)):
        raise Rejected.invalid("/id_card", "这个身份证号已有档案，请核对或申请合并", "duplicate")
    today = clock.today()
    conditions = payload.get("conditions")
    patient = Patient(
        id=patient_id,
        revision=1,
        name=payload["name"],
        name_py=identity.initials(payload["name"]),
        sex=card.sex,
        birth_date=card.birth_date,
        id_card_sealed=secretbox.seal(card.number),
        id_card_index=index,
        id_card_masked=identity.mask_id_card(card.number),
        phone=identity.parse_phone(payload["phone"]),
        village_code=village.code,
        town_code=village.parent_code,
        team_id=orgs.team_of_village(village.code),
        conditions=conditions,
        conditions_on=None if conditions is None else today,
        tubes=[],
        created_at=clock.now(),
    )
    _contact(patient, payload)
    if payload.get("consent_at"):
        patient.consent_at = clock.parse_moment(payload["consent_at"])
    db.session.add(patient)
    db.session.flush()
    patient_changed.send(patient.id, cause="patient")
    return patient


def update(author: User, payload: dict[str, Any], base_revision: int) -> Patient:
    """Change contact, living situation or conditions.

    Raises Rejected, or Conflict `stale_revision` when somebody else changed the patient meanwhile.
    """
    patient: Patient | None = db.session.scalar(
        select(Patient).where(Patient.id == payload["patient_id"], scope.condition(author, "contact"))
    )
    if patient is None:
        raise scope.refusal(author, payload["patient_id"], "contact")
    if author.role == "family" and (extra := sorted(set(payload) - FAMILY_MAY_CHANGE)):
        raise Rejected("forbidden", "家属只能修改电话和联系人。", [_forbidden(name) for name in extra])
    if base_revision != patient.revision:
        raise Conflict("stale_revision", "档案已被他人更新", {"revision": patient.revision})
    if "village_id" in payload and payload["village_id"] != patient.village_code:
        _move(author, patient, payload["village_id"])
    if "conditions" in payload:
        patient.conditions, patient.conditions_on = payload["conditions"], clock.today()
    if "phone" in payload:
        patient.phone = identity.parse_phone(payload["phone"])
    _contact(patient, payload)
    patient.revision += 1
    db.session.flush()
    patient_changed.send(patient.id, cause="patient")
    return patient


def note_findings(
    patient: Patient, *, on: date, conditions: list[str] | None = None, lives_alone: bool | None = None
) -> None:
    """Keep what a visit found as the current state, unless something newer is known."""
    if conditions is not None and (patient.conditions_on is None or patient.conditions_on <= on):
        patient.conditions, patient.conditions_on = conditions, on
    if lives_alone is not None:
        patient.lives_alone = lives_alone


def link_family(
    user: User,
    patient: Patient,
    relation: str,
    purposes: Iterable[str] = tuple(PURPOSES),
    word: Word = Word(),  # noqa: B008  (frozen)
    by: User | None = None,
) -> FamilyLink:
    """Bind a relative; `purposes` is what the person consents to."""
    link = FamilyLink(
        id=new_id(), user_id=user.id, patient_id=patient.id, relation=relation, started_at=clock.now()
    )
    db.session.add(link)
    db.session.flush()
    consents.settle(link, purposes, word, by)
    feed.resend(patient.id)  # the relative may hold a cursor that is past what they now may see
    return link


Links = list[tuple[FamilyLink, Patient]]


def links_of(user: User, action: str = "home") -> Links:
    """The patients a relative is bound to, oldest link first; those for whom they may do `action`."""
    statement = (
        select(FamilyLink, Patient)
        .join(Patient, Patient.id == FamilyLink.patient_id)
        .where(FamilyLink.user_id == user.id, FamilyLink.ended_at.is_(None), scope.condition(user, action))
        .order_by(FamilyLink.started_at, FamilyLink.id)
    )
    return [(link, patient) for link, patient in db.session.execute(statement)]


def restricted_links(user: User) -> list[str]:
    """How a relative calls those whose record they are bound to, but which may no longer be used."""
    statement = (
        select(FamilyLink.relation)
        .join(Patient, Patient.id == FamilyLink.patient_id)
        .where(
            FamilyLink.user_id == user.id, FamilyLink.ended_at.is_(None), Patient.restricted_at.is_not(None)
        )
        .order_by(FamilyLink.started_at)
    )
    return list(db.session.scalars(statement))


def family_user_ids(patient_id: str, purpose: str) -> list[str]:
    """The relatives for whom the person consents to `purpose`."""
    statement = (
        select(FamilyLink.user_id)
        .join(FamilyGrant, FamilyGrant.link_id == FamilyLink.id)
        .where(
            FamilyLink.patient_id == patient_id,
            FamilyLink.ended_at.is_(None),
            FamilyGrant.purpose == purpose,
        )
    )
    return list(db.session.scalars(statement))


def _contact(patient: Patient, payload: dict[str, Any]) -> None:
    for name in ("address", "contact_name", "contact_relation", "lives_alone"):
        if name in payload:
            setattr(patient, name, payload[name])
    if "contact_phone" in payload:
        patient.contact_phone = identity.parse_phone(payload["contact_phone"])


def _move(author: User, patient: Patient, village_code: str) -> None:
    village = orgs.village(village_code)
    if village is None or not scope.may_place(author, village_code):
        raise Rejected.invalid("/village_id", "不是您负责的村（社区）")
    before = set(scope.audiences(patient))
    patient.village_code, patient.town_code = village.code, village.parent_code or ""
    patient.team_id = orgs.team_of_village(village.code)
    left = before - set(scope.audiences(patient))
    feed.depart(patient.id, sorted(left))
    feed.resend(patient.id)


def _forbidden(name: str) -> dict[str, str]:
    return {"pointer": f"/{name}", "code": "forbidden", "message": "家属不能修改这一项"}
