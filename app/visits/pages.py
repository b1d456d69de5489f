"""What the pages of this room show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import current_app

from app.accounts import service as accounts
from app.accounts.models import User
from app.encounters.models import MODES, Visit
from app.errors import NotFound
from app.forms import engine
from app.forms.definition import Definition
from app.grading import service as grading
from app.grading.explain import colour_words, missing_text
from app.patients.identity import age_on
from app.patients.models import Patient
from app.shared import clock
from app.sync import feed
from app.sync.models import Revision
from app.visits import context, service, show

SEX = {"1": "男", "2": "女"}
FLAGS = {
    "same_day": "当天还有一份同样的记录。",
    "late": "随访 30 天后才上传，按补录处理。",
    "clock": "手机时钟不准，请核对随访时间。",
}


def definition(key: str) -> Definition:
    """Raises NotFound for a form that does not exist."""
    form = engine.all_definitions().get(key)
    if form is None:
        raise NotFound()
    return form


def blank_form(form: Definition) -> dict[str, Any]:
    """Context of the one page every patient shares; the phone fills in the person."""
    today = clock.today().isoformat()
    return {
        **_always(form),
        "last": {},
        "values": {},
        "errors": [],
        "header": {"today": today},
        "patient": None,
    }


def patient_form(form: Definition, patient: Patient, **posted: Any) -> dict[str, Any]:
    """The same for one patient, filled by the server: for browsers without our script.

    `posted`: values, errors and header (mode, days) of a form shown again.
    """
    besides = posted.pop("besides", None)
    previous = service.last_answers(patient.id, besides).get(form.key)
    known = context.of_patient(patient, form.key, previous, besides)
    today = clock.today().isoformat()
    header = {"today": today, **posted.pop("header", {})}
    shown = {"values": {}, "errors": [], **posted}
    return {**_always(form), "last": known["last"], "header": header, **_about(patient), **shown}


def correct_form(visit: Visit, patient: Patient, **posted: Any) -> dict[str, Any]:
    """The form filled with what the visit says now."""
    form = definition(visit.form)
    header = {
        "mode": visit.mode,
        "visited_on": visit.visited_on.isoformat(),
        "next_visit_on": visit.next_visit_on.isoformat() if visit.next_visit_on else "",
    }
    given = {"values": visit.answers, "header": header, "besides": visit.id, **posted}
    stated = clock.local(visit.visited_at).isoformat()
    return {
        **patient_form(form, patient, **given),
        "correcting": visit,
        "named": service.name_of(visit),
        "visited_at": stated,
    }


def visit_page(user: User, visit: Visit, patient: Patient) -> dict[str, Any]:
    form = definition(visit.form)
    record = service.last_grade(visit)
    return {
        "visit": visit,
        "form": form,
        **_about(patient),
        "mode": MODES[visit.mode],
        "author": accounts.names({visit.author_id}).get(visit.author_id, ""),
        "sections": show.sections(form, visit.answers),
        "flags": [FLAGS[flag] for flag in visit.flags],
        "grade": record,
        "reasons": grading.reasons(record) if record else [],
        "missing": [missing_text(key) for key in record.missing] if record else [],
        "phone": _phone(record) if record is not None and record.phone_differs else None,
        "revisions": revisions(form, visit),
        "may_correct": not visit.voided and service.may_correct(user, visit),
    }


def revisions(form: Definition, visit: Visit) -> list[dict[str, Any]]:
    """Every revision, newest first: who, when, why, and what it changed."""
    rows = feed.history(visit.id)
    names = accounts.names({row.author_id for row in rows})
    found = []
    before: dict[str, Any] | None = None
    for row in rows:
        payload = json.loads(feed.open_payload(row.payload))
        found.append(_revision(form, row, payload, before, names.get(row.author_id, "")))
        before = before if payload.get("void") else payload
    return found[::-1]


def _revision(
    form: Definition, row: Revision, payload: Mapping[str, Any], before: Mapping[str, Any] | None, author: str
) -> dict[str, Any]:
    void = bool(payload.get("void"))
    return {
        "number": row.revision,
        "author": author,
        "at": row.received_at,
        "recorded_at": row.recorded_at,
        "reason": payload.get("reason", ""),
        "void": void,
        "changes": show.changes(form, before, payload) if before is not None and not void else [],
        "sections": show.sections(form, payload.get("answers") or {}),
    }


def _phone(record: Any) -> dict[str, Any]:
    phone = record.phone
    colour = phone.get("colour", "unrated")
    return {
        "colour": colour,
        "emergency": bool(phone.get("emergency")),
        "word": colour_words({"colour": colour, "emergency": False})["word"],
        "reasons": grading.reasons_in_words(record, phone.get("reasons") or []),
        "rule_version": phone.get("rule_version", ""),
    }


def _about(patient: Patient) -> dict[str, Any]:
    return {
        "patient": patient,
        "age": age_on(patient.birth_date, clock.today()),
        "sex": SEX.get(patient.sex, ""),
    }


def _always(form: Definition) -> dict[str, Any]:
    return {"form": form, "emergency_phone": current_app.config["EMERGENCY_PHONE"], "correcting": None}
