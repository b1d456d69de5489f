"""Lost phones: shut out, told to empty themselves, and what is shown of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import cleanup
from app.accounts.models import AuditLine, Device, LoginSession, User
from app.extensions import db
from app.shared import clock
from tests.factories import COUNTY, OTHER_TOWN, PASSWORD

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
WIPE = '"cache","storage"'


def on_phone(app, username: str, device_id: str) -> FlaskClient:
    client = app.test_client()
    body = {"username": username, "password": PASSWORD, "device_id": device_id, "device_name": "安卓手机"}
    assert client.post("/api/auth/login", json=body).status_code == 200
    return client


def lost(app, make, username: str | None = None) -> tuple[str, FlaskClient, FlaskClient]:
    """A doctor, the lost phone (revoked), and the one that is still at hand."""
    username = username or make.user("doctor", name="周明")
    phone, other = on_phone(app, username, "lost"), on_phone(app, username, "other")
    assert other.post("/api/devices/lost/revoke").status_code == 204
    return username, phone, other


def lines(app, action: str) -> list[AuditLine]:
    with app.app_context():
        return list(db.session.scalars(select(AuditLine).where(AuditLine.action == action)))


def words(answer: Any) -> str:
    return re.sub(r"<[^>]+>", "", answer.get_data(as_text=True))


def at(monkeypatch, **later: int) -> None:
    moment = clock.now() + timedelta(**later)
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_every_door_tells_a_revoked_phone_and_has_it_emptied(app, make) -> None:
    username, phone, _ = lost(app, make)
    for method, url in (
        ("GET", "/"), ("GET", "/today"), ("GET", "/api/pack"), ("POST", "/api/sync/push"),
        ("GET", "/api/sync/pull"), ("GET", "/api/auth/me"), ("POST", "/visits"), ("GET", "/devices"),
    ):  # fmt: skip
        answer = phone.open(url, method=method, json={} if method == "POST" else None)
        assert answer.status_code == 401, url
        assert answer.headers["Clear-Site-Data"] == WIPE, url
        if url.startswith("/api/"):
            assert answer.get_json()["code"] == "device_revoked", url
    refresh = phone.get("/today", headers={"X-Sync": "1"})  # the worker asks again for a page it keeps
    assert refresh.status_code == 401 and refresh.get_json()["code"] == "device_revoked"
    again = {"username": username, "password": PASSWORD, "device_id": "lost"}
    answer = phone.post("/api/auth/login", json=again)
    assert answer.status_code == 401 and answer.get_json()["code"] == "device_revoked"
    assert answer.headers["Clear-Site-Data"] == WIPE


def test_a_page_of_a_revoked_phone_says_what_happened_and_the_way_on(app, make) -> None:
    _, phone, _ = lost(app, make)
    answer = phone.get("/today")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 401 and answer.mimetype == "text/html"
    assert "这台手机已被停用" in html and "没上传的记录也一起清除" in html
    assert 'data-page="revoked"' in html and 'href="/sign-in"' in html
    assert "data-user" not in html and "X-Page-User" not in answer.headers
    answer = phone.get("/sign-in")
    assert answer.status_code == 200 and answer.headers["Clear-Site-Data"] == WIPE
    html = answer.get_data(as_text=True)
    assert 'data-page="revoked"' in html and 'name="password"' in html and "已经清除" in html


def test_the_sign_in_page_tells_a_revoked_phone_too(app, make, client) -> None:
    username, _, _ = lost(app, make)
    form = {"username": username, "password": PASSWORD, "device_id": "lost"}
    answer = client.post("/sign-in", data=form, headers=SAME_ORIGIN)
    assert answer.status_code == 401 and answer.headers["Clear-Site-Data"] == WIPE
    html = answer.get_data(as_text=True)
    assert "这台手机已被停用" in html and 'data-page="revoked"' in html
    assert "data-page" not in client.get("/sign-in").get_data(as_text=True)


def test_a_revoked_phone_reports_that_it_is_empty(app, make) -> None:
    username, phone, other = lost(app, make)
    assert "已停用，等它联网后清除" in words(other.get("/me"))
    cookie = phone.get_cookie("session").value
    answer = phone.post("/api/devices/wiped")
    assert answer.status_code == 204 and phone.get_cookie("session") is None
    with app.app_context():
        device = db.session.scalars(select(Device).where(Device.device_id == "lost")).one()
        told_at = device.wiped_at
        assert told_at is not None
        session = db.session.scalars(select(LoginSession).where(LoginSession.device_id == "lost")).one()
        assert session.ended_at is not None
    assert re.search(r"已清除 \d+月\d+日 \d\d:\d\d", words(other.get("/me")))
    page = phone.get("/sign-in").get_data(as_text=True)  # it says why, and asks for nothing more
    assert "这台手机已被停用" in page and "已经清除" in page and 'data-page="revoked"' in page
    # The answer was lost on its way: the same again is welcome, and changes nothing.
    phone.set_cookie("session", cookie)
    assert phone.post("/api/devices/wiped").status_code == 204
    with app.app_context():
        assert db.session.scalars(select(Device.wiped_at).where(Device.device_id == "lost")).one() == told_at
    noted = lines(app, "device.wiped")
    assert [(line.object_id, line.user_id) for line in noted] == [("lost", make.user_id(username))]


def test_only_a_revoked_phone_may_report_itself_empty(app, make, client) -> None:
    doctor = make.signed_in("doctor")
    ended = on_phone(app, make.user("nurse"), "ended")
    token = ended.get_cookie("session").value
    ended.post("/api/auth/logout")
    ended.set_cookie("session", token)
    stranger = app.test_client()
    stranger.set_cookie("session", "nobody's")
    for who in (client, doctor, ended, stranger):
        answer = who.post("/api/devices/wiped")
        assert answer.status_code == 401 and answer.get_json()["code"] == "session_expired"
        assert "Clear-Site-Data" not in answer.headers
    assert doctor.get("/api/auth/me").status_code == 200
    assert lines(app, "device.wiped") == []


def test_of_a_shared_phone_only_its_own_person_is_reported_empty(app, make) -> None:
    doctor, nurse = make.user("doctor"), make.user("nurse")
    phone, hers = on_phone(app, doctor, "shared"), on_phone(app, nurse, "shared")
    manager = make.signed_in("manager")
    assert manager.post("/api/devices/shared/revoke").status_code == 204
    assert phone.post("/api/devices/wiped").status_code == 204
    assert hers.get("/api/auth/me").get_json()["code"] == "device_revoked"
    with app.app_context():
        rows = db.session.scalars(select(Device).where(Device.device_id == "shared"))
        assert {row.user_id: row.wiped_at is not None for row in rows} == {
            make.user_id(doctor): True,
            make.user_id(nurse): False,
        }


def test_a_phone_out_of_a_drawer_is_still_known_until_it_is_empty(app, make, monkeypatch) -> None:
    _, phone, _ = lost(app, make)
    at(monkeypatch, days=400)
    with app.app_context():
        assert cleanup.forget_expired() == 1  # the session of the phone at hand
        db.session.commit()
    assert phone.get("/api/auth/me").get_json()["code"] == "device_revoked"
    assert phone.post("/api/devices/wiped").status_code == 204
    at(monkeypatch, days=31)
    with app.app_context():
        assert cleanup.forget_expired() == 1
        db.session.commit()


def test_the_cookie_outlives_the_session_so_that_a_phone_lost_for_long_is_told(
    app, make, monkeypatch
) -> None:
    username = make.user("doctor")
    phone = on_phone(app, username, "lost")
    cookie = phone.get_cookie("session")
    assert cookie.max_age >= 400 * 86400
    at(monkeypatch, days=60)
    assert phone.get("/api/auth/me").get_json()["code"] == "session_expired"  # whatever the cookie says
    with app.app_context():
        cleanup.forget_expired()
        db.session.commit()
    assert on_phone(app, username, "other").post("/api/devices/lost/revoke").status_code == 204
    assert phone.get("/today").headers["Clear-Site-Data"] == WIPE
    assert phone.get("/api/auth/me").get_json()["code"] == "device_revoked"
    assert phone.post("/api/devices/wiped").status_code == 204


def test_a_form_s_sign_in_gives_the_same_long_cookie(make, client) -> None:
    form = {"username": make.user("doctor"), "password": PASSWORD, "device_id": "here"}
    client.post("/sign-in", data=form, headers=SAME_ORIGIN)
    assert client.get_cookie("session").max_age >= 400 * 86400


def test_whoever_was_shut_out_by_mistake_signs_in_again_on_the_emptied_phone(app, make) -> None:
    username, phone, _ = lost(app, make)
    phone.post("/api/devices/wiped")
    body = {"username": username, "password": PASSWORD, "device_id": "made-anew-after-the-wipe"}
    assert phone.post("/api/auth/login", json=body).status_code == 200
    assert phone.get("/api/auth/me").status_code == 200
    assert "已被停用" not in words(phone.get("/sign-in"))
    page = words(phone.get("/me"))
    assert "已清除" in page and "（这台）" in page


@pytest.mark.parametrize("number", ["a/b", "../me", "..", ".", "a?b", "a#b", "%2e%2e", "a\\b", "a\nb"])
def test_nobody_signs_in_on_a_phone_that_could_not_be_shut_out(make, client, number) -> None:
    """Its number stands in the address of 停用: one that bends the address could not be reached by it."""
    username = make.user("doctor")
    body = {"username": username, "password": PASSWORD, "device_id": number}
    answer = client.post("/api/auth/login", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == ["/device_id"]
    client.post("/sign-in", data=body, headers={"Sec-Fetch-Site": "same-origin"})
    with make.app.app_context():
        assert db.session.scalars(db.select(Device.device_id).where(Device.device_id == number)).all() == []


def test_ones_own_page_asks_before_a_phone_is_shut_out(app, make) -> None:
    username = make.user("doctor")
    phone = on_phone(app, username, "here")
    on_phone(app, username, "there")
    html = phone.get("/me").get_data(as_text=True)
    assert 'action="/devices/there/revoke"' in html and "/devices/here/revoke" not in html
    assert 'data-confirm="revoke-sheet"' in html and 'id="revoke-sheet"' in html
    assert "这台手机上的资料会在下次联网时清除，" in html and "没上传的记录也会一起清除。" in html
    answer = phone.post("/devices/there/revoke", headers=SAME_ORIGIN, data={"next": "/me"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/me")
    html = phone.get("/me").get_data(as_text=True)
    assert "已停用，等它联网后清除" in html and "/devices/there/revoke" not in html


def test_a_manager_finds_the_phones_of_their_town_by_person(app, make) -> None:
    for name, role, more in (
        ("周明", "doctor", {}), ("周小红", "village", {}), ("钱多", "doctor", {"place_code": OTHER_TOWN}),
        ("孙局", "supervisor", {"place_code": COUNTY}), ("李家属", "family", {}),
    ):  # fmt: skip
        make.signed_in(make.user(role, name=name, **more))
    make.user("nurse", name="从没登录")
    manager, admin = make.signed_in("manager"), make.signed_in("admin")
    page = words(manager.get("/devices"))
    assert "周明" in page and "周小红" in page and "村医" in page and "向阳村" in page and "最近使用" in page
    assert not any(name in page for name in ("钱多", "孙局", "李家属", "从没登录"))
    found = words(manager.get("/devices", query_string={"q": "小红"}))
    assert "周小红" in found and "周明" not in found
    nobody = manager.get("/devices", query_string={"q": "钱多"}).get_data(as_text=True)
    assert "没有找到这个名字" in nobody
    for sign in ("%", "_", "\\"):
        assert "没有找到这个名字" in words(manager.get("/devices", query_string={"q": sign}))
    everybody = words(admin.get("/devices"))
    assert all(name in everybody for name in ("周明", "周小红", "钱多", "孙局", "李家属"))
    for role in ("doctor", "nurse", "village", "family", "dispatcher", "provider", "supervisor"):
        assert make.signed_in(role).get("/devices").status_code == 403, role
    assert 'href="/devices"' in manager.get("/me").get_data(as_text=True)
    assert 'href="/devices"' not in make.signed_in("doctor").get("/me").get_data(as_text=True)


def test_a_manager_shuts_out_a_phone_and_comes_back_to_the_same_list(app, make) -> None:
    doctor = make.user("doctor", name="周明")
    phone, manager = on_phone(app, doctor, "lost"), make.signed_in("manager")
    far = make.signed_in(make.user("manager", place_code=OTHER_TOWN))
    assert "周明" not in words(far.get("/devices"))
    for url in ("/devices/lost/revoke", "/api/devices/lost/revoke"):
        assert far.post(url, headers=SAME_ORIGIN).status_code == 404
    html = manager.get("/devices?q=周").get_data(as_text=True)
    found = re.search(
        r'action="/devices/lost/revoke">\s*<input type="hidden" name="next" value="([^"]+)"', html
    )
    assert found is not None
    target = found[1].replace("&amp;", "&")
    answer = manager.post("/devices/lost/revoke", headers=SAME_ORIGIN, data={"next": target})
    assert (answer.status_code, answer.headers["Location"]) == (303, target)
    assert "已停用，等它联网后清除" in words(manager.get(target))
    assert phone.post("/api/devices/wiped").status_code == 204
    assert "已清除" in words(manager.get(target))
    away = manager.post(
        "/devices/lost/revoke", headers=SAME_ORIGIN, data={"next": "https://elsewhere.example"}
    )
    assert away.headers["Location"] == "/"


def test_a_long_list_has_pages_and_odd_numbers_show_the_nearest(app, make, monkeypatch) -> None:
    monkeypatch.setattr("app.accounts.devices.PEOPLE_A_PAGE", 2)
    for number in range(5):
        make.signed_in(make.user("doctor", name=f"医生{number}"))
    manager = make.signed_in(make.user("manager", name="管理员"))
    seen = [words(manager.get(f"/devices?page={n}")) for n in (1, 2, 3)]
    assert all(f"第 {n} 页，共 3 页" in text for n, text in enumerate(seen, 1))
    assert [sum(f"医生{n}" in text for text in seen) for n in range(5)] == [1] * 5
    for odd, shown in (("0", 1), ("-1", 1), ("x", 1), ("9", 3), ("9" * 50, 1), ("١", 1)):
        assert f"第 {shown} 页" in words(manager.get("/devices", query_string={"page": odd})), odd


def test_a_manager_whom_nobody_gave_a_town_sees_nobody(app, make) -> None:
    make.signed_in("doctor")
    manager = make.signed_in("manager")
    with app.app_context():
        db.session.get_one(User, manager.user_id).place_code = None
        db.session.commit()
    assert "还没有人登录过" in words(manager.get("/devices"))
