"""A push that is judged together leaves what its visits would leave one by one, on both databases."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.encounters.models import Visit
from app.extensions import db
from app.grading import service as grading
from app.grading.models import GradeRecord
from app.observations import service as observations
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.shared import clock
from app.shared.ids import new_id
from app.sync import foresight, judge
from tests.app.visits.sheets import payload

FORMS = ("hypertension", "diabetes", "adl", "general")
DAYS = (0, 0, 0, 1, 1, 3, 40, 90, 120, 400)


def some_visit(rng: random.Random, patient: str) -> dict[str, Any]:
    """Any form, on one of few days and hours, so that visits meet on a day and at a moment."""
    form = rng.choice(FORMS)
    at = clock.local(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    at += timedelta(hours=rng.choice((0, 0, 9, 15)), days=-rng.choice(DAYS))
    at = min(at, clock.local(clock.now()) - timedelta(minutes=1))
    answers: dict[str, Any] = {}
    if form == "general":
        answers["conditions"] = rng.choice((["none"], ["hypertension"], ["diabetes_t2", "chd"]))
        answers["lives_alone"] = rng.choice((True, False))
    if form in ("hypertension", "general"):
        answers["sbp"] = rng.choice((118, 132, 152, 168))
        answers["weight"] = rng.choice((51.5, None))
        answers["visit_class"] = 2 if form == "hypertension" and answers["sbp"] > 140 else None
        if form == "hypertension" and answers["sbp"] <= 140:
            answers["visit_class"] = 1
        answers["height"] = rng.choice((150, None))
    if form == "diabetes":
        answers["fpg"] = rng.choice((5.1, 6.8))
    if form == "adl":
        answers["meal"] = rng.choice((0, 3, 5))
    answers = {key: value for key, value in answers.items() if value is not None or key != "visit_class"}
    made = payload(patient, form, answers=answers, visited_at=at.isoformat(timespec="seconds"))
    made["answers"]["backdate_reason"] = "补录"
    if rng.random() < 0.2:
        made["next_visit_on"] = (at.date() + timedelta(days=rng.choice((7, 30)))).isoformat()
    return made


def ops_of(
    make, client, visits: list[dict[str, Any]], places: list[int], **given: Any
) -> list[dict[str, Any]]:
    """Operations with ids in the order of `places`: of two visits of one moment the greater id counts."""
    at_ms = 1_780_000_000_000
    made = [make.op(client, "visit.create", {**visit, **given}) for visit in visits]
    return [{**op, "op_id": new_id(at_ms + place)} for op, place in zip(made, places, strict=True)]


def left(patient_id: str) -> dict[str, Any]:
    """What the database holds of a patient, without what must differ."""
    patient = db.session.get_one(Patient, patient_id)
    visits = select(Visit).where(Visit.patient_id == patient_id).order_by(Visit.id)
    grades = select(GradeRecord).where(GradeRecord.patient_id == patient_id).order_by(GradeRecord.at)
    items = select(PlanItem).where(PlanItem.patient_id == patient_id)
    current = grading.current(patient_id)
    assert current is not None
    return {
        "register": (patient.conditions, patient.conditions_on, patient.lives_alone, patient.ended_on),
        "visits": [
            (v.form, v.visited_at, v.visited_on, v.flags, v.colour, v.summary, v.answers)
            for v in db.session.scalars(visits)
        ],
        "observations": sorted(
            (row.code, str(row.value), row.observed_on, row.source) for row in observations.of(patient_id)
        ),
        "grades": [
            (g.colour, g.emergency, g.reasons, g.missing, g.due_in_days, g.facts)
            for g in db.session.scalars(grades)
        ],
        "current": (current.colour, current.proposed_colour, current.words, current.due_in_days),
        "plan": sorted(
            (item.form, item.label, item.due_on, item.why, str(item.done_on), str(item.asked_on))
            for item in db.session.scalars(items)
        ),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_together_and_one_by_one_leave_the_same(app, make, seed: int) -> None:
    nurse = make.signed_in("village")
    rng = random.Random(seed)
    known = rng.choice(({}, {"conditions": ["hypertension"]}, {"conditions": ["diabetes_t2"]}))
    one, other = (make.patient(birth="19400101", **known) for _ in range(2))
    visits = [some_visit(rng, one) for _ in range(16)]
    places = rng.sample(range(16), 16)
    half, ops = rng.randrange(16), ops_of(make, nurse, visits, places)
    for part in (ops[:half], ops[half:]):
        results = make.push(nurse, *part) if part else []
        assert all(r["status"] == "applied" for r in results), [
            r for r in results if r["status"] != "applied"
        ]
    for op in ops_of(make, nurse, visits, places, patient_id=other):
        result = make.push(nurse, op)
        assert result[0]["status"] == "applied", result
    with app.app_context():
        assert left(one) == left(other)
        patient = db.session.get_one(Patient, one)
        newest = grading.history(one)[0]
        assert newest.facts == grading.facts_of(patient, clock.today())


def test_what_cannot_be_written_together_is_taken_one_by_one(app, make, monkeypatch) -> None:
    nurse = make.signed_in("village")
    patients = [make.patient() for _ in range(3)]
    ops = [make.op(nurse, "visit.create", payload(patient)) for patient in patients]
    honest = judge.keep

    def odd(kept: list[judge.Kept]) -> None:
        honest(kept)
        if any(one.revision.patient_id == patients[1] for one in kept):
            raise KeyError("a fault nobody thought of")

    monkeypatch.setattr(judge, "keep", odd)
    monkeypatch.setattr(foresight, "keep", odd)
    assert [r["status"] for r in make.push(nurse, *ops)] == ["applied", "rejected", "applied"]
    monkeypatch.undo()
    assert [r["status"] for r in make.push(nurse, *ops)] == ["duplicate", "applied", "duplicate"]
    with app.app_context():
        assert len(list(db.session.scalars(select(Visit)))) == 3


def test_a_refused_visit_leaves_nothing_among_the_others(app, make) -> None:
    nurse = make.signed_in("village")
    patient = make.patient()
    good = make.op(nurse, "visit.create", payload(patient, answers={"sbp": 131}))
    bad = make.op(nurse, "visit.create", payload(patient, answers={"sbp": 999}))
    unknown = make.op(nurse, "visit.create", payload("0190c6a0-0000-7000-8000-000000000000"))
    again = make.op(nurse, "visit.create", payload(patient, answers={"sbp": 133}))
    results = make.push(nurse, good, bad, unknown, good, again)
    assert [r["status"] for r in results] == ["applied", "rejected", "rejected", "duplicate", "applied"]
    with app.app_context():
        kept = sorted(row.value["sbp"] for row in observations.of(patient) if row.code == "bp")
        assert kept == [131, 133]
        flags = {v.id: v.flags for v in db.session.scalars(select(Visit))}
        assert flags == {good["op_id"]: [], again["op_id"]: ["same_day"]}
