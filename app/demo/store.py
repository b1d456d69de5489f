"""Writing stories into the tables, many rows at a time: what recording each visit would have left behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert, update

from app.demo import places
from app.demo.accounts import BY_NAME
from app.demo.history import Done, Story
from app.demo.people import Person
from app.demo.steady import chance, steady_id
from app.encounters.models import Visit
from app.extensions import db
from app.forms import engine
from app.grading.models import GradeRecord
from app.grading.rules import shipped_table
from app.observations.models import Observation
from app.orgs import service as orgs
from app.patients import identity
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.shared import clock, secretbox, strictjson
from app.sync import feed
from app.sync.models import FeedHead, Revision, Touch

Rows = list[dict[str, Any]]
ON_THE_WAY = timedelta(seconds=40)  # between saving on the phone and arriving here
FIRST_AUTHOR = {"xiji1": "doctor1", "xiji2": "doctor4", "sangcun1": "doctor3"}


def write(stories: Sequence[Story]) -> None:
    """Add everything of these stories to the current transaction, feed and touches included."""
    names = orgs.names({code for team in places.TEAMS for code in (team.town, *team.village_codes)})
    db.session.execute(insert(Patient), [_patient(story, names) for story in stories])
    visits = [(story, visit) for story in stories for visit in story.visits]
    if visits:
        db.session.execute(insert(Visit), [_visit(story.person, visit) for story, visit in visits])
        db.session.execute(insert(GradeRecord), [_grade(story.person, visit) for story, visit in visits])
        db.session.execute(insert(PlanItem), [_plan(story.person, visit) for story, visit in visits])
        db.session.execute(insert(Observation), list(_observations(stories)))
    _feed(stories)


def _patient(story: Story, names: dict[str, str]) -> dict[str, Any]:
    person = story.person
    seen = bool(story.visits)
    created_at = registered_at(story)
    card = person.id_card
    return {
        "id": person.id,
        "revision": 1,
        "record_no": person.record_no,
        "name": person.name,
        "name_py": identity.initials(person.name),
        "sex": person.sex,
        "birth_date": person.birth_date,
        "id_card_sealed": secretbox.seal(card),
        "id_card_index": secretbox.blind_index(card),
        "id_card_masked": identity.mask_id_card(card),
        "phone": person.phone,
        **person.contact(),
        "village_code": person.village,
        "town_code": person.team.town,
        "team_id": person.team.id,
        "address": _address(person, names),
        "conditions": list(person.conditions) if seen else None,
        "conditions_on": story.conditions_on or (story.registered_on if seen else None),
        "lives_alone": person.lives_alone if seen else None,
        "hospice": person.person.get("hospice", False),
        "home_bed_open": person.person.get("home_bed_open", False),
        "tubes": person.person.get("tubes", []),
        "consent_at": created_at,
        "created_at": created_at,
    }


def registered_at(story: Story) -> datetime:
    return datetime.combine(story.registered_on, time(10, 30), clock.LOCAL).astimezone(UTC)


def _address(person: Person, names: dict[str, str]) -> str:
    return (
        f"{names[person.team.town]}{names[person.village]} {chance('address', person.key).randint(1, 180)} 号"
    )


def _visit(person: Person, visit: Done) -> dict[str, Any]:
    return {
        "id": visit.id,
        "patient_id": person.id,
        "author_id": visit.author,
        "revision": 1,
        "voided": False,
        "form": visit.form,
        "form_version": engine.definition(visit.form).version,
        "visited_at": visit.at,
        "visited_on": visit.on,
        "mode": "home",
        "answers": visit.answers,
        "next_visit_on": visit.next_visit_on,
        "summary": engine.summary(visit.form, visit.answers)[:200],
        "colour": visit.grade["colour"],
        "flags": [],
        "recorded_at": visit.at,
        "received_at": visit.at + ON_THE_WAY,
    }


def _grade(person: Person, visit: Done) -> dict[str, Any]:
    return {
        "id": steady_id("grade", visit.id, at=visit.at),
        "patient_id": person.id,
        "visit_id": visit.id,
        "at": visit.at + ON_THE_WAY,
        "as_of": visit.on,
        "cause": "visit",
        "rule_version": shipped_table()["rule_version"],
        "facts": visit.facts,
        "phone_differs": False,
        **visit.grade,
    }


def _plan(person: Person, visit: Done) -> dict[str, Any]:
    return {
        "id": steady_id("plan", visit.id, at=visit.at),
        "patient_id": person.id,
        "form": visit.form,
        "label": engine.definition(visit.form).zh,
        "due_on": visit.on,
        "why": "routine",
        "done_on": visit.on,
        "visit_id": visit.id,
        "asked_on": visit.next_visit_on,
    }


def _observations(stories: Iterable[Story]) -> Iterable[dict[str, Any]]:
    for story in stories:
        person = story.person
        if story.visits:  # the register's word, from before the first visit
            said = (("conditions", list(person.conditions)), ("lives_alone", person.lives_alone))
            for code, value in said:
                yield _observation(person, None, code, value, "", registered_at(story), "register")
        for visit in story.visits:
            for item in visit.observed:
                row = _observation(
                    person, visit.id, item["code"], item["value"], item.get("unit", ""), visit.at, "visit"
                )
                yield row | {"observed_on": visit.on}


def _observation(
    person: Person, visit_id: str | None, code: str, value: Any, unit: str, at: datetime, source: str
) -> dict[str, Any]:
    is_figure = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "patient_id": person.id,
        "visit_id": visit_id,
        "code": code,
        "value": value,
        "number": float(value) if is_figure else None,
        "unit": unit,
        "observed_on": clock.local_date(at),
        "observed_at": at,
        "source": source,
    }


def _feed(stories: Sequence[Story]) -> None:
    """All operations in the order they would have arrived, so that pulling tells the story again."""
    rows: Rows = []
    for story in stories:
        rows.append(_created(story))
        rows += [_recorded(story.person, visit) for visit in story.visits]
    rows.sort(key=lambda row: (row["received_at"], row["op_id"]))
    last = feed.take(len(rows))
    touches: dict[str, int] = {}
    for place, row in enumerate(rows):
        row["seq"] = last - len(rows) + 1 + place
        touches[row["patient_id"]] = row["seq"]
    db.session.execute(insert(Revision), rows)
    db.session.execute(insert(Touch), [{"patient_id": key, "seq": seq} for key, seq in touches.items()])
    db.session.execute(update(FeedHead).values(seq=last).execution_options(synchronize_session=False))


def _created(story: Story) -> dict[str, Any]:
    person = story.person
    payload = {
        "name": person.name,
        "id_card": person.id_card,
        "phone": person.phone,
        "village_id": person.village,
        **person.contact(),
    }
    author = BY_NAME[FIRST_AUTHOR[person.team.key]].id
    row = _revision(person, person.id, "patient", "patient.create", author, registered_at(story), payload)
    return row | {"payload": feed.seal_payload(row["payload"], True)}


def _recorded(person: Person, visit: Done) -> dict[str, Any]:
    payload = {
        "patient_id": person.id,
        "form": visit.form,
        "form_version": engine.definition(visit.form).version,
        "visited_at": _local(visit.at),
        "mode": "home",
        "answers": visit.answers,
        "next_visit_on": visit.next_visit_on.isoformat(),
    }
    return _revision(person, visit.id, "visit", "visit.create", visit.author, visit.at, payload)


def _revision(
    person: Person, op_id: str, entity: str, kind: str, author: str, at: datetime, payload: dict[str, Any]
) -> dict[str, Any]:
    raw = {
        "op_id": op_id,
        "device_id": f"demo-{author[-6:]}",
        "author_id": author,
        "kind": kind,
        "recorded_at": _local(at),
        "payload": payload,
    }
    return {
        "op_id": op_id,
        "digest": hashlib.sha256(strictjson.canonical(raw).encode()).hexdigest(),
        "entity_kind": entity,
        "entity_id": op_id,
        "revision": 1,
        "kind": kind,
        "author_id": author,
        "device_id": raw["device_id"],
        "patient_id": person.id,
        "recorded_at": raw["recorded_at"],
        "received_at": at + ON_THE_WAY,
        "skew_s": 0,
        "payload": strictjson.canonical(payload),
    }


def _local(at: datetime) -> str:
    return clock.local(at).isoformat(timespec="seconds")
