"""visit.create and visit.correct as a phone sends them, on both databases."""

from datetime import timedelta

import pytest

from app.accounts.models import AuditLine
from app.encounters.models import Visit
from app.extensions import db
from app.grading import service as grading
from app.grading.rules import grade
from app.observations import service as observations
from app.patients.models import Patient
from app.plans import service as plans
from app.shared import clock
from app.shared.ids import new_id
from app.visits import service as visits
from tests.app.visits.sheets import EMERGENCY, correction, payload
from tests.factories import OTHER_TEAM, OTHER_TOWN, OTHER_VILLAGE, VILLAGE


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


@pytest.fixture
def patient(make):
    return make.patient(conditions=["hypertension"])


def create(make, client, patient, form="hypertension", **given):
    sent = make.op(client, "visit.create", payload(patient, form, **given))
    result = make.push(client, sent)[0]
    assert result["status"] == "applied", result
    return sent


def correct(make, client, visit_id, base=1, **given):
    content = correction(visit_id, **given)
    return make.push(client, make.op(client, "visit.correct", content, base_revision=base))[0]


def void(make, client, visit_id, base=1):
    gone = {"visit_id": visit_id, "reason": "记错了人", "void": True}
    return make.push(client, make.op(client, "visit.correct", gone, base_revision=base))[0]


def record(client, visit_id):
    answer = client.get(f"/api/visits/{visit_id}")
    assert answer.status_code == 200
    return answer.get_json()["record"]


def observed(app, patient):
    with app.app_context():
        return {row.code: row.value for row in observations.of(patient) if row.source == "visit"}


def test_a_visit_is_stored_measured_graded_and_planned(app, make, doctor, patient):
    sent = create(make, doctor, patient, answers=EMERGENCY)
    kept = record(doctor, sent["op_id"])
    assert kept["answers"] == sent["payload"]["answers"]
    assert (kept["grade"]["colour"], kept["grade"]["emergency"]) == ("red", True)
    assert kept["grade"]["reasons"] == ["BP_EMERGENCY"]
    assert (kept["summary"], kept["voided"], kept["revision"]) == ("186/104", False, 1)
    found = observed(app, patient)
    assert found["bp"] == {"sbp": 186, "dbp": 104}
    assert (found["pulse"], found["weight"], found["bmi"]) == (76, 58.5, 25.3)
    with app.app_context():
        assert grading.current(patient).colour == "red"
        due = [item.due_on for item in plans.open_items(patient) if item.form == "hypertension"]
        assert due == [clock.today() + timedelta(days=14)]


def test_the_payload_comes_back_equal(make, doctor, patient):
    where = {"lat": 35.1, "lon": 117.5, "accuracy_m": 12}
    odd = payload(patient, answers={"note": "家住三楼\n“慢慢走”𠮷 e\u0301"}, location=where)
    sent = make.op(doctor, "visit.create", odd)
    assert make.push(doctor, sent)[0]["status"] == "applied"
    assert doctor.get(f"/api/visits/{sent['op_id']}").get_json()["payload"] == odd


def test_sending_the_same_visit_twice_keeps_one(app, make, doctor, patient):
    sent = make.op(doctor, "visit.create", payload(patient))
    first, second = make.push(doctor, sent, sent)
    assert (first["status"], second["status"]) == ("applied", "duplicate")
    assert make.push(doctor, sent)[0]["status"] == "duplicate"
    with app.app_context():
        assert len(visits.of(patient)) == 1


def test_the_stored_grade_is_that_of_the_rules_from_the_stored_facts(app, make, doctor, patient):
    create(make, doctor, patient)
    create(make, doctor, patient, "adl")
    create(make, doctor, patient, "general", answers={"conditions": ["hypertension"]})
    with app.app_context():
        for kept in grading.history(patient):
            assert grade(kept.facts) == {name: getattr(kept, name) for name in grading.OUTPUTS}
        newest = grading.history(patient)[0]
        assert (newest.colour, newest.missing, newest.due_in_days) == ("green", [], 90)


def test_the_phones_own_answer_is_kept_where_it_differed(app, make, doctor, patient):
    said = {
        "colour": "green",
        "emergency": False,
        "reasons": [],
        "missing": [],
        "due_in_days": 90,
        "rule_version": "2025-old",
    }
    sent = create(make, doctor, patient, answers=EMERGENCY, grade=said)
    assert record(doctor, sent["op_id"])["phone_differs"] is True
    with app.app_context():
        kept = grading.of_visit(sent["op_id"])
        assert (kept.phone, kept.colour) == (said, "red")
    agreed = record(doctor, sent["op_id"])["grade"]
    again = create(make, doctor, patient, answers=EMERGENCY, grade=agreed)
    assert record(doctor, again["op_id"])["phone_differs"] is False


def test_a_correction_is_a_new_revision_and_every_one_stays_readable(app, make, doctor, patient):
    sent = create(make, doctor, patient, answers=EMERGENCY)
    result = correct(make, doctor, sent["op_id"])
    assert (result["status"], result["entity_id"], result["revision"]) == ("applied", sent["op_id"], 2)
    assert record(doctor, sent["op_id"])["answers"]["sbp"] == 132
    old = doctor.get(f"/api/visits/{sent['op_id']}?revision=1").get_json()
    assert old["payload"]["answers"]["sbp"] == 186
    assert observed(app, patient)["bp"] == {"sbp": 132, "dbp": 78}
    with app.app_context():
        assert len(visits.of(patient)) == 1


def test_a_correction_of_an_old_revision_is_a_conflict(make, doctor, patient):
    sent = create(make, doctor, patient)
    assert correct(make, doctor, sent["op_id"])["status"] == "applied"
    late = correct(make, doctor, sent["op_id"], base=1)
    assert (late["status"], late["code"], late["current"]["revision"]) == ("conflict", "stale_revision", 2)


def test_a_voided_visit_leaves_the_facts_and_the_list_but_not_the_record(app, make, doctor, patient):
    create(make, doctor, patient)
    sent = create(make, doctor, patient, answers={"sbp": 160, "visit_class": 2})
    assert void(make, doctor, sent["op_id"])["status"] == "applied"
    assert observed(app, patient)["bp"] == {"sbp": 132, "dbp": 78}
    assert doctor.get(f"/api/visits/{sent['op_id']}").get_json()["state"] == "voided"
    assert record(doctor, sent["op_id"])["grade"] is None
    with app.app_context():
        assert [visit.answers["sbp"] for visit in visits.of(patient)] == [132]
    assert void(make, doctor, sent["op_id"], base=2)["code"] == "bad_transition"


def test_what_a_voided_visit_said_of_diseases_goes_with_it(app, make, doctor, patient):
    found = {"conditions": ["hypertension", "stroke"], "lives_alone": True}
    create(make, doctor, patient, "general", answers=found)
    with app.app_context():
        known = db.session.get_one(Patient, patient)
        assert (known.conditions, known.lives_alone) == (["hypertension", "stroke"], True)
        sent = visits.of(patient)[0].id
    void(make, doctor, sent)
    with app.app_context():
        known = db.session.get_one(Patient, patient)
        assert known.conditions == ["hypertension"]
        assert "MAJOR_DISEASE" not in grading.history(patient)[0].reasons


def test_an_older_visit_that_arrives_late_does_not_undo_a_newer_word(app, make, doctor, patient):
    create(make, doctor, patient, "general", answers={"conditions": ["hypertension", "copd"]})
    before = clock.local(clock.now() - timedelta(days=40)).isoformat(timespec="seconds")
    create(make, doctor, patient, "general", visited_at=before, answers={"backdate_reason": "纸质补录"})
    with app.app_context():
        assert db.session.get_one(Patient, patient).conditions == ["hypertension", "copd"]


def test_two_records_of_one_day_are_flagged_not_refused(make, doctor, patient):
    first = create(make, doctor, patient)
    second = create(make, doctor, patient)
    assert record(doctor, first["op_id"])["flags"] == []
    assert record(doctor, second["op_id"])["flags"] == ["same_day"]


def test_of_two_visits_of_one_day_the_later_one_counts(app, make, doctor, patient):
    now = clock.local(clock.now())
    for at, sbp in ((now, 140), (now - timedelta(seconds=1), 120)):
        create(make, doctor, patient, visited_at=at.isoformat(), answers={"sbp": sbp})
    with app.app_context():
        assert grading.facts_of(db.session.get_one(Patient, patient), clock.today())["bp"][0]["sbp"] == 140


def test_a_visit_that_did_not_take_place_needs_only_its_reason_and_does_nothing(app, make, doctor, patient):
    lost = {**payload(patient), "answers": {"lost_reason": 3, "emergency_flags": []}}
    sent = make.op(doctor, "visit.create", lost)
    assert make.push(doctor, sent)[0]["status"] == "applied"
    assert "bp" not in observed(app, patient)
    with app.app_context():
        assert any(item.form == "hypertension" for item in plans.open_items(patient))


def test_a_visit_recorded_offline_is_not_late_because_a_colleague_was_faster(make, doctor, patient):
    """Monday's visit may arrive after Tuesday's: its author could not know."""
    monday = clock.local(clock.now() - timedelta(days=2)).isoformat(timespec="seconds")
    create(make, doctor, patient)
    honest = make.op(doctor, "visit.create", payload(patient, visited_at=monday), recorded_at=monday)
    assert make.push(doctor, honest)[0]["status"] == "applied"
    typed_in = make.op(doctor, "visit.create", payload(patient, visited_at=monday))
    refused = make.push(doctor, typed_in)[0]
    assert [e["pointer"] for e in refused["errors"]] == ["/payload/answers/backdate_reason"]


def test_a_patient_out_of_scope_answers_like_one_that_does_not_exist(make, doctor, patient):
    stranger = make.patient(village_id=OTHER_VILLAGE)
    sent = [make.op(doctor, "visit.create", payload(i)) for i in (stranger, new_id())]
    answers = make.push(doctor, *sent)
    assert [(a["status"], a["code"], a["detail"], a.get("errors")) for a in answers] == [
        ("rejected", "missing_dependency", answers[0]["detail"], None)
    ] * 2


def test_a_visit_whose_patient_never_comes_is_shown_to_a_person_after_a_day(app, make, doctor, monkeypatch):
    sent = make.op(doctor, "visit.create", payload(new_id()))
    assert make.push(doctor, sent)[0]["code"] == "missing_dependency"
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert make.push(doctor, sent)[0]["code"] == "not_found"
    with app.app_context():
        lines = db.session.scalars(db.select(AuditLine.result).where(AuditLine.object_id == sent["op_id"]))
        assert list(lines) == ["rejected:missing_dependency", "rejected:not_found"]


def test_a_visit_that_overtook_its_patient_is_taken_once_the_patient_is_there(make, doctor):
    person = make.op(doctor, "patient.create", make.patient_payload())
    sent = make.op(doctor, "visit.create", payload(person["op_id"]))
    assert make.push(doctor, sent)[0]["code"] == "missing_dependency"
    assert [r["status"] for r in make.push(doctor, person, sent)] == ["applied", "applied"]


@pytest.mark.parametrize("role", ["family", "provider", "dispatcher", "supervisor", "admin", "manager"])
def test_only_clinicians_record_visits(make, patient, role):
    client = make.signed_in(role)
    assert make.push(client, make.op(client, "visit.create", payload(patient)))[0]["code"] == "forbidden"


def test_who_may_correct(make, patient):
    nurse, colleague = make.signed_in("nurse"), make.signed_in("nurse")
    village = make.signed_in(make.user("village", place_code=VILLAGE))
    doctor, manager = make.signed_in("doctor"), make.signed_in("manager")
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN, team_id=OTHER_TEAM))
    sent = create(make, nurse, patient)
    assert correct(make, colleague, sent["op_id"])["code"] == "forbidden"
    assert correct(make, village, sent["op_id"])["code"] == "forbidden"
    assert correct(make, stranger, sent["op_id"])["code"] == "missing_dependency"
    for base, client in enumerate((nurse, doctor, manager), start=1):
        assert correct(make, client, sent["op_id"], base=base)["status"] == "applied"


@pytest.mark.parametrize("role", ["family", "provider", "dispatcher", "supervisor", "admin"])
def test_nobody_else_reads_visits(make, doctor, patient, role):
    sent = create(make, doctor, patient)
    client = make.signed_in(role)
    if role == "family":
        make.bind(client.username, patient)
    assert client.get(f"/api/visits/{sent['op_id']}").status_code == 404
    assert client.get(f"/visits/{sent['op_id']}").status_code == 404
    changes = client.get("/api/sync/pull").get_json()["changes"]
    assert not [change for change in changes if change["kind"].startswith("visit")]


def test_a_correction_may_not_move_a_visit_to_another_form_or_person(make, doctor, patient):
    sent = create(make, doctor, patient)
    moved = {**correction(sent["op_id"]), "patient_id": new_id()}
    result = make.push(doctor, make.op(doctor, "visit.correct", moved, base_revision=1))[0]
    assert [e["pointer"] for e in result["errors"]] == ["/payload/patient_id"]
    other = correct(make, doctor, sent["op_id"], form="adl")
    assert [e["pointer"] for e in other["errors"]] == ["/payload/form"]


def test_a_correction_without_base_revision_is_refused(make, doctor, patient):
    sent = create(make, doctor, patient)
    result = make.push(doctor, make.op(doctor, "visit.correct", correction(sent["op_id"])))[0]
    assert [e["pointer"] for e in result["errors"]] == ["/base_revision"]


def test_a_wrong_phone_clock_is_flagged_and_its_visit_counts_today(make, doctor, patient):
    ahead = clock.local(clock.now() + timedelta(days=3)).isoformat(timespec="seconds")
    sent = make.op(doctor, "visit.create", payload(patient, visited_at=ahead), recorded_at=ahead)
    answer = doctor.post("/api/sync/push", json={"sent_at": ahead, "ops": [sent]}).get_json()["results"][0]
    assert answer["status"] == "applied"
    kept = record(doctor, sent["op_id"])
    assert (kept["visited_on"], kept["flags"]) == (clock.today().isoformat(), ["clock"])
    assert kept["grade"]["missing"][0] != "bp"


def test_a_refused_visit_leaves_nothing_behind(app, make, doctor, patient):
    refused = make.push(doctor, make.op(doctor, "visit.create", payload(patient, answers={"sbp": 999})))[0]
    assert (refused["status"], refused["errors"][0]["pointer"]) == ("rejected", "/payload/answers/sbp")
    with app.app_context():
        assert db.session.scalar(db.select(Visit.id)) is None
        assert observations.of(patient) == []


def test_everything_that_is_wrong_is_named_at_once(make, doctor, patient):
    wrong = payload(patient, answers={"sbp": 162, "visit_class": 1}, next_visit_on=clock.today().isoformat())
    errors = make.push(doctor, make.op(doctor, "visit.create", wrong))[0]["errors"]
    assert [e["pointer"] for e in errors] == ["/payload/next_visit_on", "/payload/answers/visit_class"]
