"""POST /api/sync/sealed: what push says, of operations the phone itself cannot read any more."""

from __future__ import annotations

import gzip
import json

import pytest
from flask.testing import FlaskClient

from app.accounts.models import AuditLine
from app.extensions import db
from app.shared import clock
from app.shared.ids import new_id
from tests import hostile
from tests.sealing import seal_bytes, sealed

BAD_CARD = "370406195001010014"


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in("doctor")


@pytest.fixture
def key(doctor) -> dict[str, str]:
    return doctor.get("/api/auth/me").get_json()["seal"]


def create(make, doctor, **given):
    return make.op(doctor, "patient.create", make.patient_payload(**given))


def post(client, entries, **more):
    body = {"sent_at": clock.local(clock.now()).isoformat(timespec="seconds"), "sealed": entries, **more}
    return client.post("/api/sync/sealed", json=body)


def send(client, *entries, **more):
    answer = post(client, list(entries), **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["results"]


def test_a_sealed_operation_is_applied_and_read_back_equal(make, doctor, key) -> None:
    op = create(make, doctor, name="𠮷野 Ａé e\u0301 <b>")
    [result] = send(doctor, sealed(key, op))
    assert result == {"op_id": op["op_id"], "status": "applied", "entity_id": op["op_id"], "revision": 1}
    assert doctor.get(f"/api/patients/{op['op_id']}").get_json()["payload"] == op["payload"]


def test_sealed_and_plain_the_same_operation_is_one(make, doctor, key) -> None:
    first, second = create(make, doctor), create(make, doctor)
    assert send(doctor, sealed(key, first))[0]["status"] == "applied"
    assert make.push(doctor, second)[0]["status"] == "applied"
    assert [r["status"] for r in make.push(doctor, first, second)] == ["duplicate"] * 2
    again = send(doctor, sealed(key, dict(reversed(second.items()))), sealed(key, first, squeeze=False))
    assert again == [
        {"op_id": op["op_id"], "status": "duplicate", "entity_id": op["op_id"], "revision": 1}
        for op in (second, first)
    ]
    other = {**first, "payload": {**first["payload"], "name": "别人"}}
    assert send(doctor, sealed(key, other))[0]["code"] == "op_id_reused"


def test_entries_that_cannot_be_opened_are_refused_in_their_places(make, doctor, key) -> None:
    ops = [create(make, doctor) for _ in range(4)]
    ops[2]["payload"]["id_card"] = BAD_CARD
    entries = [sealed(key, op) for op in ops]
    entries[1]["data"] = entries[1]["data"][:-8] + "AAAAAAAA"
    entries.insert(3, {"op_id": "x"})
    results = send(doctor, *entries)
    assert [(r["op_id"], r["status"], r.get("code")) for r in results] == [
        (ops[0]["op_id"], "applied", None),
        (ops[1]["op_id"], "rejected", "cannot_open"),
        (ops[2]["op_id"], "rejected", "invalid"),
        (None, "rejected", "invalid"),
        (ops[3]["op_id"], "applied", None),
    ]
    assert all(hostile.in_chinese(result) for result in results if result["status"] == "rejected")
    assert results[1]["detail"] and results[2]["errors"][0]["pointer"] == "/payload/id_card"


def test_a_batch_of_which_nothing_opens_leaves_its_audit_lines(make, doctor, key, app) -> None:
    op = create(make, doctor)
    assert send(doctor, sealed(key, op, key_id="199901"))[0]["code"] == "cannot_open"
    with app.app_context():
        line = db.session.scalar(db.select(AuditLine).where(AuditLine.object_id == op["op_id"]))
        assert (line.result, line.user_id) == ("rejected:cannot_open", doctor.user_id)


def test_a_key_of_another_month_opens_and_one_of_no_month_is_a_fault(make, doctor, key, monkeypatch) -> None:
    op = create(make, doctor)
    ahead = clock.now().replace(year=clock.now().year + 1)
    monkeypatch.setattr(clock, "now", lambda: ahead)
    next_key = make.signed_in("doctor").get("/api/auth/me").get_json()["seal"]
    monkeypatch.undo()
    assert next_key["key_id"] != key["key_id"]
    assert send(doctor, sealed(next_key, op))[0]["status"] == "applied"
    [odd] = send(doctor, sealed(key, op, key_id="2026-1"))
    assert (odd["code"], odd["errors"]) == (
        "invalid", [{"pointer": "/key_id", "code": "invalid", "message": "应为六位数字"}]
    )  # fmt: skip


def test_what_is_written_outside_must_stand_inside(make, doctor, key) -> None:
    op, stranger = create(make, doctor), make.signed_in("nurse")
    for name, outside in (("op_id", new_id()), ("author_id", stranger.user_id)):
        sender = stranger if name == "author_id" else doctor
        [result] = send(sender, sealed(key, op, **{name: outside}), echo=True)
        assert (result["status"], result["code"]) == ("rejected", "invalid")
        assert [e["pointer"] for e in result["errors"]] == [f"/{name}"]
        assert "op" not in result and "张秀兰" not in json.dumps(result, ensure_ascii=False)
    assert doctor.get(f"/api/patients/{op['op_id']}").status_code == 404


def test_somebody_elses_sealed_operation_stays_shut(make, doctor, key) -> None:
    op, finder = create(make, doctor), make.signed_in("nurse")
    [result] = send(finder, sealed(key, op), echo=True)
    assert result["code"] == "author_mismatch" and "op" not in result
    assert send(doctor, sealed(key, op))[0]["status"] == "applied"


def test_with_echo_a_refused_operation_comes_back_to_its_author(make, doctor, key) -> None:
    good, bad, stale = create(make, doctor), create(make, doctor, id_card=BAD_CARD), None
    send(doctor, sealed(key, good))
    edit = {"patient_id": good["op_id"], "address": "一组"}
    stale = make.op(doctor, "patient.update", edit, base_revision=7)
    entries = [sealed(key, op) for op in (good, bad, stale)]
    results = send(doctor, *entries, sealed(key, bad, data="AAAA"), echo=True)
    assert [r["status"] for r in results] == ["duplicate", "rejected", "conflict", "rejected"]
    assert [r.get("op") for r in results] == [None, bad, stale, None]
    assert not any("op" in result for result in send(doctor, *entries))


def test_faulty_json_inside_is_refused_and_not_echoed(make, doctor, key) -> None:
    op = create(make, doctor, address="@@@")
    text = json.dumps(op, ensure_ascii=False)
    entries = []
    for odd in ("NaN", '"\\ud800"', '"a\\u0000"', '{"a":1,"a":2}', "9" * 30, "[" * 40 + "]" * 40):
        data = seal_bytes(key, b"\x00" + text.replace('"@@@"', odd).encode())
        entries.append(sealed(key, op, data=data))
    results = send(doctor, *entries, echo=True)
    assert {(r["op_id"], r["code"], "op" in r) for r in results} == {(op["op_id"], "invalid", False)}
    assert {e["pointer"].split("/0")[0] for r in results for e in r["errors"]} == {"/payload/address"}


def test_what_inflates_beyond_measure_is_not_opened(make, doctor, key) -> None:
    op, good = create(make, doctor), create(make, doctor)
    bomb = sealed(key, op, data=seal_bytes(key, b"\x01" + gzip.compress(b" " * 20_000_000)))
    large = {**op, "payload": {**op["payload"], "address": "长" * 30_000}}
    results = send(doctor, bomb, sealed(key, large), sealed(key, good))
    assert [r.get("code") for r in results] == ["cannot_open", "invalid", None]
    assert results[1]["errors"][0]["code"] == "too_large"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"", 400, None),
        (b"[]", 422, ""),
        (b"{}", 422, "/sealed"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","sealed":[]}', 422, "/sealed"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","sealed":{}}', 422, "/sealed"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","ops":[1]}', 422, "/ops"),
        (b'{"sent_at":"x","sealed":[1]}', 422, "/sent_at"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","sealed":[1],"echo":1}', 422, "/echo"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","sealed":[1],"echo":"true"}', 422, "/echo"),
        (b'{"sent_at":"2026-06-01T09:12:00+08:00","sealed":[1],"echo":null}', 422, "/echo"),
    ],
)
def test_a_batch_that_is_no_batch_is_refused_as_a_whole(doctor, body, status, pointer) -> None:
    answer = doctor.post("/api/sync/sealed", data=body, content_type="application/json")
    assert answer.status_code == status and answer.mimetype == "application/problem+json"
    if pointer is not None:
        errors = answer.get_json()["errors"]
        assert pointer in [e["pointer"] for e in errors]
        assert all(hostile.CHINESE.match(e["message"]) for e in errors)


def test_the_limits_are_those_of_push_and_counted_with_it(make, doctor, key) -> None:
    op = create(make, doctor)
    answer = post(doctor, [sealed(key, op)] * 101)
    assert answer.status_code == 413 and answer.get_json()["max_ops"] == 100
    answer = post(doctor, [sealed(key, op, data="A" * 1_100_000)])
    assert answer.status_code == 413
    for _ in range(30):
        make.push(doctor, op)
        assert send(doctor, sealed(key, op))[0]["status"] in ("applied", "duplicate")
    answer = post(doctor, [sealed(key, op)])
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


def test_a_gzipped_batch_of_sealed_operations_is_taken(make, doctor, key) -> None:
    op = create(make, doctor)
    body = json.dumps({"sent_at": op["recorded_at"], "sealed": [sealed(key, op)]}).encode()
    answer = doctor.post(
        "/api/sync/sealed", data=gzip.compress(body), content_type="application/json",
        headers={"Content-Encoding": "gzip"},
    )  # fmt: skip
    assert answer.get_json()["results"][0]["status"] == "applied"


def test_the_oldest_seals_open_after_the_secret_was_changed(make, doctor, key, app) -> None:
    op, other = create(make, doctor), create(make, doctor)
    entry, former = sealed(key, op), app.config["SECRET_KEY"]
    app.config["SECRET_KEY"] = "a new secret of more than 32 characters"
    assert send(doctor, entry)[0]["code"] == "cannot_open"
    app.config["SECRET_KEY_FALLBACKS"] = ["an even older secret, also more than 32", former]
    fresh = doctor.get("/api/auth/me").get_json()["seal"]
    assert fresh["public_key"] != key["public_key"]
    assert [r["status"] for r in send(doctor, entry, sealed(fresh, other))] == ["applied", "applied"]
