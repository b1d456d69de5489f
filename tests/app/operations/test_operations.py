"""What operators see: ready or not, figures, and one line of log a request, without anybody's data."""

from __future__ import annotations

import io
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app import logs
from app.extensions import db, writing
from app.jobs import runner, work
from app.shared.ids import new_id
from tests.app.visits import sheets
from tests.factories import PASSWORD, an_id_card

CANARIES = ("亓官雪莺", "贰零零壹号院", "19955501234", an_id_card(77), "QKCANARY")
NAME, ADDRESS, PHONE, ID_CARD, WORD = CANARIES


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """Every line of the log as it would be written, parsed."""
    stream, found = io.StringIO(), []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Json())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    class Lines(list):
        def __iter__(self):
            return iter([json.loads(line) for line in stream.getvalue().splitlines()])

    yield Lines(found)
    root.removeHandler(handler)
    root.setLevel(level)


def figure(client, name: str, **labels: str) -> float:
    """A figure of /metrics; 0 where it is not told."""
    for line in client.get("/metrics").get_data(as_text=True).splitlines():
        at, _, value = line.rpartition(" ")
        told = dict(re.findall(r'(\w+)="([^"]*)"', at))
        if at.partition("{")[0] == name and labels.items() <= told.items():
            return float(value)
    return 0.0


@pytest.fixture
def broken(app: Flask):
    def before(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        raise OperationalError(statement, {"name": NAME}, sqlite3.OperationalError("disk I/O error"))

    with app.app_context():
        engine = db.engine
    yield lambda: event.listen(engine, "before_cursor_execute", before)
    if event.contains(engine, "before_cursor_execute", before):
        event.remove(engine, "before_cursor_execute", before)


def test_it_is_ready_when_the_database_is_of_the_version_of_the_program(app: Flask, client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200 and answer.get_json()["status"] == "ok"
    with app.app_context():
        token = writing.set(True)
        current = db.session.scalar(text("SELECT version_num FROM alembic_version"))
        db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        db.session.commit()
        writing.reset(token)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and answer.get_json()["code"] == "not_ready"
    assert answer.mimetype == "application/problem+json" and answer.headers["Retry-After"]
    with app.app_context():
        writing.set(True)
        db.session.execute(text("UPDATE alembic_version SET version_num = :now"), {"now": current})
        db.session.commit()


def test_without_a_database_it_is_not_ready_and_the_figures_say_so(client, broken) -> None:
    assert figure(client, "nuanxun_database_up") == 1
    broken()
    assert client.get("/readyz").status_code == 503
    assert client.get("/metrics").status_code == 200
    assert figure(client, "nuanxun_database_up") == 0


def test_the_figures_are_for_this_machine_or_whoever_has_the_token(app: Flask, client) -> None:
    far = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "::1"}).status_code == 200
    assert client.get("/metrics", environ_base=far).status_code == 404
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):  # a proxy on this machine asks for a stranger
        assert client.get("/metrics", headers={name: "192.0.2.7"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, environ_base=far).status_code == 404
    app.config["METRICS_TOKEN"] = "a token of the monitoring"
    for token, status in (("a token of the monitoring", 200), ("another", 404), ("é", 404)):
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get("/metrics", headers=headers, environ_base=far).status_code == status


def test_requests_pushes_jobs_and_sizes_are_counted(app: Flask, make, client) -> None:
    doctor = make.signed_in("doctor")
    asked = {"endpoint": "chart.patient", "status": "404"}
    before = figure(client, "nuanxun_requests_total", **asked)
    applied = figure(client, "nuanxun_operations_total", result="applied")
    refused = {"result": "rejected", "code": "not_found"}
    rejected = figure(client, "nuanxun_operations_total", **refused)
    old = figure(client, "nuanxun_operation_age_seconds_bucket", le="2.592e+06")
    doctor.get(f"/patients/{new_id()}")
    op = make.op(doctor, "patient.create", make.patient_payload(), recorded_at="2026-01-01T09:00:00+08:00")
    gone = make.op(
        doctor, "patient.update", {"patient_id": new_id(), "phone": "13800138000"}, base_revision=1
    )
    make.push(doctor, op, gone)
    assert figure(client, "nuanxun_requests_total", **asked) == before + 1
    assert figure(client, "nuanxun_operations_total", result="applied") == applied + 1
    assert figure(client, "nuanxun_operations_total", **refused) == rejected + 1
    assert figure(client, "nuanxun_operation_age_seconds_bucket", le="2.592e+06") <= old + 1
    assert figure(client, "nuanxun_database_bytes") > 100_000
    assert figure(client, "nuanxun_audit_unlinked_lines") > 0
    runner.run(app, work.find("link-audit"), by="first")
    assert figure(client, "nuanxun_job_ok", job="link-audit") == 1
    assert figure(client, "nuanxun_audit_unlinked_lines") == 0


def test_every_request_is_one_line_of_json_that_can_be_followed(make, lines) -> None:
    doctor = make.signed_in("doctor")
    answer = doctor.get("/api/auth/me")
    [line] = [one for one in lines if one.get("endpoint") == "auth.me"]
    assert line["request"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["status"], line["user"]) == ("GET", 200, doctor.user_id)
    assert line["level"] == "info" and line["ms"] >= 0 and line["time"].endswith("Z")
    doctor.get("/static/css/base.css")
    assert not [one for one in lines if one.get("endpoint") == "static"]


def test_the_request_id_of_our_proxy_is_taken_on_when_it_looks_like_one(app: Flask, client) -> None:
    given = "0f" * 16
    assert client.get("/sign-in", headers={"X-Request-Id": given}).headers["X-Request-Id"] != given
    app.config["BEHIND_PROXY"] = True
    for good in (given, new_id()):
        assert client.get("/sign-in", headers={"X-Request-Id": good}).headers["X-Request-Id"] == good
    for bad in ("", PHONE, "x" * 36, f"{given}0", NAME.encode().decode("latin-1")):
        assert client.get("/sign-in", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_neither_log_nor_figures_hold_anybody_s_data(app, make, client, lines, broken, monkeypatch) -> None:
    """Names, numbers, addresses and passwords, in what is done, refused, mistyped and broken."""
    doctor = make.signed_in(make.user("doctor", name=NAME, phone=PHONE))
    payload = make.patient_payload(name=NAME, address=ADDRESS, id_card=ID_CARD, phone=PHONE)
    [created] = make.push(doctor, make.op(doctor, "patient.create", payload))
    patient = created["entity_id"]
    make.push(doctor, make.op(doctor, "visit.create", sheets.payload(patient, answers={"other_signs": WORD})))
    make.push(doctor, make.op(doctor, "patient.create", {**payload, "phone": WORD}))
    make.push(doctor, make.op(doctor, NAME, {"x": WORD}))
    same = {"Sec-Fetch-Site": "same-origin"}
    for url in (f"/patients/{NAME}", f"/patients?q={NAME}", f"/patients/{patient}?x={WORD}", f"/{ID_CARD}"):
        doctor.get(url)
    doctor.post("/patients", data=payload, headers=same)
    doctor.post("/patients", data=payload, headers={"Sec-Fetch-Site": "cross-site"})
    doctor.post("/api/sync/push", data=f'{{"{NAME}"', content_type="application/json")
    doctor.post("/api/sync/reads", json={"device_id": "d", "reads": [{"id": ID_CARD, "note": NAME}]})
    client.post("/sign-in", data={"username": PHONE, "password": WORD}, headers=same)
    client.post("/api/auth/login", json={"username": NAME, "password": PASSWORD, "device_id": WORD})
    doctor.get("/api/pack").get_data()
    monkeypatch.setattr("app.chart.queries.standing", lambda *_: (_ for _ in ()).throw(KeyError(NAME)))
    assert doctor.get(f"/patients/{patient}").status_code == 500
    said = client.get("/metrics").get_data(as_text=True)
    broken()
    assert doctor.get(f"/patients/{patient}?q={NAME}").status_code == 503
    logged = json.dumps(list(lines), ensure_ascii=False)
    assert "KeyError" in logged and len(list(lines)) > 15
    for canary in CANARIES:
        assert canary not in logged and canary not in said, canary


@pytest.mark.parametrize("form", [logs.Json, logs.Plain])
def test_the_web_server_s_own_words_lose_queries_and_reasons(form) -> None:
    try:
        raise ValueError(NAME)
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "gunicorn.error", logging.ERROR, "x", 1, "Error handling request %s", (f"/patients?q={NAME}",), told
    )
    line = form().format(record)
    assert NAME not in line and "/patients?…" in line and "ValueError" in line and "test_operations" in line


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_error_pages_say_what_happened_and_what_to_do(make, monkeypatch, broken, status) -> None:
    doctor = make.signed_in("doctor")
    page, api = {
        403: ("/desk", "/api/sync/push"),
        404: (f"/patients/{new_id()}", f"/api/patients/{new_id()}"),
    }.get(status, ("/today", "/api/sync/pull?cursor="))
    if status == 500:
        for name in ("app.plans.queries.panel", "app.sync.queries.pull"):
            monkeypatch.setattr(name, lambda *_: {}["fault"])
    if status == 503:
        broken()
    html = doctor.get(page)
    if status == 403:
        problem = doctor.post(api, json={}, headers={"Sec-Fetch-Site": "cross-site"})
    else:
        problem = doctor.get(api)
    assert html.status_code == problem.status_code == status
    words = html.get_data(as_text=True)
    request_id = html.headers["X-Request-Id"]
    assert "回到首页" in words and request_id in words and "Traceback" not in words
    assert ("再试一次" in words) == (status >= 500)
    told = problem.get_json()
    assert problem.mimetype == "application/problem+json" and told["status"] == status
    assert told["title"] and told["detail"] and told["request_id"] == problem.headers["X-Request-Id"]
    assert (status != 503) or html.headers["Retry-After"]
