"""What was measured, kept and read back."""

from datetime import date

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.encounters.models import Visit
from app.extensions import db
from app.observations import service as observations
from app.shared import clock


def keep(visit_id, patient, on, values):
    if db.session.get(Visit, visit_id) is None:
        db.session.add(a_visit(visit_id, patient, on))
        db.session.flush()
    observations.write(observations.rows(visit_id, patient, on, values))


def a_visit(visit_id, patient, on):
    now = clock.now()
    author = db.session.scalars(select(User.id)).first()
    return Visit(
        id=visit_id, patient_id=patient, author_id=author, form="general", form_version=1, visited_at=now,
        visited_on=on, mode="home", answers={}, recorded_at=now, received_at=now,
    )  # fmt: skip


@pytest.fixture
def patient(make, request):
    made = make.patient()  # by requests of its own, so before the context that the tests work in
    request.getfixturevalue("context")
    return made


def test_values_come_back_as_they_went_in_oldest_first(patient):
    odd = {"code": "bp", "value": {"sbp": 186, "dbp": 104}, "unit": "mmHg"}
    keep("v2", patient, date(2026, 6, 2), [odd, {"code": "conditions", "value": []}])
    keep(
        "v1",
        patient,
        date(2026, 6, 1),
        [{"code": "lives_alone", "value": False}, {"code": "adl", "value": 19}],
    )
    rows = observations.of(patient)
    assert {row.code: row.value for row in rows[:2]} == {"lives_alone": False, "adl": 19}
    assert {row.code: row.value for row in rows[2:]} == {"bp": odd["value"], "conditions": []}
    assert {row.code: row.number for row in rows} == {
        "lives_alone": None,
        "adl": 19.0,
        "bp": None,
        "conditions": None,
    }


def test_a_value_measured_on_another_day_keeps_that_day(patient):
    keep("v1", patient, date(2026, 6, 2), [{"code": "hba1c", "value": 7.1, "on": "2026-05-20"}])
    assert observations.of(patient)[0].observed_on == date(2026, 5, 20)


def test_forgetting_a_visit_leaves_the_others(patient):
    for visit, value in (("v1", 1), ("v2", 2)):
        keep(visit, patient, date(2026, 6, 1), [{"code": "adl", "value": value}])
    observations.forget_visit("v2")
    assert [row.value for row in observations.of(patient)] == [1]


def test_the_newest_of_one_kind(patient):
    assert observations.remembered([patient]) == {patient: {}}
    for day, value in ((3, 152), (5, 151.5), (4, 153)):
        keep(f"v{day}", patient, date(2026, 6, day), [{"code": "height", "value": value}])
    assert observations.remembered([patient])[patient]["height"]["value"] == 151.5
    assert observations.latest_values(observations.of(patient))["height"] == (151.5, "2026-06-05")


def test_many_can_be_narrowed_and_nobody_is_forgotten(patient):
    for day in (1, 9):
        keep(f"v{day}", patient, date(2026, 6, day), [{"code": c, "value": day} for c in ("adl", "pulse")])
    found = observations.of_many([patient, "nobody"], codes=["adl"], since=date(2026, 6, 5))
    assert [row.value for row in found[patient]] == [9]
    assert found["nobody"] == []
