import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import event, func, select

from app.accounts.models import Device, LoginSession
from app.extensions import db
from app.shared import clock
from tests.factories import PASSWORD


def login(client, username, password=PASSWORD, **more):
    return client.post(
        "/api/auth/login", json={"username": username, "password": password, "device_id": "d1", **more}
    )


def test_signing_in_by_username_or_phone_opens_a_session(make, app) -> None:
    username = make.user("doctor", phone="13900000001")
    for name in (username, "13900000001"):
        client = app.test_client()
        answer = login(client, name).get_json()
        assert answer["user"]["role"] == "doctor" and answer["user"]["town"] == "370406102"
        assert answer["limits"]["max_ops"] == 100 and answer["epoch"]
        assert client.get("/api/auth/me").get_json()["user"] == answer["user"]


def test_it_tells_the_key_to_seal_to_and_what_the_phone_must_keep_to(make, app) -> None:
    app.config.update(LOCK_MINUTES=7, FAMILY_LOCK_MINUTES=45, OFFLINE_HOURS=24)
    for role, minutes in (("doctor", 7), ("provider", 7), ("family", 45)):
        username = make.user(role)
        answer = login(app.test_client(), username).get_json()
        assert answer["user"]["username"] == username
        assert answer["policy"] == {"lock_minutes": minutes, "offline_hours": 24}
        assert answer["seal"]["key_id"] == clock.today().strftime("%Y%m")
        assert len(base64.urlsafe_b64decode(answer["seal"]["public_key"] + "=")) == 65
        me = make.signed_in(username).get("/api/auth/me").get_json()
        assert (me["seal"], me["policy"]) == (answer["seal"], answer["policy"])


def test_a_wrong_password_and_an_unknown_name_answer_alike(make, client) -> None:
    username = make.user("doctor")
    wrong, unknown = login(client, username, "wrong"), login(client, "nobody-at-all", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    for answer in (wrong, unknown):
        assert answer.get_json()["code"] == "bad_credentials"
    assert wrong.get_json()["detail"] == unknown.get_json()["detail"]


def test_after_five_wrong_tries_even_the_right_password_waits(make, client, monkeypatch) -> None:
    username, other = make.user("doctor"), make.user("nurse")
    for _ in range(5):
        assert login(client, username, "wrong").status_code == 401
    answer = login(client, username)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert login(client, other).status_code == 200
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert login(client, username).status_code == 200


def test_signing_out_ends_the_session_on_the_server(make, app) -> None:
    doctor = make.signed_in("doctor")
    cookie = doctor.get_cookie("session").value
    answer = doctor.post("/api/auth/logout")
    assert answer.status_code == 204 and "Clear-Site-Data" not in answer.headers
    thief = app.test_client()
    thief.set_cookie("session", cookie)
    assert thief.get("/api/auth/me").status_code == 401


def test_a_session_ends_by_itself(make, monkeypatch) -> None:
    doctor = make.signed_in("doctor")
    later = clock.now() + timedelta(days=8)
    monkeypatch.setattr(clock, "now", lambda: later)
    answer = doctor.get("/api/auth/me")
    assert answer.status_code == 401 and answer.get_json()["code"] == "session_expired"


def test_a_lost_phone_is_shut_out_at_once_and_told_to_wipe(make, app) -> None:
    username = make.user("doctor")
    lost, other = app.test_client(), app.test_client()
    login(lost, username, device_id="lost-phone")
    login(other, username)
    assert other.post("/api/devices/lost-phone/revoke").status_code == 204
    answer = lost.get("/api/auth/me")
    assert answer.status_code == 401 and answer.get_json()["code"] == "device_revoked"
    assert answer.headers["Clear-Site-Data"] == '"cache","storage"'
    assert login(lost, username, device_id="lost-phone").get_json()["code"] == "device_revoked"
    assert other.get("/api/auth/me").status_code == 200


def test_nobody_else_revokes_my_phone(make, app) -> None:
    doctor, nurse = make.signed_in("doctor"), make.signed_in("nurse")
    assert nurse.post(f"/api/devices/device-{doctor.username}/revoke").status_code == 404
    manager = make.signed_in("manager")
    assert manager.post(f"/api/devices/device-{doctor.username}/revoke").status_code == 204


def test_a_login_with_faults_names_the_field(make, client) -> None:
    for body, field in (
        ({"password": "x", "device_id": "d"}, "/username"),
        ({"username": "a", "password": 1, "device_id": "d"}, "/password"),
        ({"username": "a", "password": "b", "device_id": ""}, "/device_id"),
        ({"username": "a\x00", "password": "b", "device_id": "d"}, "/username"),
        ({"username": "a", "password": "b", "device_id": "d", "x": 1}, "/x"),
    ):
        answer = client.post("/api/auth/login", json=body)
        assert answer.status_code == 422
        assert field in [e["pointer"] for e in answer.get_json()["errors"]]


def test_signing_in_several_times_at_once_on_a_new_phone_opens_as_many_sessions(make, app) -> None:
    """All of them have looked whether the phone is known before the first writes it down."""
    username, times = make.user("doctor"), 4
    together = threading.Barrier(times)
    with app.app_context():
        engine = db.engine

    def wait_for_each_other(_conn, _cursor, statement, *_) -> None:
        # On SQLite the first has the write lock by now, and the others wait for that.
        if statement.startswith("INSERT INTO devices") and engine.dialect.name != "sqlite":
            together.wait(30)

    event.listen(engine, "before_cursor_execute", wait_for_each_other)
    try:
        with ThreadPoolExecutor(times) as phones:
            answers = list(phones.map(lambda _: login(app.test_client(), username), range(times)))
    finally:
        event.remove(engine, "before_cursor_execute", wait_for_each_other)
    assert [answer.status_code for answer in answers] == [200] * times
    with app.app_context():
        user_id = answers[0].get_json()["user"]["id"]
        for model, count in ((Device, 1), (LoginSession, times)):
            found = select(func.count()).select_from(model).where(model.user_id == user_id)
            assert db.session.scalar(found) == count
