"""Codes of an authenticator: set up, asked for, used once, lost, wanted by the house."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.accounts.models import RecoveryCode, SecondFactor
from app.extensions import db
from app.shared import secretbox
from tests.app.accounts.door import audited, login, notices_of, pass_by, post, set_up, words
from tests.factories import PASSWORD


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch) -> None:
    pass_by(monkeypatch, seconds=0)  # codes change every 30 s, and a test should not see it happen


def test_it_counts_only_after_the_app_showed_a_right_code(app, make) -> None:
    doctor = make.signed_in("doctor")
    assert post(doctor, "/me/two-step/begin", password="wrong").status_code == 422
    assert post(doctor, "/me/two-step/begin", password=PASSWORD).status_code == 303
    html = doctor.get("/me/two-step").get_data(as_text=True)
    svg = re.search(r"<svg[^>]*class=\"qr\".*?</svg>", html, re.DOTALL)
    assert svg is not None and "style" not in svg[0] and "<script" not in svg[0]
    assert 'href="otpauth://totp/' in html
    assert login(app.test_client(), doctor.username).status_code == 200  # not asked for yet
    answer = post(doctor, "/me/two-step/confirm", code="000000")
    assert answer.status_code == 422 and 'id="code-fault"' in answer.get_data(as_text=True)
    authenticator, codes = set_up(app, make, doctor)
    assert len(set(codes)) == 10
    assert login(app.test_client(), doctor.username).get_json()["code"] == "otp_required"
    assert audited(app, "second_factor.begin") == [("ok", doctor.user_id, doctor.user_id)]
    assert "两步验证已打开" in notices_of(app, doctor.user_id)
    html = doctor.get("/me/two-step").get_data(as_text=True)
    assert "还有 10 个" in html and authenticator.totp.secret not in html and "otpauth" not in html


def test_neither_the_secret_nor_the_codes_lie_readable_in_the_database(app, make) -> None:
    doctor = make.signed_in("doctor")
    authenticator, codes = set_up(app, make, doctor)
    with app.app_context():
        kept = db.session.get_one(SecondFactor, doctor.user_id).secret_sealed
        assert authenticator.totp.secret not in kept
        assert secretbox.unseal(kept) == authenticator.totp.secret
        for row in db.session.scalars(select(RecoveryCode)):
            assert row.code_hash.startswith("$argon2id$")
            assert not any(code[5:] in row.code_hash for code in codes)


def test_the_interface_asks_for_the_code_once_the_password_is_right(app, make) -> None:
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    client = app.test_client()
    wrong = login(client, doctor.username, "wrong")
    missing = login(client, doctor.username)
    bad = login(client, doctor.username, otp=authenticator.wrong())
    wrong_too = login(client, doctor.username, "wrong", otp=authenticator.code(1))
    assert (missing.status_code, missing.get_json()["code"]) == (401, "otp_required")
    assert "Set-Cookie" not in missing.headers
    for answer in (wrong, bad, wrong_too):
        assert (answer.status_code, answer.get_json()["code"]) == (401, "bad_credentials")
    assert bad.get_json()["detail"] == wrong.get_json()["detail"]
    assert login(client, doctor.username, otp=authenticator.code(1)).status_code == 200
    assert client.get("/api/auth/me").status_code == 200


def test_a_code_works_once_and_one_step_around_now(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    client = app.test_client()
    used = authenticator.code()
    assert login(client, doctor.username, otp=used).status_code == 401  # it was used to set up
    pass_by(monkeypatch, minutes=5)
    assert login(client, doctor.username, otp=authenticator.code(-2)).status_code == 401
    assert login(client, doctor.username, otp=authenticator.code(2)).status_code == 401
    assert login(client, doctor.username, otp=authenticator.code(-1)).status_code == 200
    assert login(client, doctor.username, otp=authenticator.code(-1)).status_code == 401
    assert login(client, doctor.username, otp=authenticator.code(1)).status_code == 200
    for step in (-1, 0, 1):  # older than the newest used
        assert login(client, doctor.username, otp=authenticator.code(step)).status_code == 401


def test_wrong_codes_wait_like_wrong_passwords(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    client = app.test_client()
    for _ in range(5):
        assert (
            login(client, doctor.username, otp=authenticator.wrong(), address="10.0.0.1").status_code == 401
        )
        assert login(client, doctor.username, address="10.0.0.2").get_json()["code"] == "otp_required"
    pass_by(monkeypatch, seconds=30)
    assert login(client, doctor.username, otp=authenticator.code(), address="10.0.0.1").status_code == 429


def test_the_page_asks_in_a_second_step(app, make) -> None:
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    client = app.test_client()
    form = {"username": doctor.username, "password": PASSWORD, "device_id": "desk", "next": "/patients"}
    answer = post(client, "/sign-in", **form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/code?next=/patients")
    assert client.get_cookie("session") is None
    html = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert 'autocomplete="one-time-code"' in html and PASSWORD not in html
    assert client.get("/today").status_code == 302
    wrong = post(client, "/sign-in/code", code=authenticator.wrong(), next="/patients")
    assert wrong.status_code == 401 and "验证码不对" in wrong.get_data(as_text=True)
    code = authenticator.code(1)
    right = post(client, "/sign-in/code", code=f" {code[:3]} {code[3:]} ", next="/patients")
    assert (right.status_code, right.headers["Location"]) == (303, "/patients")
    assert client.get("/api/auth/me").status_code == 200
    assert client.get_cookie("step") is None
    assert client.get("/sign-in/code").headers["Location"] == "/sign-in"


def test_the_second_step_belongs_to_its_browser_and_to_five_minutes(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    first, other = app.test_client(), app.test_client()
    post(first, "/sign-in", username=doctor.username, password=PASSWORD)
    assert other.get("/sign-in/code").status_code == 302
    answer = post(other, "/sign-in/code", code=authenticator.code(1))
    assert answer.status_code == 401 and "从头再来" in answer.get_data(as_text=True)
    pass_by(monkeypatch, minutes=6)
    answer = post(first, "/sign-in/code", code=authenticator.code())
    assert answer.status_code == 401 and 'href="/sign-in"' in answer.get_data(as_text=True)


def test_a_second_step_takes_five_tries_in_all(app, make, monkeypatch) -> None:
    app.config["SIGN_IN_TRIES"] = 10
    doctor = make.signed_in("doctor")
    authenticator, _ = set_up(app, make, doctor)
    client = app.test_client()
    post(client, "/sign-in", username=doctor.username, password=PASSWORD)
    for _ in range(5):
        assert "验证码不对" in words(post(client, "/sign-in/code", code=authenticator.wrong()))
    answer = post(client, "/sign-in/code", code=authenticator.code(1))
    assert answer.status_code == 401 and "从头再来" in words(answer)


def test_a_recovery_code_opens_once(app, make) -> None:
    doctor = make.signed_in("doctor")
    _, codes = set_up(app, make, doctor)
    client = app.test_client()
    assert login(client, doctor.username, otp=codes[0].upper()).status_code == 200
    assert login(client, doctor.username, otp=codes[0]).status_code == 401
    assert login(client, doctor.username, otp=codes[1][:-1] + "?").status_code == 401
    page = app.test_client()
    post(page, "/sign-in", username=doctor.username, password=PASSWORD)
    assert post(page, "/sign-in/code", code=codes[1].replace("-", " ")).status_code == 303
    assert "还有 8 个" in page.get("/me/two-step").get_data(as_text=True)


def test_new_recovery_codes_end_the_former_ones(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, old = set_up(app, make, doctor)
    assert post(doctor, "/me/two-step/codes", code=authenticator.wrong()).status_code == 422
    pass_by(monkeypatch, seconds=31)
    answer = post(doctor, "/me/two-step/codes", code=authenticator.code())
    new = re.findall(r"<li>([a-z0-9-]{14})</li>", answer.get_data(as_text=True))
    assert len(new) == 10 and not set(new) & set(old)
    assert login(app.test_client(), doctor.username, otp=old[0]).status_code == 401
    assert login(app.test_client(), doctor.username, otp=new[0]).status_code == 200


def test_turning_it_off_asks_for_the_password_and_a_code(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, codes = set_up(app, make, doctor)
    pass_by(monkeypatch, seconds=31)
    for form in (
        {"password": "wrong", "code": authenticator.code()},
        {"password": PASSWORD, "code": authenticator.wrong()},
        {"password": PASSWORD, "code": ""},
        {},
    ):
        assert post(doctor, "/me/two-step/off", **form).status_code == 422, form
    assert login(app.test_client(), doctor.username).get_json()["code"] == "otp_required"
    assert post(doctor, "/me/two-step/off", password=PASSWORD, code=authenticator.code()).status_code == 303
    assert login(app.test_client(), doctor.username).status_code == 200
    assert login(app.test_client(), doctor.username, otp=codes[0]).status_code == 200  # nobody asks
    assert "两步验证已关闭" in notices_of(app, doctor.user_id)


def test_begun_again_a_second_factor_has_another_secret(app, make) -> None:
    doctor = make.signed_in("doctor")
    secrets = set()
    for _ in range(2):
        post(doctor, "/me/two-step/begin", password=PASSWORD)
        with app.app_context():
            secrets.add(secretbox.unseal(db.session.get_one(SecondFactor, doctor.user_id).secret_sealed))
    assert len(secrets) == 2
    set_up(app, make, doctor)
    assert post(doctor, "/me/two-step/begin", password=PASSWORD).status_code == 422  # first turn it off
    assert login(app.test_client(), doctor.username).get_json()["code"] == "otp_required"


def test_a_role_that_must_have_it_sets_it_up_before_anything_else(app, make) -> None:
    app.config["TOTP_ROLES"] = ("manager", "admin")
    manager, doctor = make.signed_in("manager"), make.signed_in("doctor")
    assert doctor.get("/today").status_code == 200
    for url in ("/", "/patients", "/me", "/people", "/me/password"):
        answer = manager.get(url)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/me/two-step"), url
    answer = manager.get("/api/sync/pull")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "second_factor_required")
    assert manager.get("/api/auth/me").get_json()["must"] == "/me/two-step"
    html = manager.get("/me/two-step").get_data(as_text=True)
    assert "请先设置两步验证" in html and 'action="/sign-out"' in html and "data-user" not in html
    set_up(app, make, manager)
    assert manager.get("/patients").status_code == 200
    assert manager.get("/api/auth/me").get_json()["must"] is None


def test_whoever_lost_everything_is_helped_by_those_who_answer_for_them(app, make) -> None:
    doctor, manager = make.signed_in("doctor"), make.signed_in("manager")
    set_up(app, make, doctor)
    page = manager.get(f"/people/{doctor.user_id}").get_data(as_text=True)
    assert "取消两步验证" in page
    assert post(manager, f"/people/{doctor.user_id}/second-factor").status_code == 303
    assert doctor.get("/api/auth/me").status_code == 401
    assert login(app.test_client(), doctor.username).status_code == 200
    assert audited(app, "second_factor.end") == [("ok", doctor.user_id, manager.user_id)]


def test_or_from_the_command_line(app, make) -> None:
    doctor = make.signed_in("doctor")
    set_up(app, make, doctor)
    done = app.test_cli_runner().invoke(args=["users", "second-factor-off", doctor.username])
    assert done.exit_code == 0, done.output
    assert login(app.test_client(), doctor.username).status_code == 200


def test_families_are_not_offered_it(make) -> None:
    family = make.signed_in("family")
    assert "/me/two-step" not in family.get("/me").get_data(as_text=True)
    assert family.get("/me/two-step").status_code == 403
    assert post(family, "/me/two-step/begin", password=PASSWORD).status_code == 403


def test_under_another_secret_key_no_code_is_right_and_nothing_breaks(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    authenticator, codes = set_up(app, make, doctor)
    app.config["SECRET_KEY"] = "another secret of at least 32 characters"
    assert login(app.test_client(), doctor.username, otp=authenticator.code(1)).status_code == 401
    assert login(app.test_client(), doctor.username, otp=codes[0]).status_code == 200


@pytest.mark.parametrize(
    "code", ["", " ", "１２３４５６", "12345", "abcdef", "0" * 500, "\u0660" * 6, "'; --"]
)
def test_odd_codes_are_simply_wrong(app, make, code) -> None:
    doctor = make.signed_in("doctor")
    set_up(app, make, doctor)
    client = app.test_client()
    post(client, "/sign-in", username=doctor.username, password=PASSWORD)
    assert post(client, "/sign-in/code", code=code).status_code == 401
    assert post(doctor, "/me/two-step/codes", code=code).status_code == 422
