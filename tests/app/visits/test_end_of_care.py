"""Who died or moved away leaves the lists, and comes back when the visit was mistaken."""

import pytest

from app.shared import clock
from tests.app.visits.sheets import correction, payload


def not_done(patient: str, **answers) -> dict:
    made = payload(patient)
    return {**made, "answers": answers}


def on_the_list(client, patient: str) -> bool:
    return patient in client.get("/patients").get_data(as_text=True)


@pytest.mark.parametrize(
    "answers",
    [
        {"lost_reason": 1, "death_date": clock.today().isoformat(), "death_cause": "年老"},
        {"lost_reason": 2},
    ],
)
def test_the_dead_and_the_moved_leave_the_lists_until_corrected(make, answers) -> None:
    doctor, patient = make.signed_in("doctor"), make.patient()
    assert on_the_list(doctor, patient)
    sent = make.op(doctor, "visit.create", not_done(patient, **answers))
    assert make.push(doctor, sent)[0]["status"] == "applied"
    assert not on_the_list(doctor, patient)
    assert doctor.get(f"/patients/{patient}").status_code == 200  # the record stays readable
    back = make.op(doctor, "visit.correct", correction(sent["op_id"]), base_revision=1)
    assert make.push(doctor, back)[0]["status"] == "applied"
    assert on_the_list(doctor, patient)


def test_who_was_not_at_home_stays_on_the_list(make) -> None:
    doctor, patient = make.signed_in("doctor"), make.patient()
    sent = make.op(doctor, "visit.create", not_done(patient, lost_reason=3))
    assert make.push(doctor, sent)[0]["status"] == "applied"
    assert on_the_list(doctor, patient)


def test_the_page_of_who_died_is_taken_off_the_phones(make) -> None:
    import json

    doctor, patient = make.signed_in("doctor"), make.patient()
    first = [json.loads(line) for line in doctor.get("/api/pack").get_data(as_text=True).splitlines()]
    died = not_done(patient, lost_reason=1, death_date=clock.today().isoformat(), death_cause="年老")
    make.push(doctor, make.op(doctor, "visit.create", died))
    answer = doctor.get("/api/pack", query_string={"cursor": first[-1]["cursor"]}).get_data(as_text=True)
    lines = [json.loads(line) for line in answer.splitlines()]
    assert {"t": "gone", "url": f"/patients/{patient}"} in lines
