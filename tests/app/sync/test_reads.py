"""The access log of a phone: what it showed while the server did not see it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import AuditLine
from app.extensions import db
from app.shared.ids import new_id
from app.sync import reads
from tests.factories import OTHER_VILLAGE

AT = "2026-06-01T09:12:00+08:00"


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


def a_read(patient_id: str, **given: Any) -> dict[str, Any]:
    return {"id": new_id(), "patient_id": patient_id, "page": "patient", "at": AT, **given}


def report(client, *them: Any, **given: Any):
    return client.post("/api/sync/reads", json={"device_id": "phone-1", "reads": list(them), **given})


def lines(app: Flask) -> list[AuditLine]:
    with app.app_context():
        about = select(AuditLine).where(AuditLine.claimed_at.is_not(None)).order_by(AuditLine.id)
        return list(db.session.scalars(about))


def test_each_reading_leaves_a_line_with_the_time_the_phone_names(app, make, doctor) -> None:
    patient = make.patient()
    answer = report(doctor, a_read(patient), a_read(patient, page="visit-form"))
    assert answer.status_code == 200
    assert (answer.get_json()["kept"], answer.get_json()["known"]) == (2, 0)
    first, second = lines(app)
    assert (first.action, first.patient_id, first.user_id) == ("patient.read", patient, doctor.user_id)
    assert (first.device_id, first.claimed_at.isoformat()) == ("phone-1", "2026-06-01T01:12:00+00:00")
    assert (first.result, second.result) == ("offline:patient", "offline:visit-form")


def test_the_same_report_again_changes_nothing(app, make, doctor) -> None:
    one, other = a_read(make.patient()), a_read(make.patient())
    report(doctor, one, one)
    answer = report(doctor, one, other).get_json()
    assert (answer["kept"], answer["known"]) == (1, 1)
    assert len(lines(app)) == 2


def test_nobody_uses_up_the_ids_of_another(app, make, doctor) -> None:
    read = a_read(make.patient())
    report(doctor, read)
    assert report(make.signed_in("nurse"), read).get_json()["kept"] == 1


def test_who_is_no_longer_in_scope_or_never_was_is_kept_as_reported(app, make, doctor) -> None:
    far, absent = make.patient(village_id=OTHER_VILLAGE), new_id()
    answers = [report(doctor, a_read(i)).get_json() for i in (far, absent, make.patient())]
    assert {(a["kept"], a["known"]) for a in answers} == {(1, 0)}  # all alike
    assert [line.result for line in lines(app)] == ["reported:patient"] * 2 + ["offline:patient"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"reads": []}, "/reads"),
        ({"reads": "x"}, "/reads"),
        ({"reads": [None]}, "/reads/0"),
        ({"reads": ["x"]}, "/reads/0"),
        ({"reads": [{}]}, "/reads/0/id"),
        ({"device_id": ""}, "/device_id"),
        ({"device_id": "x" * 65}, "/device_id"),
        ({"device_id": 7}, "/device_id"),
        ({"more": 1}, "/more"),
        ({"id": "张秀兰"}, "/reads/0/id"),
        ({"patient_id": "370406195001010013"}, "/reads/0/patient_id"),
        ({"patient_id": None}, "/reads/0/patient_id"),
        ({"page": "chart"}, "/reads/0/page"),
        ({"page": ["patient"]}, "/reads/0/page"),
        ({"at": "2026-06-01T09:12:00"}, "/reads/0/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/reads/0/at"),
        ({"at": 5}, "/reads/0/at"),
        ({"note": "x"}, "/reads/0/note"),
        ({"page": "pa\x00tient"}, "/reads/0/page"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_kept(app, doctor, wrong, pointer) -> None:
    outer = {name: wrong[name] for name in ("reads", "device_id", "more") if name in wrong}
    inner = {name: value for name, value in wrong.items() if name not in outer}
    answer = report(doctor, {**a_read(new_id()), **inner}, **outer)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    assert pointer in [error["pointer"] for error in answer.get_json()["errors"]]
    assert all("\u4e00" <= error["message"][0] <= "\u9fff" for error in answer.get_json()["errors"])
    assert lines(app) == []


def test_at_most_so_many_at_once_and_so_often(app, doctor, monkeypatch) -> None:
    patient = new_id()
    assert report(doctor, *(a_read(patient) for _ in range(500))).get_json()["kept"] == 500
    assert report(doctor, *(a_read(patient) for _ in range(501))).status_code == 422
    monkeypatch.setattr(reads, "REPORTS_A_MINUTE", 1)
    assert report(doctor, a_read(patient)).status_code == 429


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"reads":1,"reads":2}', b"\xff"])
def test_a_body_that_is_no_report_is_refused(doctor, body) -> None:
    answer = doctor.post("/api/sync/reads", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
