"""Everything kept about one person, as plain JSON: the copy they have a right to, and what a page shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from app.accounts import audit_queries
from app.accounts import service as accounts
from app.accounts.models import ROLES, User
from app.encounters.models import MODES, Visit
from app.extensions import db
from app.forms import engine
from app.grading import service as grading
from app.observations import service as observations
from app.orders import service as orders
from app.orgs import service as orgs
from app.patients import bindings, consents, deciding, identity, rights
from app.patients.models import FamilyLink, Patient
from app.patients.purposes import PURPOSES, TEXTS
from app.patients.schema import CONDITIONS, RELATIONS
from app.plans import service as plans
from app.shared import clock, secretbox
from app.sync import feed
from app.sync.registry import entities
from app.visits import show

FORMAT = "nuanxun-copy-1"
MOST_READINGS = 2000  # of who saw the record


def everything(patient: Patient, reader: User) -> dict[str, Any]:
    """The whole record. A relative gets the identity number masked and other relatives unnamed.

    Moments are local time with offset, days ISO; `payload` is what a phone sent, code point for code
    point, but for the place of an old visit, which is forgotten (0030).
    """
    family = reader.role == "family"
    return {
        "format": FORMAT,
        "made_at": _at(clock.now()),
        "person": _person(patient, family),
        "relatives": [] if family else _relatives(patient),
        "restrictions": [_restriction(one) for one in rights.restrictions(patient.id)],
        "disclosures": [_disclosure(one) for one in rights.disclosures(patient.id)],
        "visits": _visits(patient),
        "observations": [_observation(row) for row in observations.of(patient.id)],
        "grades": [_grade(one) for one in grading.history(patient.id)],
        "due": [
            {"form": item.form, "what": item.label, "due_on": _day(item.due_on)}
            for item in plans.open_items(patient.id)
        ],
        "orders": [_order(reader, order.id) for order in orders.of_patient(patient.id)],
        "revisions": _revisions(patient, family),
        "readings": _readings(patient, reader),
    }


def readable(copy: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Who the person is, as (heading, lines) for a page; visits and orders it shows itself."""
    person = copy["person"]
    lines = [
        ("姓名", person["name"]), ("性别", person["sex"]), ("出生", person["birth_date"]),
        ("身份证", person["id_card"]), ("电话", person["phone"]), ("档案号", person["record_no"]),
        ("村", person["village"]), ("住址", person["address"]),
        ("联系人", person["contact_name"]), ("关系", person["contact_relation"]),
        ("联系电话", person["contact_phone"]), ("疾病", "、".join(person["conditions"] or [])),
    ]  # fmt: skip
    return [("基本情况", [(label, value) for label, value in lines if value])]


def _person(patient: Patient, family: bool) -> dict[str, Any]:
    places = orgs.names({patient.village_code, patient.town_code})
    number = patient.id_card_masked if family else secretbox.unseal(patient.id_card_sealed)
    conditions = patient.conditions
    return {
        "id": patient.id,
        "record_no": patient.record_no,
        "name": patient.name,
        "sex": {"1": "男", "2": "女"}.get(patient.sex, ""),
        "birth_date": _day(patient.birth_date),
        "age": identity.age_on(patient.birth_date, clock.today()),
        "id_card": number,
        "phone": patient.phone,
        "contact_name": patient.contact_name,
        "contact_phone": patient.contact_phone,
        "contact_relation": RELATIONS.get(patient.contact_relation or "", ""),
        "village": places.get(patient.village_code, ""),
        "town": places.get(patient.town_code, ""),
        "address": patient.address,
        "conditions": None if conditions is None else [CONDITIONS.get(code, code) for code in conditions],
        "lives_alone": patient.lives_alone,
        "hospice": patient.hospice,
        "home_bed_open": patient.home_bed_open,
        "tubes": patient.tubes,
        "consent_at": _at(patient.consent_at),
        "created_at": _at(patient.created_at),
        "restricted_at": _at(patient.restricted_at),
        "ended_on": _day(patient.ended_on),
    }


def _relatives(patient: Patient) -> list[dict[str, Any]]:
    links = db.session.scalars(
        select(FamilyLink).where(FamilyLink.patient_id == patient.id).order_by(FamilyLink.started_at)
    )
    return [_relative(link) for link in links]


def _relative(link: FamilyLink) -> dict[str, Any]:
    user = accounts.get(link.user_id)
    return {
        "name": user.name if user else "",
        "relation": link.relation,
        "started_at": _at(link.started_at),
        "ended_at": _at(link.ended_at),
        "ended_how": bindings.HOW.get(link.ended_how or "", ""),
        "consents": [
            {
                "purpose": PURPOSES[one.purpose].title,
                "text": TEXTS[one.purpose, one.text_version],
                "given": one.given,
                "at": _at(one.at),
                "decided": deciding.spoken(one),
                **asdict(deciding.of(one)),
            }
            for one in consents.history(link.id)
        ],
    }


def _restriction(one: Any) -> dict[str, Any]:
    return {
        "asked_by": one.asked_by, "reason": one.reason, "at": _at(one.at),
        "lifted_at": _at(one.lifted_at), "lifted_why": one.lifted_why,
    }  # fmt: skip


def _disclosure(one: Any) -> dict[str, Any]:
    reason = rights.REASONS[one.what].get(one.reason, one.reason)
    return {"what": one.what, "reason": reason, "note": one.note, "at": _at(one.at)}


def _visits(patient: Patient) -> list[dict[str, Any]]:
    """Newest first, cancelled ones too."""
    statement = select(Visit).where(Visit.patient_id == patient.id)
    found = list(db.session.scalars(statement.order_by(Visit.visited_at.desc(), Visit.id.desc())))
    names = accounts.names({visit.author_id for visit in found})
    return [_visit(visit, names) for visit in found]


def _visit(visit: Visit, names: dict[str, str]) -> dict[str, Any]:
    form = engine.definition(visit.form)
    return {
        "id": visit.id,
        "form": visit.form,
        "title": form.zh,
        "revision": visit.revision,
        "voided": visit.voided,
        "visited_at": _at(visit.visited_at),
        "visited_on": _day(visit.visited_on),
        "mode": MODES[visit.mode],
        "author": names.get(visit.author_id, ""),
        "answers": visit.answers,
        "in_words": [
            {"section": title, "lines": [list(line) for line in lines]}
            for title, lines in show.sections(form, visit.answers)
        ],
        "colour": visit.colour,
        "next_visit_on": _day(visit.next_visit_on),
    }


def _observation(row: Any) -> dict[str, Any]:
    return {
        "code": row.code, "value": row.value, "unit": row.unit, "on": _day(row.observed_on),
        "source": row.source,
    }  # fmt: skip


def _grade(record: Any) -> dict[str, Any]:
    return {
        "at": _at(record.at),
        "as_of": _day(record.as_of),
        "colour": record.colour,
        "emergency": record.emergency,
        "reasons": grading.reasons(record),
        "rule_version": record.rule_version,
        "cause": record.cause,
    }


def _order(reader: User, order_id: str) -> Any:
    return entities["order"].record(reader, order_id)


def _revisions(patient: Patient, family: bool) -> list[dict[str, Any]]:
    """What was sent about the person, in the order the server took it."""
    found = []
    for revision in feed.about(patient.id):
        payload = json.loads(feed.open_payload(revision.payload))
        if family and "id_card" in payload:
            payload["id_card"] = identity.mask_id_card(payload["id_card"])
        found.append(
            {
                "kind": revision.kind,
                "id": revision.entity_id,
                "revision": revision.revision,
                "recorded_at": revision.recorded_at,
                "received_at": _at(revision.received_at),
                "payload": payload,
            }
        )
    return found


def _readings(patient: Patient, reader: User) -> list[dict[str, Any]]:
    """Who saw or changed the record; of relatives only that it was one."""
    deeds = audit_queries.deeds_about(patient.id, besides="", number=1, size=MOST_READINGS)
    return [
        {
            "at": _at(deed.at),
            "who": "家属" if deed.role == "family" else deed.user.name if deed.user else "",
            "role": ROLES.get(deed.role, ""),
            "action": deed.action,
        }
        for deed in deeds.rows
    ]


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else clock.local(moment).isoformat(timespec="seconds")


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
