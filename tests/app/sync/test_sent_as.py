"""A push that says as whom it is sent: looked at only if that is who is signed in."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.accounts.models import AuditLine, Throttle
from app.extensions import db
from app.shared import clock
from app.sync.models import Revision
from app.sync.schema import PUSHES_A_MINUTE, SENT_AS
from tests import hostile
from tests.sealing import sealed

DOORS = ("/api/sync/push", "/api/sync/sealed")


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in("doctor")


def body(make, client, door) -> dict:
    """A person registered by `client`."""
    op = make.op(client, "patient.create", make.patient_payload())
    sent_at = clock.local(clock.now()).isoformat(timespec="seconds")
    if door == DOORS[0]:
        return {"sent_at": sent_at, "ops": [op]}
    key = client.get("/api/auth/me").get_json()["seal"]
    return {"sent_at": sent_at, "sealed": [sealed(key, op)]}


def traces(app) -> tuple[int, int, int]:
    with app.app_context():
        return tuple(
            db.session.scalar(db.select(db.func.count()).select_from(table))
            for table in (Revision, AuditLine, Throttle)
        )


@pytest.mark.parametrize("door", DOORS)
def test_who_is_signed_in_and_says_so_is_answered_as_ever(make, doctor, door) -> None:
    answer = doctor.post(door, json=body(make, doctor, door), headers={SENT_AS: doctor.user_id})
    assert answer.status_code == 200
    assert [r["status"] for r in answer.get_json()["results"]] == ["applied"]


@pytest.mark.parametrize("door", DOORS)
def test_somebody_elses_push_is_not_looked_at(make, doctor, app, door) -> None:
    other = make.signed_in("nurse")
    sent = body(make, other, door)
    before = traces(app)
    for name in (other.user_id, "", "nobody", f"{doctor.user_id},{other.user_id}", "\xe9" * 400):
        answer = doctor.post(door, json=sent, headers={SENT_AS: name})
        shown = answer.get_json()
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
        assert shown["code"] == "other_user" and "results" not in shown
        assert hostile.in_chinese(shown)
    assert traces(app) == before
    answer = other.post(door, json=sent, headers={SENT_AS: other.user_id})
    assert [r["status"] for r in answer.get_json()["results"]] == ["applied"]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_wrong_with_such_a_push_is_not_said(make, doctor, door) -> None:
    name = {SENT_AS: make.signed_in("nurse").user_id}
    for sent in (b"not json", b'{"surprise": 1}', b""):
        answer = doctor.post(door, data=sent, headers=name, content_type="application/json")
        assert answer.get_json()["code"] == "other_user"


@pytest.mark.parametrize("door", DOORS)
def test_a_session_that_is_over_is_said_before_anything_else(make, client, app, doctor, door) -> None:
    answer = client.post(door, json=body(make, doctor, door), headers={SENT_AS: doctor.user_id})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "session_expired")


def test_refused_pushes_take_nothing_from_what_may_be_sent_in_a_minute(make, doctor) -> None:
    other = {SENT_AS: make.signed_in("nurse").user_id}
    for _ in range(PUSHES_A_MINUTE + 1):
        assert doctor.post(DOORS[0], json={}, headers=other).status_code == 409
    assert make.push(doctor, make.op(doctor, "patient.create", make.patient_payload()))


def test_without_the_header_each_operation_is_answered_for_itself(make, doctor) -> None:
    sent = body(make, make.signed_in("nurse"), DOORS[0])
    answer = doctor.post(DOORS[0], json=sent)
    assert [r["code"] for r in answer.get_json()["results"]] == ["author_mismatch"]


@pytest.mark.parametrize("door", DOORS)
def test_the_contract_names_the_header_and_the_answer(client, door) -> None:
    told = client.get("/api/openapi.json").get_json()["paths"][door]["post"]
    [header] = told["parameters"]
    assert (header["in"], header["name"], header["required"]) == ("header", SENT_AS, False)
    assert "409" in told["responses"] and "other_user" in told["responses"]["409"]["description"]
