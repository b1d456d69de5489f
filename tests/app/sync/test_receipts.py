"""GET /api/sync/receipts: phone and server compare what each believes the server has."""

from __future__ import annotations

import hashlib

import pytest
from flask.testing import FlaskClient

from app.shared.ids import new_id
from tests import hostile

NO_DAYS = ["", "x", "2026-02-30", "0000-01-01", "20260601", "2026-W01-1", "2026-6-1", "2026/06/01", "1"]
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in("doctor")


def create(make, doctor, recorded_at="2026-06-01T09:12:00+08:00", **given):
    return make.op(doctor, "patient.create", make.patient_payload(), recorded_at=recorded_at, **given)


def receipts(client, device_id="device-1", since="2026-01-01", **more):
    answer = client.get("/api/sync/receipts", query_string={"device_id": device_id, "since": since, **more})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def as_the_phone_computes(*ops) -> str:
    ids = sorted(op["op_id"] for op in ops)
    return hashlib.sha256(b"".join(op_id.encode() + b"\n" for op_id in ids)).hexdigest()


def test_the_digest_is_the_phones_own(make, doctor) -> None:
    ops = [create(make, doctor) for _ in range(5)]
    refused = create(make, doctor)
    refused["payload"]["id_card"] = "1"
    make.push(doctor, *ops[::-1], refused)
    told = receipts(doctor)
    assert told["count"] == 5 and told["digest"] == as_the_phone_computes(*ops) and "op_ids" not in told
    assert (told["device_id"], told["since"]) == ("device-1", "2026-01-01")
    assert told["epoch"] == doctor.get("/api/auth/me").get_json()["epoch"] and told["server_time"]
    listed = receipts(doctor, list="1")
    assert listed["op_ids"] == sorted(op["op_id"] for op in ops)
    assert receipts(doctor, list="0").keys() == told.keys()


def test_they_are_the_callers_alone_and_of_one_phone(make, doctor) -> None:
    nurse = make.signed_in("nurse")
    make.push(doctor, create(make, doctor))
    make.push(nurse, create(make, nurse), create(make, nurse, device_id="device-2"))
    assert receipts(doctor)["count"] == receipts(nurse)["count"] == 1
    assert receipts(doctor, "device-2")["digest"] == EMPTY
    assert receipts(doctor, list="1")["op_ids"] != receipts(nurse, list="1")["op_ids"]


def test_days_are_those_the_phone_wrote_in_its_own_offset(make, doctor) -> None:
    days = [
        "2026-05-31T23:59:59.999+08:00", "2026-06-01T00:00:00+08:00", "2026-06-01T00:30:00-11:00",
        "2026-06-01T23:59:59Z", "2026-06-02T00:00:00+14:00", "1999-12-31T00:00:00Z", "2031-01-01T00:00:00Z",
    ]  # fmt: skip
    ops = [create(make, doctor, recorded_at=day) for day in days]
    make.push(doctor, *ops)
    for since in ("0001-01-01", "2026-05-31", "2026-06-01", "2026-06-02", "2026-06-03", "2031-01-02"):
        wanted = [op for op in ops if op["recorded_at"][:10] >= since]
        told = receipts(doctor, since=since)
        assert (told["count"], told["digest"]) == (len(wanted), as_the_phone_computes(*wanted)), since


def test_what_was_mended_counts_under_the_id_that_was_applied(make, doctor) -> None:
    old = new_id()
    new = create(make, doctor, replaces=old)
    make.push(doctor, new)
    assert receipts(doctor, list="1")["op_ids"] == [new["op_id"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=2026-06-01", "device_id"),
        ("device_id=&since=2026-06-01", "device_id"),
        ("device_id=" + "x" * 65 + "&since=2026-06-01", "device_id"),
        ("device_id=d", "since"),
        *((f"device_id=d&since={since}", "since") for since in NO_DAYS),
        ("device_id=d&since=%EF%BC%92026-06-01", "since"),
        ("device_id=d&since=2026-06-01T00:00:00Z", "since"),
        ("device_id=d&since=2026-06-01%0A", "since"),
        ("device_id=d&since=2026-06-01&list=yes", "list"),
        ("device_id=d&since=2026-06-01&list=", "list"),
    ],
)
def test_a_question_that_is_none_is_refused_by_field(doctor, query, field) -> None:
    answer = doctor.get(f"/api/sync/receipts?{query}")
    assert answer.status_code == 422, answer.get_data(as_text=True)
    [error] = answer.get_json()["errors"]
    assert error["pointer"] == f"/{field}" and hostile.CHINESE.match(error["message"])
