"""Families sign in by a code sent to their phone: over the provider's own interface, on a local server."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import SignInStep, Throttle, User
from app.extensions import db
from app.notices import service as notices
from app.notices.models import SmsMessage
from tests.app.accounts.door import audited, pass_by, post, words
from tests.app.notices.test_notices import Provider

PHONE = "13812345678"


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    app.config["SMS_SIGN_IN"] = True
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def daughter(make) -> str:
    return make.user_id(make.user("family", phone=PHONE))


def sent(app: Flask, provider: Provider) -> list[str]:
    """Let the job run; the codes that have reached telephones so far."""
    with app.app_context():
        notices.send_due(sender=provider.sender())
    return [re.search(r"验证码 (\d{6})", got["Body"][0])[1] for got in provider.got]  # type: ignore[index]


def ask(client, phone: str = PHONE, **more: str):
    return post(client, "/sign-in/sms", phone=phone, device_id="her-phone", **more)


def give(client, code: str, **more: str):
    return post(client, "/sign-in/sms/code", code=code, **more)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_daughter_signs_in_by_the_code_on_her_telephone(app, make, client, daughter, provider) -> None:
    assert 'href="/sign-in/sms"' in client.get("/sign-in").get_data(as_text=True)
    answer = ask(client, " 138 1234-5678 ", next="/orders")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/sms/code?next=/orders")
    assert client.get(answer.headers["Location"]).status_code == 200
    (code,) = sent(app, provider)
    assert provider.got[0]["To"] == ["+86" + PHONE]
    assert provider.got[0]["Body"] == [f"【暖巡】登录验证码 {code}，5 分钟内有效。不要告诉别人。"]
    answer = give(client, code, next="/orders")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders")
    assert client.get("/api/auth/me").get_json()["user"]["id"] == daughter
    assert give(client, code).status_code == 401  # used up
    assert audited(app, "session.begin")[-1] == ("ok", "her-phone", daughter)


def test_the_code_lies_nowhere_readable(app, client, daughter, provider, caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(client)
        with app.app_context():
            assert db.session.scalars(select(SmsMessage.text)).one().startswith("v1:")
        (code,) = sent(app, provider)
        with app.app_context():
            assert db.session.scalars(select(SmsMessage.text)).one() == ""
            step = db.session.scalars(select(SignInStep)).one()
            assert code not in (step.code_hash or "") and step.name_key != PHONE
        give(client, wrong(code))
        give(client, code)
    assert code not in caplog.text and PHONE not in caplog.text


def test_the_code_belongs_to_the_browser_that_asked(app, client, daughter, provider) -> None:
    ask(client)
    (code,) = sent(app, provider)
    thief = app.test_client()
    assert give(thief, code).status_code == 401
    assert give(client, code).status_code == 303


def test_the_code_lasts_five_minutes_and_is_not_sent_later(
    app, client, daughter, provider, monkeypatch
) -> None:
    ask(client)
    (code,) = sent(app, provider)
    pass_by(monkeypatch, seconds=301)
    answer = give(client, code)
    assert answer.status_code == 401 and "从头再来" in words(answer)
    ask(client)
    pass_by(monkeypatch, seconds=301)
    assert len(sent(app, provider)) == 1
    with app.app_context():
        states = {(m.state, m.text, m.last_error) for m in db.session.scalars(select(SmsMessage))}
        assert states == {("sent", "", None), ("failed", "", "too late")}


def test_five_tries_a_code(app, client, daughter, provider) -> None:
    app.config["SIGN_IN_TRIES"] = 10
    ask(client)
    (code,) = sent(app, provider)
    for _ in range(5):
        assert "验证码不对" in words(give(client, wrong(code)))
    assert "从头再来" in words(give(client, code))


def test_wrong_codes_wait_like_wrong_passwords(app, client, daughter, provider) -> None:
    app.config["SIGN_IN_TRIES"] = 3
    ask(client)
    (code,) = sent(app, provider)
    for _ in range(3):
        give(client, wrong(code))
    assert give(client, code).status_code == 429


def test_one_code_a_minute_and_five_a_day(app, client, daughter, provider, monkeypatch) -> None:
    for number in range(5):
        assert ask(client).status_code == 303, number
        answer = ask(app.test_client())
        assert answer.status_code == 429 and int(answer.headers["Retry-After"]) <= 61
        pass_by(monkeypatch, seconds=61)
    answer = ask(client)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 3600
    assert len(sent(app, provider)) <= 5
    pass_by(monkeypatch, days=1)
    assert ask(client).status_code == 303


def test_an_unknown_number_is_answered_alike_and_costs_nothing(
    app, make, daughter, provider, monkeypatch
) -> None:
    make.user("doctor", phone="13812345670")
    gone = make.user("family", phone="13812345671")
    with app.app_context():
        make.get_user(gone).active = False
        db.session.commit()
    told = {}
    for phone in (PHONE, "13812345670", "13812345671", "13812345672"):
        client = app.test_client()
        first, again = ask(client, phone), ask(client, phone)
        page = client.get("/sign-in/sms/code")
        answers = [give(client, "000000") for _ in range(6)]
        told[phone] = [
            (first.status_code, first.headers["Location"]),
            (again.status_code, again.headers["Retry-After"], words(again).replace(phone, "")),
            words(page),
            *[(a.status_code, words(a)) for a in answers],
        ]
        assert client.get_cookie("session") is None
    assert all(said == told[PHONE] for said in told.values())
    assert len(sent(app, provider)) == 1


def test_the_house_has_a_daily_limit_and_raises_an_alarm(app, make, provider, caplog) -> None:
    app.config["SMS_CODES_A_DAY"] = 2
    for number in range(4):
        make.user("family", phone=f"1381234560{number}")
    with caplog.at_level(logging.ERROR, logger="nuanxun.sms"):
        answers = [ask(app.test_client(), f"1381234560{number}").status_code for number in range(4)]
    assert answers == [303] * 4  # nothing is told to whoever tries
    assert len(sent(app, provider)) == 2
    assert caplog.text.count("ALARM") == 1 and "13812345" not in caplog.text


def test_one_address_may_not_ask_for_everybody(app, make, provider, monkeypatch) -> None:
    monkeypatch.setattr("app.accounts.sms.ADDRESS_AN_HOUR", 3)
    answers = [ask(app.test_client(), f"1391234560{number}").status_code for number in range(5)]
    assert answers == [303] * 3 + [429] * 2


@pytest.mark.parametrize(
    "phone", ["", "123", "1381234567x", "２３812345678", "138123456789", "<b>", "\uffff"]
)
def test_a_number_that_is_none_is_said_so(client, provider, phone) -> None:
    answer = ask(client, phone)
    assert answer.status_code == 422 and "请填写 11 位手机号" in words(answer)


def test_where_no_message_leaves_the_house_it_is_not_offered(client) -> None:
    assert "/sign-in/sms" not in client.get("/sign-in").get_data(as_text=True)
    assert client.get("/sign-in/sms").status_code == 404
    assert ask(client).status_code == 404
    assert client.get("/sign-in/sms/code").status_code == 404
    assert give(client, "1").status_code == 404


def test_a_revoked_phone_is_told_to_empty_itself(app, make, client, daughter, provider) -> None:
    ask(client)
    give(client, sent(app, provider)[0])
    other = make.signed_in(next(name for name, found in make._users.items() if found == daughter))
    assert other.post("/api/devices/her-phone/revoke").status_code == 204
    again = app.test_client()
    with app.app_context():
        db.session.execute(Throttle.__table__.delete())
        db.session.commit()
    ask(again)
    answer = give(again, sent(app, provider)[1])
    assert answer.status_code == 401 and answer.headers["Clear-Site-Data"] == '"cache","storage"'


def test_an_old_password_does_not_keep_out_whoever_came_by_text(
    app, make, client, daughter, provider
) -> None:
    app.config["PASSWORD_MAX_AGE_DAYS"] = 1
    with app.app_context():
        db.session.get_one(User, daughter).once_until = db.session.get_one(User, daughter).created_at
        db.session.commit()
    ask(client)
    give(client, sent(app, provider)[0])
    assert client.get("/family").status_code == 200
