"""The wire contract of SYNC §3, driven as a stranger would."""

import gzip
import json

import pytest
from flask.testing import FlaskClient

from app.shared.ids import new_id


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in("doctor")


def create(make, doctor, **given):
    return make.op(doctor, "patient.create", make.patient_payload(**given))


def test_an_operation_is_applied_and_read_back_equal(make, doctor) -> None:
    op = create(make, doctor, name="𠮷野 Ａé e\u0301 <b>", address="一\u200b二 \U0001f600")
    [result] = make.push(doctor, op)
    assert result == {"op_id": op["op_id"], "status": "applied", "entity_id": op["op_id"], "revision": 1}
    shown = doctor.get(f"/api/patients/{op['op_id']}").get_json()
    assert shown["payload"] == op["payload"]
    assert shown["revision"] == 1 and shown["kind"] == "patient.create"


def test_the_same_operation_again_is_a_duplicate_with_the_first_result(make, doctor) -> None:
    op = create(make, doctor)
    make.push(doctor, op)
    again = make.push(doctor, op, dict(reversed(op.items())))
    assert [r["status"] for r in again] == ["duplicate", "duplicate"]
    assert again[0]["entity_id"] == op["op_id"] and again[0]["revision"] == 1


def test_the_same_id_with_other_content_changes_nothing(make, doctor) -> None:
    op = create(make, doctor)
    make.push(doctor, op)
    other = {**op, "payload": {**op["payload"], "name": "别人"}}
    [result] = make.push(doctor, other)
    assert (result["status"], result["code"]) == ("rejected", "op_id_reused")
    assert doctor.get(f"/api/patients/{op['op_id']}").get_json()["payload"] == op["payload"]


def test_one_bad_operation_does_not_stop_the_others(make, doctor) -> None:
    good, bad, fine = (
        create(make, doctor),
        create(make, doctor, id_card="370406195001010014"),
        create(make, doctor),
    )
    results = make.push(doctor, good, bad, fine)
    assert [r["status"] for r in results] == ["applied", "rejected", "applied"]
    assert results[1]["errors"] == [
        {"pointer": "/payload/id_card", "code": "invalid", "message": "身份证号校验位不对，请核对"}
    ]
    assert doctor.get(f"/api/patients/{bad['op_id']}").status_code == 404


def test_a_late_copy_of_an_applied_edit_is_a_duplicate_not_a_conflict(make, doctor) -> None:
    patient = create(make, doctor)
    make.push(doctor, patient)
    edit = make.op(
        doctor, "patient.update", {"patient_id": patient["op_id"], "address": "一组"}, base_revision=1
    )
    more = make.op(
        doctor, "patient.update", {"patient_id": patient["op_id"], "address": "二组"}, base_revision=2
    )
    assert [r["status"] for r in make.push(doctor, edit, more)] == ["applied", "applied"]
    [late] = make.push(doctor, edit)
    assert late["status"] == "duplicate" and late["revision"] == 2


def test_a_stale_edit_is_a_conflict_that_shows_where_the_record_stands(make, doctor) -> None:
    patient = create(make, doctor)
    make.push(doctor, patient)
    one, two = (
        make.op(doctor, "patient.update", {"patient_id": patient["op_id"], "address": a}, base_revision=1)
        for a in ("一组", "二组")
    )
    results = make.push(doctor, one, two)
    assert [r["status"] for r in results] == ["applied", "conflict"]
    assert results[1]["code"] == "stale_revision" and results[1]["current"]["revision"] == 2
    older = doctor.get(f"/api/patients/{patient['op_id']}?revision=1").get_json()
    assert older["payload"] == patient["payload"]


def test_an_operation_refused_once_is_judged_afresh(make, doctor) -> None:
    first, second = create(make, doctor), create(make, doctor)
    edit = make.op(
        doctor, "patient.update", {"patient_id": second["op_id"], "address": "一组"}, base_revision=1
    )
    assert make.push(doctor, first, edit)[1]["code"] == "not_found"
    assert [r["status"] for r in make.push(doctor, second, edit)] == ["applied", "applied"]


def test_an_operation_of_another_author_is_refused(make, doctor) -> None:
    op = {**create(make, doctor), "author_id": new_id()}
    assert make.push(doctor, op)[0]["code"] == "author_mismatch"


def test_kinds_nobody_knows_and_roles_that_may_not_are_refused_by_code(make, doctor) -> None:
    family = make.signed_in("family")
    assert make.push(doctor, make.op(doctor, "patient.destroy", {}))[0]["code"] == "unknown_kind"
    assert (
        make.push(family, make.op(family, "patient.create", make.patient_payload()))[0]["code"] == "forbidden"
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"op_id": "NOT-A-UUID"}, "/op_id"),
        ({"op_id": new_id().upper()}, "/op_id"),
        ({"op_id": "0197fd4e-4c36-1cd4-8d5c-9d6d0a8d5a01"}, "/op_id"),
        ({"device_id": ""}, "/device_id"),
        ({"recorded_at": "yesterday"}, "/recorded_at"),
        ({"recorded_at": "2026-06-01T09:12:00"}, "/recorded_at"),
        ({"base_revision": 0}, "/base_revision"),
        ({"base_revision": True}, "/base_revision"),
        ({"base_revision": "1"}, "/base_revision"),
        ({"payload": []}, "/payload"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_fault_of_the_envelope_is_named(make, doctor, change, pointer) -> None:
    [result] = make.push(doctor, {**create(make, doctor), **change})
    assert (result["status"], result["code"]) == ("rejected", "invalid")
    assert pointer in [e["pointer"] for e in result["errors"]]


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('"a\\u0000b"', "/payload/address"),
        ('"\\ud800"', "/payload/address"),
        ("NaN", "/payload/address"),
        ("1e999", "/payload/address"),
        ("9" * 400, "/payload/address"),
        ('{"a":1,"a":2}', "/payload/address"),
        ("[" * 40 + "]" * 40, "/payload/address"),
        ("17", "/payload/address"),
        ("true", "/payload/address"),
        ("null", "/payload/address"),
        ('"' + "长" * 201 + '"', "/payload/address"),
    ],
)
def test_what_json_should_not_hold_is_refused_for_that_operation_alone(make, doctor, text, pointer) -> None:
    good, bad = create(make, doctor), create(make, doctor, address="@@@")
    body = json.dumps({"sent_at": good["recorded_at"], "ops": [good, bad]}, ensure_ascii=False)
    answer = doctor.post(
        "/api/sync/push", data=body.replace('"@@@"', text).encode("utf-8", "surrogatepass"),
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == 200, answer.get_data(as_text=True)
    results = answer.get_json()["results"]
    assert [r["status"] for r in results] == ["applied", "rejected"]
    assert any(e["pointer"].startswith(pointer) for e in results[1]["errors"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","ops":[]}', 422),
        (b'{"sent_at":"x","ops":[1]}', 422),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","ops":{}}', 422),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","ops":[1],"more":1}', 422),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","ops":[1,null,"x",[]]}', 200),
    ],
)
def test_a_batch_that_is_no_batch_is_refused_as_a_whole(doctor, body, status) -> None:
    answer = doctor.post("/api/sync/push", data=body, content_type="application/json")
    assert answer.status_code == status
    if status == 200:
        results = answer.get_json()["results"]
        assert [(r["op_id"], r["status"], r["code"]) for r in results] == [(None, "rejected", "invalid")] * 4
    else:
        assert answer.mimetype == "application/problem+json"


def test_other_content_types_are_refused(doctor) -> None:
    answer = doctor.post(
        "/api/sync/push", data=b"{}", content_type="text/plain", headers={"Origin": "http://localhost"}
    )
    assert answer.status_code == 415


def test_too_many_operations_are_refused_with_the_limits(make, doctor) -> None:
    op = create(make, doctor)
    answer = doctor.post("/api/sync/push", json={"sent_at": op["recorded_at"], "ops": [op] * 101})
    assert answer.status_code == 413
    assert answer.get_json()["max_ops"] == 100 and answer.get_json()["max_bytes"] == 1024 * 1024


def test_a_body_beyond_the_limit_is_refused_compressed_or_not(make, doctor) -> None:
    op = create(make, doctor)
    op["payload"]["address"] = "长" * 600_000
    body = json.dumps({"sent_at": op["recorded_at"], "ops": [op]}, ensure_ascii=False).encode()
    assert doctor.post("/api/sync/push", data=body, content_type="application/json").status_code == 413
    bomb = gzip.compress(b" " * 50_000_000)
    answer = doctor.post(
        "/api/sync/push", data=bomb, content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 413


def test_an_operation_beyond_64_kb_is_refused_alone(make, doctor) -> None:
    big, good = create(make, doctor), create(make, doctor)
    big["payload"]["address"] = "长" * 30_000
    assert [r["status"] for r in make.push(doctor, big, good)] == ["rejected", "applied"]


def test_a_gzipped_batch_is_taken_and_a_torn_one_is_not(make, doctor) -> None:
    op = create(make, doctor)
    body = gzip.compress(json.dumps({"sent_at": op["recorded_at"], "ops": [op]}).encode())
    headers = {"Content-Encoding": "gzip"}
    torn = doctor.post("/api/sync/push", data=body[:-9], content_type="application/json", headers=headers)
    assert torn.status_code == 400
    whole = doctor.post("/api/sync/push", data=body, content_type="application/json", headers=headers)
    assert whole.get_json()["results"][0]["status"] == "applied"


def test_pushes_are_limited_to_sixty_a_minute(make, doctor) -> None:
    op = create(make, doctor)
    for _ in range(60):
        make.push(doctor, op)
    answer = doctor.post("/api/sync/push", json={"sent_at": op["recorded_at"], "ops": [op]})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_a_phone_with_a_wrong_clock_is_never_refused_for_it(make, doctor) -> None:
    op = create(make, doctor)
    op["recorded_at"] = "2001-01-01T00:00:00+08:00"
    answer = doctor.post("/api/sync/push", json={"sent_at": "2031-01-01T00:00:00+08:00", "ops": [op]})
    assert answer.get_json()["results"][0]["status"] == "applied"
    shown = doctor.get(f"/api/patients/{op['op_id']}").get_json()
    assert shown["recorded_at"] == "2001-01-01T00:00:00+08:00" and abs(shown["skew_s"]) > 300


def test_identity_numbers_are_not_readable_in_the_database(make, doctor, app) -> None:
    from sqlalchemy import text

    from app.extensions import db

    op = create(make, doctor)
    make.push(doctor, op)
    with app.app_context():
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(text(f'SELECT * FROM "{table.name}"')):
                assert op["payload"]["id_card"] not in str(tuple(row)), table.name
