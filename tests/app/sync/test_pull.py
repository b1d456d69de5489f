"""The feed as SYNC §5 describes it."""

import pytest

from app.sync import queries
from tests.app.visits import sheets
from tests.factories import NEXT_VILLAGE, OTHER_TOWN, OTHER_VILLAGE, VILLAGE


def pull(client, cursor="", limit=200):
    answer = client.get("/api/sync/pull", query_string={"cursor": cursor, "limit": limit})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def test_pull_gives_everything_in_scope_once_through_pages(make) -> None:
    doctor = make.signed_in("doctor")
    made = [make.patient() for _ in range(5)]
    make.patient(village_id=OTHER_VILLAGE)
    seen, cursor, more = [], "", True
    while more:
        answer = pull(doctor, cursor, limit=2)
        assert len(answer["changes"]) <= 2
        seen += [c["id"] for c in answer["changes"]]
        cursor, more = answer["cursor"], answer["more"]
    assert seen == made
    assert pull(doctor, cursor)["changes"] == []
    later = make.patient()
    assert [c["id"] for c in pull(doctor, cursor)["changes"]] == [later]


def test_a_record_out_of_scope_answers_exactly_like_an_absent_one(make) -> None:
    patient = make.patient()
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    absent = stranger.get("/api/patients/0197fd4e-4c36-7cd4-8d5c-9d6d0a8d5a01").get_json()
    foreign = stranger.get(f"/api/patients/{patient}").get_json()
    for answer in (absent, foreign):
        answer.pop("request_id")
    assert absent == foreign


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("doctor", True), ("nurse", True), ("village", True), ("manager", True), ("family", False),
        ("provider", False), ("dispatcher", False), ("supervisor", False), ("admin", False),
    ],
)  # fmt: skip
def test_who_may_read_a_patient(make, role, sees) -> None:
    patient = make.patient()
    client = make.signed_in(role)
    assert client.get(f"/api/patients/{patient}").status_code == (200 if sees else 404)
    assert bool(pull(client)["changes"]) is sees


def test_a_relative_sees_the_bound_patient_without_number_and_diagnoses(make) -> None:
    patient = make.patient(conditions=["hypertension"])
    family = make.signed_in("family")
    make.bind(family.username, patient)
    payload = family.get(f"/api/patients/{patient}").get_json()["payload"]
    assert "********" in payload["id_card"] and "conditions" not in payload


def test_a_patient_who_moves_away_is_removed_here_and_sent_there(make) -> None:
    clinic, next_clinic = (
        make.signed_in("village"),
        make.signed_in(make.user("village", place_code=NEXT_VILLAGE)),
    )
    doctor = make.signed_in("doctor")
    patient, staying = make.patient(), make.patient()
    here, there = pull(clinic)["cursor"], pull(next_clinic)["cursor"]
    move = make.op(
        doctor, "patient.update", {"patient_id": patient, "village_id": NEXT_VILLAGE}, base_revision=1
    )
    assert make.push(doctor, move)[0]["status"] == "applied"
    left = pull(clinic, here)
    assert left["removed"] == [{"id": patient}] and left["changes"] == []
    arrived = pull(next_clinic, there)
    assert [(c["id"], c["revision"]) for c in arrived["changes"]] == [(patient, 1), (patient, 2)]
    assert arrived["removed"] == []
    assert clinic.get(f"/api/patients/{staying}").status_code == 200
    assert make.push(
        doctor,
        make.op(doctor, "patient.update", {"patient_id": patient, "village_id": VILLAGE}, base_revision=2),
    )


@pytest.mark.parametrize("cursor", ["nonsense", "W10=", "WzEsMiwzXQ==", "ÿ", "A" * 150])
def test_a_cursor_that_is_not_ours_means_start_again(make, cursor) -> None:
    doctor = make.signed_in("doctor")
    answer = doctor.get("/api/sync/pull", query_string={"cursor": cursor})
    assert answer.status_code == 410 and answer.get_json()["code"] == "cursor_unknown"


def test_the_cursor_of_somebody_else_means_start_again(make) -> None:
    cursor = pull(make.signed_in("doctor"))["cursor"]
    other = make.signed_in("nurse")
    assert other.get("/api/sync/pull", query_string={"cursor": cursor}).status_code == 410


@pytest.mark.parametrize("limit", ["0", "501", "-1", "many", "1e2"])
def test_an_impossible_limit_is_refused(make, limit) -> None:
    doctor = make.signed_in("doctor")
    assert doctor.get("/api/sync/pull", query_string={"limit": limit}).status_code == 422


def test_a_relative_bound_later_gets_what_was_there_before(make) -> None:
    patient = make.patient()
    family = make.signed_in("family")
    cursor = pull(family)["cursor"]
    make.bind(family.username, patient)
    assert [c["id"] for c in pull(family, cursor)["changes"]] == [patient]


@pytest.mark.parametrize("looked_at", [1, 2, 3, 500])
def test_what_lies_between_out_of_scope_neither_hides_nor_doubles_anything(
    make, monkeypatch, looked_at
) -> None:
    """A relative sees the patient, and no visit."""
    monkeypatch.setattr(queries, "LOOKED_AT", looked_at)
    doctor, patient, other = make.signed_in("doctor"), make.patient(), make.patient()
    family = make.signed_in("family")
    make.bind(family.username, patient)
    for revision in (1, 2):
        for about in (patient, other, patient, patient):
            visit = make.op(doctor, "visit.create", sheets.payload(about))
            assert make.push(doctor, visit)[0]["status"] == "applied"
        change = {"patient_id": patient, "address": f"{revision} 组"}
        make.push(doctor, make.op(doctor, "patient.update", change, base_revision=revision))
    seen, cursor, more = [], "", True
    while more:
        answer = pull(family, cursor, limit=1)
        seen += [(change["id"], change["revision"]) for change in answer["changes"]]
        cursor, more = answer["cursor"], answer["more"]
    assert seen == [(patient, 1), (patient, 2), (patient, 3)]
    assert pull(family, cursor)["changes"] == []


def test_an_old_cursor_still_finds_what_changed_long_after_others(make) -> None:
    doctor, stranger = make.signed_in("doctor"), make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    patient = make.patient()
    cursor = pull(doctor)["cursor"]
    theirs = [make.patient(village_id=OTHER_VILLAGE) for _ in range(5)]
    visit = make.op(doctor, "visit.create", sheets.payload(patient))
    assert make.push(doctor, visit)[0]["status"] == "applied"
    assert [change["id"] for change in pull(doctor, cursor)["changes"]] == [visit["op_id"]]
    assert [change["id"] for change in pull(stranger)["changes"]] == theirs
