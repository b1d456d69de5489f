"""Changing one's own password; getting one from whoever answers; the account shut."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.accounts.models import User
from app.extensions import db
from app.shared import clock
from tests.app.accounts.door import audited, login, notices_of, pass_by, post, words
from tests.factories import OTHER_TOWN, PASSWORD

NEW = "tau seven lamp"


def change(client, current=PASSWORD, new=NEW, again=None):
    return post(client, "/me/password", current=current, new=new, again=new if again is None else again)


def test_a_new_password_ends_every_other_session(app, make) -> None:
    doctor = make.signed_in("doctor")
    other = app.test_client()
    login(other, doctor.username, device_id="other")
    answer = change(doctor)
    assert answer.status_code == 200 and "密码改好了" in answer.get_data(as_text=True)
    assert doctor.get("/api/auth/me").status_code == 200
    assert other.get("/api/auth/me").status_code == 401
    assert login(app.test_client(), doctor.username).status_code == 401
    assert login(app.test_client(), doctor.username, NEW).status_code == 200
    assert audited(app, "password.change") == [("ok", doctor.user_id, doctor.user_id)]
    assert notices_of(app, doctor.user_id) == ["登录密码已修改"]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"current": "wrong"}, "current", "现在的密码不对"),
        ({"new": "short"}, "new", "至少 8 个字"),
        ({"new": "password123"}, "new", "太多人用"),
        ({"new": "x" * 257}, "new", "最多 256 个字"),
        ({"new": "演示doctor好的"}, "new", "账号、手机号或姓名"),
        ({"new": PASSWORD}, "new", "和现在的一样"),
        ({"again": "something else"}, "again", "不一样"),
        ({"current": "", "new": "", "again": ""}, "current", "现在的密码不对"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(app, make, given, field, said) -> None:
    doctor = make.signed_in("doctor")
    answer = change(doctor, **given)
    html = answer.get_data(as_text=True)
    assert answer.status_code == 422 and said in html
    fault = html[html.index(f'id="{field}-fault"') :]
    assert said in fault[:200] and f'aria-describedby="{field}-fault' in html
    assert NEW not in html and PASSWORD not in html
    assert login(app.test_client(), doctor.username).status_code == 200


def test_a_phone_left_open_on_a_table_is_no_way_to_the_password(make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    for _ in range(5):
        assert change(doctor, current="guess").status_code == 422
    answer = change(doctor)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert "操作太频繁" in answer.get_data(as_text=True)
    pass_by(monkeypatch, seconds=61)
    assert change(doctor).status_code == 200


def given_by(manager, make, username) -> str:
    answer = post(manager, f"/people/{make.user_id(username)}/password")
    assert answer.status_code == 200
    found = re.search(r'id="given-password">([a-z0-9-]{14})<', answer.get_data(as_text=True))
    assert found is not None
    return found[1]


def test_a_given_password_opens_the_page_for_a_new_one_and_nothing_else(app, make) -> None:
    doctor, manager = make.signed_in("doctor"), make.signed_in("manager")
    once = given_by(manager, make, doctor.username)
    assert doctor.get("/api/auth/me").status_code == 401  # all sessions have ended
    assert login(app.test_client(), doctor.username).status_code == 401
    phone = app.test_client()
    answer = login(phone, doctor.username, once)
    assert answer.status_code == 200 and answer.get_json()["must"] == "/me/password"
    for url in ("/", "/today", "/me", "/me/two-step", "/people", "/patients/new"):
        answer = phone.get(url)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/me/password"), url
    for url in ("/api/pack", "/api/sync/pull"):
        answer = phone.get(url)
        assert answer.status_code == 403 and answer.get_json()["code"] == "password_change_required"
    assert phone.post("/api/sync/push", json={"sent_at": "", "ops": []}).status_code == 403
    assert phone.get("/today", headers={"X-Sync": "1"}).status_code == 403
    assert post(phone, "/visits", form="adl").headers["Location"] == "/me/password"
    page = phone.get("/me/password").get_data(as_text=True)
    assert "管理员给的密码只用这一次" in page and "data-user" not in page and 'class="tab"' not in page
    assert change(phone, current=once, new=once).status_code == 422
    assert change(phone, current=once).status_code == 200
    assert phone.get("/today").status_code == 200
    assert phone.get("/api/auth/me").get_json()["must"] is None
    assert audited(app, "password.reset") == [("ok", doctor.user_id, manager.user_id)]
    assert notices_of(app, doctor.user_id) == ["登录密码已重设", "登录密码已修改"]


def test_a_given_password_lapses_after_three_days_and_says_nothing_of_it(app, make, monkeypatch) -> None:
    doctor = make.user("doctor")
    once = given_by(make.signed_in("manager"), make, doctor)
    pass_by(monkeypatch, hours=73)
    lapsed, wrong = login(app.test_client(), doctor, once), login(app.test_client(), doctor, "wrong")
    assert lapsed.status_code == 401 and lapsed.get_json()["detail"] == wrong.get_json()["detail"]


def test_whoever_had_to_wait_is_let_in_with_the_given_password(app, make, client) -> None:
    doctor = make.user("doctor", phone="13900000001")
    for name in (doctor, "13900000001"):
        for _ in range(5):
            login(client, name, "wrong")
    once = given_by(make.signed_in("manager"), make, doctor)
    assert login(client, "13900000001", once).status_code == 200


def test_a_manager_answers_for_their_town_and_an_admin_for_everybody(app, make) -> None:
    near, far = make.user("doctor", name="周明"), make.user("doctor", name="钱多", place_code=OTHER_TOWN)
    family = make.user("family", name="李家属")
    manager, admin = make.signed_in(make.user("manager", name="王管理")), make.signed_in("admin")
    listed = words(manager.get("/people"))
    assert "周明" in listed and "钱多" not in listed and "李家属" not in listed
    assert all(name in words(admin.get("/people")) for name in ("周明", "钱多", "李家属", "王管理"))
    assert "周明" in words(manager.get("/people", query_string={"q": near}))
    for sign in ("%", "_", "\\"):
        assert "没有找到这个人" in words(manager.get("/people", query_string={"q": sign}))
    for username, who in ((far, manager), (family, manager), (admin.username, manager)):
        for url in ("", "/password", "/active", "/second-factor"):
            address = f"/people/{make.user_id(username)}{url}"
            answer = post(who, address) if url else who.get(address)
            assert answer.status_code == 404, (username, url)
    for username in (far, family):
        assert given_by(admin, make, username)
    for role in ("doctor", "nurse", "village", "family", "dispatcher", "provider", "supervisor"):
        someone = make.signed_in(role)
        assert someone.get("/people").status_code == 403
        assert post(someone, f"/people/{make.user_id(near)}/password").status_code == 403
    nobody = post(admin, "/people/nobody/password")
    assert nobody.status_code == 404


def test_ones_own_account_is_not_changed_from_the_list(make) -> None:
    manager = make.signed_in("manager")
    page = manager.get(f"/people/{manager.user_id}").get_data(as_text=True)
    assert "这是您自己的账号" in page and 'reset-sheet"' not in page.split("<dialog")[0]
    for what in ("password", "active", "second-factor"):
        assert post(manager, f"/people/{manager.user_id}/{what}").status_code == 422
    assert manager.get("/api/auth/me").status_code == 200


def test_disabling_ends_all_sessions_at_once_and_enabling_brings_none_back(app, make) -> None:
    doctor, manager = make.signed_in("doctor"), make.signed_in("manager")
    address = f"/people/{doctor.user_id}/active"
    assert post(manager, address, on="0").status_code == 303
    assert doctor.get("/api/auth/me").status_code == 401
    refused, wrong = login(app.test_client(), doctor.username), login(app.test_client(), "nobody-at-all")
    assert refused.status_code == 401 and refused.get_json()["detail"] == wrong.get_json()["detail"]
    assert "已停用" in words(manager.get("/people"))
    assert post(manager, address, on="1").status_code == 303
    assert doctor.get("/api/auth/me").status_code == 401
    assert login(app.test_client(), doctor.username).status_code == 200
    assert audited(app, "user.disable") == [("ok", doctor.user_id, manager.user_id)]


def test_passwords_do_not_age_unless_the_house_says_so(app, make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    pass_by(monkeypatch, days=91)
    phone = app.test_client()
    assert login(phone, doctor.username).get_json()["must"] is None
    app.config["PASSWORD_MAX_AGE_DAYS"] = 90
    assert phone.get("/today").headers["Location"] == "/me/password"
    assert "用得太久" in phone.get("/me/password").get_data(as_text=True)
    assert change(phone).status_code == 200
    assert phone.get("/today").status_code == 200
    pass_by(monkeypatch, days=91)
    login(phone, doctor.username, NEW)
    assert phone.get("/today").headers["Location"] == "/me/password"


def test_a_password_lies_in_the_database_only_as_argon2(app, make) -> None:
    doctor = make.signed_in("doctor")
    change(doctor)
    with app.app_context():
        user = db.session.get_one(User, doctor.user_id)
        assert user.password_hash.startswith("$argon2id$")
        assert user.password_changed_at is not None
        assert clock.now() - user.password_changed_at < timedelta(minutes=5)


@pytest.fixture
def tool(app):
    return app.test_cli_runner()


def test_from_the_command_line_too(app, tool, make) -> None:
    doctor = make.signed_in("doctor")
    done = tool.invoke(args=["users", "password", doctor.username])
    once = done.output.strip()
    assert done.exit_code == 0 and re.fullmatch(r"[a-z0-9-]{14}", once)
    assert doctor.get("/api/auth/me").status_code == 401
    assert login(app.test_client(), doctor.username, once).get_json()["must"] == "/me/password"
    for bad, said in (
        ("short", "at least 8"),
        ("password1", "most used"),
        (f"{doctor.username}-2026", "username"),
    ):
        done = tool.invoke(args=["users", "password", doctor.username, "--password-stdin"], input=f"{bad}\n")
        assert done.exit_code == 1 and said in done.output, bad
    done = tool.invoke(args=["users", "password", doctor.username, "--password-stdin"], input=f"{NEW}\n")
    assert done.exit_code == 0 and NEW not in done.output
    phone = app.test_client()
    assert login(phone, doctor.username, NEW).get_json()["must"] is None
    assert tool.invoke(args=["users", "disable", doctor.username]).exit_code == 0
    assert phone.get("/api/auth/me").status_code == 401
    assert tool.invoke(args=["users", "enable", doctor.username]).exit_code == 0
    assert login(phone, doctor.username, NEW).status_code == 200
    for command in ("password", "disable", "enable", "second-factor-off"):
        done = tool.invoke(args=["users", command, "nobody"])
        assert done.exit_code == 1 and "no such user" in done.output and done.output.count("\n") == 1
