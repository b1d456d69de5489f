"""Grades as they are kept: up at once, down only by a person, and what the night changes."""

from datetime import timedelta

import pytest

from app.accounts.models import AuditLine
from app.extensions import db, writing
from app.grading import service as grading
from app.patients.models import Patient
from app.shared import clock
from app.sync import feed
from tests.app.visits.sheets import EMERGENCY, payload
from tests.factories import OTHER_TEAM, OTHER_TOWN

HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


@pytest.fixture
def patient(make):
    return make.patient(conditions=["hypertension"])


def visit(make, client, patient, form="hypertension", days_ago=0, **answers):
    at = clock.local(clock.now() - timedelta(days=days_ago)).isoformat(timespec="seconds")
    sent = make.op(
        client, "visit.create", payload(patient, form, visited_at=at, answers=answers), recorded_at=at
    )
    result = make.push(client, sent)[0]
    assert result["status"] == "applied", result
    return sent["op_id"]


def complete(make, client, patient):
    for form in ("adl", "general"):
        visit(make, client, patient, form, **({"conditions": ["hypertension"]} if form == "general" else {}))


def now_at(app, patient):
    with app.app_context():
        held = grading.current(patient)
        return held.colour, held.proposed_colour


def confirm(client, patient):
    return client.post(f"/patients/{patient}/grade/confirm", headers=HERE)


def test_a_worse_grade_counts_at_once(app, make, doctor, patient):
    visit(make, doctor, patient)
    assert now_at(app, patient) == ("unrated", None)
    visit(make, doctor, patient, sbp=152, visit_class=2)
    assert now_at(app, patient) == ("yellow", None)
    visit(make, doctor, patient, **EMERGENCY)
    assert now_at(app, patient) == ("red", None)


def test_a_red_stays_until_a_clinician_agrees(app, make, doctor, patient):
    complete(make, doctor, patient)
    visit(make, doctor, patient, **EMERGENCY)
    visit(make, doctor, patient)
    assert now_at(app, patient) == ("red", "green")
    with app.app_context():
        held = grading.current(patient)
        assert [word["code"] for word in held.words] == ["BP_EMERGENCY"]
        assert (held.emergency, held.due_in_days) == (False, 30)
        before = feed.touched([patient])[patient]
    assert confirm(doctor, patient).status_code == 303
    assert now_at(app, patient) == ("green", None)
    with app.app_context():
        held = grading.current(patient)
        assert (held.words, held.due_in_days) == ([], 90)
        assert grading.history(patient)[0].cause == "confirm"
        assert feed.touched([patient])[patient] > before
        assert db.session.scalar(db.select(AuditLine.id).where(AuditLine.action == "grade.confirm"))


def test_red_from_emergency_to_ordinary_needs_nobody(app, make, doctor, patient):
    visit(make, doctor, patient, **EMERGENCY)
    visit(make, doctor, patient, "adl", meal=5, grooming=7, dressing=5, toileting=5, activity=5)
    visit(make, doctor, patient)
    with app.app_context():
        held = grading.current(patient)
        assert (held.colour, held.emergency, held.proposed_colour) == ("red", False, None)
        assert held.reasons == ["ADL_DEPENDENT"]


def test_nothing_waits_nothing_to_confirm(make, doctor, patient):
    visit(make, doctor, patient)
    assert confirm(doctor, patient).status_code == 409


@pytest.mark.parametrize(
    ("role", "status"), [("nurse", 303), ("village", 303), ("manager", 403), ("family", 403)]
)
def test_who_may_confirm(make, doctor, patient, role, status):
    visit(make, doctor, patient, **EMERGENCY)
    visit(make, doctor, patient)
    assert confirm(make.signed_in(role), patient).status_code == status


def test_a_clinician_of_elsewhere_finds_nobody(make, doctor, patient):
    visit(make, doctor, patient, **EMERGENCY)
    visit(make, doctor, patient)
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN, team_id=OTHER_TEAM))
    assert confirm(stranger, patient).status_code == 404
    assert stranger.post(f"/patients/{patient}/grade/raise", headers=HERE).status_code == 404


def raise_to(client, patient, colour, reason="家属说近来常晕倒"):
    return client.post(
        f"/patients/{patient}/grade/raise", data={"colour": colour, "reason": reason}, headers=HERE
    ).status_code


def test_a_clinician_raises_a_colour_with_a_reason_until_one_ends_it(app, make, doctor, patient):
    complete(make, doctor, patient)
    assert now_at(app, patient) == ("green", None)
    assert raise_to(doctor, patient, "red") == 303
    assert now_at(app, patient) == ("red", "green")
    with app.app_context():
        held = grading.current(patient)
        assert held.words[0]["text"] == "医生上调为红：家属说近来常晕倒"
        assert held.raised_by == doctor.user_id
    visit(make, doctor, patient)
    assert now_at(app, patient) == ("red", "green")
    assert confirm(doctor, patient).status_code == 303
    assert now_at(app, patient) == ("green", None)


@pytest.mark.parametrize(
    ("colour", "reason"),
    [
        ("green", "很好"),
        ("unrated", "不知道"),
        ("purple", "好看"),
        ("", "空的"),
        ("red", ""),
        ("red", " 　"),
        ("red", "长" * 201),
    ],
)
def test_a_raise_needs_a_higher_colour_and_a_reason(app, make, doctor, patient, colour, reason):
    complete(make, doctor, patient)
    assert raise_to(doctor, patient, colour, reason) == 422
    assert now_at(app, patient) == ("green", None)


def test_a_real_red_takes_the_place_of_a_raised_one(app, make, doctor, patient):
    complete(make, doctor, patient)
    raise_to(doctor, patient, "yellow")
    visit(make, doctor, patient, **EMERGENCY)
    with app.app_context():
        held = grading.current(patient)
        assert (held.colour, held.raised_colour, held.words[0]["code"]) == ("red", None, "BP_EMERGENCY")


def test_the_night_regrades_whom_time_changed_and_leaves_the_others_alone(app, make, doctor, patient):
    complete(make, doctor, patient)
    other = make.patient(conditions=["stroke"])
    with app.app_context():
        token = writing.set(True)
        assert grading.regrade_stale(clock.today()) == []
        before = feed.touched([patient, other])
        assert grading.regrade_stale(clock.today() + timedelta(days=101)) == [patient]
        assert grading.regrade_stale(clock.today() + timedelta(days=101)) == []
        after = feed.touched([patient, other])
        assert after[patient] > before[patient] and after.get(other) == before.get(other)
        newest = grading.history(patient)[0]
        assert (newest.cause, newest.colour, newest.reasons) == ("nightly", "yellow", ["DATA_STALE_BP"])
        db.session.commit()
        writing.reset(token)


def test_an_emergency_stays_while_nothing_newer_is_known(app, make, doctor, patient):
    visit(make, doctor, patient, **EMERGENCY)
    with app.app_context():
        token = writing.set(True)
        grading.regrade_stale(clock.today() + timedelta(days=300))
        assert grading.current(patient).emergency is True
        writing.reset(token)
        db.session.rollback()


def test_facts_of_many_people_cost_no_more_queries_than_of_one(app, make, doctor):
    for _ in range(3):
        visit(make, doctor, make.patient())
    with app.app_context():
        everybody = list(db.session.scalars(db.select(Patient)))
        seen = []

        def note(*args):
            seen.append(args[2])

        db.event.listen(db.engine, "before_cursor_execute", note)
        found = grading.facts_of_many(everybody, clock.today())
        db.event.remove(db.engine, "before_cursor_execute", note)
        assert len(seen) == 1
        assert {person.id for person in everybody} == set(found)
