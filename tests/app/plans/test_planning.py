"""Planning after real operations, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.extensions import db, writing
from app.grading import service as grading
from app.patients.models import Patient
from app.plans import service as plans
from app.plans.models import PlanItem
from app.shared import clock
from app.sync import feed
from tests.app.visits.sheets import EMERGENCY, correction, payload


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


def visit(make, client, patient, form="hypertension", **given):
    op = make.op(client, "visit.create", payload(patient, form, **given))
    assert make.push(client, op)[0]["status"] == "applied"
    return op["op_id"]


def due(app, patient):
    """form -> days from today."""
    with app.app_context():
        return {item.form: (item.due_on - clock.today()).days for item in plans.open_items(patient)}


def test_a_new_patient_is_to_be_assessed_within_a_month(app, make):
    patient = make.patient(conditions=["hypertension"])
    assert due(app, patient) == {"hypertension": 30, "adl": 30, "general": 30}
    with app.app_context():
        labels = {item.label for item in plans.open_items(patient)}
    assert labels == {"高血压随访", "生活自理能力评估", "首次评估"}


def test_a_visit_does_its_form_and_plans_the_next(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    assert due(app, patient)["hypertension"] == 90
    with app.app_context():
        done = db.session.query(PlanItem).filter_by(visit_id=visit_id).one()
        assert done.done_on == clock.today() and done.form == "hypertension"


def test_an_emergency_is_followed_up_within_two_weeks(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient, answers=EMERGENCY)
    assert due(app, patient)["hypertension"] == 14


def test_the_date_the_doctor_wrote_brings_the_visit_forward(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    soon = clock.today() + timedelta(days=5)
    visit(make, doctor, patient, next_visit_on=soon.isoformat())
    assert due(app, patient)["hypertension"] == 5


def test_a_corrected_visit_is_planned_by_its_new_content(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    content = correction(visit_id, answers={"sbp": 168, "dbp": 96, "visit_class": 2})
    result = make.push(doctor, make.op(doctor, "visit.correct", content, base_revision=1))[0]
    assert result["status"] == "applied"
    assert due(app, patient)["hypertension"] == 14
    with app.app_context():
        assert db.session.query(PlanItem).filter_by(visit_id=visit_id).count() == 1


def test_a_voided_visit_did_nothing(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    gone = {"visit_id": visit_id, "reason": "记错了人", "void": True}
    make.push(doctor, make.op(doctor, "visit.correct", gone, base_revision=1))
    assert due(app, patient)["hypertension"] == 30
    with app.app_context():
        assert db.session.query(PlanItem).filter(PlanItem.done_on.is_not(None)).count() == 0


def test_the_same_visit_twice_is_done_once(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    op = make.op(doctor, "visit.create", payload(patient))
    make.push(doctor, op)
    before = due(app, patient)
    assert make.push(doctor, op)[0]["status"] == "duplicate"
    assert due(app, patient) == before
    with app.app_context():
        assert db.session.query(PlanItem).filter(PlanItem.done_on.is_not(None)).count() == 1


def test_a_new_diagnosis_brings_its_form(app, make, doctor):
    patient = make.patient(conditions=[])
    change = {"patient_id": patient, "conditions": ["diabetes_t2"]}
    result = make.push(doctor, make.op(doctor, "patient.update", change, base_revision=1))[0]
    assert result["status"] == "applied", result
    assert "diabetes" in due(app, patient)


def test_the_night_makes_nobody_overdue_at_once_and_changes_nothing_twice(app, make, doctor, monkeypatch):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient, "hypertension")
    visit(make, doctor, patient, "general", answers={"conditions": ["hypertension"]})
    visit(make, doctor, patient, "adl")
    later = clock.today() + timedelta(days=500)
    moment = clock.now() + timedelta(days=500)
    monkeypatch.setattr(clock, "now", lambda: moment)
    with app.app_context():
        assert plans.nightly(later) == [patient]
        db.session.commit()
        items = {item.form: item.due_on for item in plans.open_items(patient)}
        seq = feed.touched([patient])[patient]
        assert items["adl"] == later, "it lapsed in the night, so it is due today and not late"
        assert plans.nightly(later) == []
        db.session.commit()
        assert feed.touched([patient])[patient] == seq, "an unchanged page is not sent again"


def test_the_night_is_short_turns_and_looking_at_people_locks_nothing(app, make, doctor, monkeypatch):
    patients = [make.patient(birth=f"194001{n + 10}") for n in range(7)]
    for patient in patients:
        visit(make, doctor, patient, "general")
    later = clock.today() + timedelta(days=500)
    moment = clock.now() + timedelta(days=500)
    monkeypatch.setattr(clock, "now", lambda: moment)
    monkeypatch.setattr(plans, "TURN_S", 0)
    monkeypatch.setattr(plans, "AT_ONCE", 2)
    monkeypatch.setattr(grading, "BATCH", 3)
    look, looks, commits = grading.stale, [], []
    monkeypatch.setattr(grading, "stale", lambda *args: looks.append(writing.get()) or look(*args))
    with app.app_context():
        token = writing.set(True)

        def note(_session):
            commits.append(1)

        db.event.listen(db.session, "after_commit", note)
        assert sorted(plans.nightly(later)) == sorted(patients)
        db.event.remove(db.session, "after_commit", note)
        assert looks == [False] * 4, "three, three, one, and nobody left"
        assert len(commits) >= 5, "no turn takes more than two people"
        assert writing.get() is True, "as it was handed in"
        assert plans.nightly(later) == []
        writing.reset(token)


def test_who_left_care_is_due_for_nothing(app, make):
    patient = make.patient(conditions=["hypertension"])
    with app.app_context():
        found = db.session.get_one(Patient, patient)
        found.ended_on = clock.today()
        plans.refresh(found, cause="patient")
        db.session.commit()
        assert plans.open_items(patient) == []
