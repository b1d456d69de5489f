"""What tests of accounts have in common: forms from our own pages, other addresses, later moments."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import AuditLine, SecondFactor
from app.extensions import db
from app.shared import clock, secretbox
from tests.factories import PASSWORD, Factory

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def post(client: FlaskClient, url: str, address: str = "127.0.0.1", **form: str) -> Any:
    return client.post(url, data=form, headers=SAME_ORIGIN, environ_overrides={"REMOTE_ADDR": address})


def login(
    client: FlaskClient, username: str, password: str = PASSWORD, *, address: str = "127.0.0.1", **more: str
) -> Any:
    body = {"username": username, "password": password, "device_id": "d1", **more}
    return client.post("/api/auth/login", json=body, environ_overrides={"REMOTE_ADDR": address})


def words(answer: Any) -> str:
    return re.sub(r"<[^>]+>", "", answer.get_data(as_text=True))


def pass_by(monkeypatch, **time: float) -> None:
    moment = clock.now() + timedelta(**time)
    monkeypatch.setattr(clock, "now", lambda: moment)


def audited(app: Flask, action: str) -> list[tuple[str, str | None, str | None]]:
    with app.app_context():
        lines = db.session.scalars(select(AuditLine).where(AuditLine.action == action).order_by(AuditLine.id))
        return [(line.result, line.object_id, line.user_id) for line in lines]


def notices_of(app: Flask, user_id: str) -> list[str]:
    from app.notices.models import Notice

    with app.app_context():
        return list(db.session.scalars(select(Notice.title).where(Notice.user_id == user_id)))


class Authenticator:
    """The app on somebody's phone, set up by its owner's own pages."""

    def __init__(self, app: Flask, secret: str) -> None:
        self.app, self.totp = app, pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self.totp.at(int(clock.now().timestamp()) + 30 * steps)

    def wrong(self) -> str:
        near = {self.code(n) for n in range(-3, 4)}
        return next(f"{n:06d}" for n in range(100) if f"{n:06d}" not in near)


def set_up(app: Flask, make: Factory, client: FlaskClient) -> tuple[Authenticator, list[str]]:
    """Turn the second factor on, by the pages; the authenticator and the recovery codes."""
    assert post(client, "/me/two-step/begin", password=PASSWORD).status_code == 303
    with app.app_context():
        factor = db.session.get_one(SecondFactor, client.user_id)  # type: ignore[attr-defined]
        authenticator = Authenticator(app, secretbox.unseal(factor.secret_sealed))
    answer = post(client, "/me/two-step/confirm", code=authenticator.code())
    assert answer.status_code == 200, words(answer)
    return authenticator, re.findall(r"<li>([a-z0-9-]{14})</li>", answer.get_data(as_text=True))
