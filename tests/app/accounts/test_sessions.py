"""How long a sign-in lasts when nobody uses it, and what ends it at once."""

from __future__ import annotations

import pytest

from app.shared.roles import WORKS_ON
from tests.app.accounts.door import login, pass_by

DAY = {"SESSION_IDLE_MINUTES": 30, "FIELD_IDLE_HOURS": 12}


@pytest.mark.parametrize("role", WORKS_ON)
def test_a_session_nobody_uses_ends(app, make, role, monkeypatch) -> None:
    app.config |= DAY
    minutes = 30 if role in ("manager", "supervisor", "admin", "dispatcher") else 720
    client = make.signed_in(role)
    pass_by(monkeypatch, minutes=minutes - 1)
    assert client.get("/api/auth/me").status_code == 200
    pass_by(monkeypatch, minutes=minutes - 1)  # what went before was a use
    assert client.get("/api/auth/me").status_code == 200
    pass_by(monkeypatch, minutes=minutes + 1)
    answer = client.get("/api/auth/me")
    assert answer.status_code == 401 and answer.get_json()["code"] == "session_expired"


def test_what_a_phone_asks_by_itself_is_a_use_too(app, make, monkeypatch) -> None:
    app.config |= DAY
    doctor = make.signed_in("doctor")
    for url in ("/api/pack", "/api/sync/pull", "/today"):
        pass_by(monkeypatch, hours=11)
        assert doctor.get(url, headers={"X-Sync": "1"}).status_code == 200
    pass_by(monkeypatch, hours=11)
    assert (
        make.push(doctor, make.op(doctor, "patient.create", make.patient_payload()))[0]["status"] == "applied"
    )
    pass_by(monkeypatch, hours=11)
    assert doctor.get("/api/auth/me").status_code == 200


def test_use_does_not_lengthen_a_session_past_its_end(app, make, monkeypatch) -> None:
    app.config |= DAY
    doctor = make.signed_in("doctor")
    for _ in range(16):
        pass_by(monkeypatch, hours=10)
        assert doctor.get("/api/auth/me").status_code == 200
    pass_by(monkeypatch, hours=10)
    assert doctor.get("/api/auth/me").status_code == 401


def test_an_unused_session_does_not_come_back_by_being_asked_again(app, make, monkeypatch) -> None:
    app.config |= DAY
    manager = make.signed_in("manager")
    pass_by(monkeypatch, minutes=31)
    for _ in range(3):
        assert manager.get("/patients").status_code == 302
    assert login(app.test_client(), manager.username).status_code == 200
