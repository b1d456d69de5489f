"""What comes from a streaming replica, and what never does. On a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from app import create_app, metrics
from app.accounts.models import AuditLine, Throttle
from app.config import REPLICA
from app.extensions import db, reading_from, writing
from app.plans import pages
from app.shared import clock
from tests.app.backup.conftest import a_postgres_database, migrate
from tests.app.orders.town import in_days
from tests.conftest import SECRET, _empty
from tests.factories import Factory
from tests.standby import Standby, following


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[tuple[Standby, str]]:
    """A replica, and a database of our own on its primary."""
    with a_postgres_database(postgres_url) as url:
        migrate(url)
        with following(postgres_url) as standby:
            standby.catch_up()
            yield standby, url


@pytest.fixture
def standby(server: tuple[Standby, str]) -> Standby:
    return server[0]


@pytest.fixture
def app(server: tuple[Standby, str]) -> Iterator[Flask]:
    standby, url = server
    for made in _serving(url, standby.address(url)):
        yield made
        standby.go_on()
        with made.app_context():
            db.session.remove()
            _empty()


def _serving(url: str, replica_url: str) -> Iterator[Flask]:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url, "DATABASE_REPLICA_URL": replica_url})
    # The machine may be busy: only the test of being late is about seconds.
    app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "REPLICA_LAG_S": 3600}
    yield app
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def people(app: Flask) -> Factory:
    return Factory(app)


def reads(by: str) -> float:
    return metrics.instruments().registry.get_sample_value("nuanxun_replica_reads_total", {"by": by}) or 0


def names_in(client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_manager_reads_the_list_from_the_replica(people, standby) -> None:
    manager = people.signed_in("manager")
    people.patient(name="早到的人")
    standby.catch_up()
    standby.hold()
    people.patient(name="晚到的人")
    before = reads("replica")
    shown = names_in(manager, "/patients")
    assert "早到的人" in shown and "晚到的人" not in shown
    assert reads("replica") == before + 1
    standby.go_on()
    standby.catch_up()
    assert "晚到的人" in names_in(manager, "/patients")


def test_what_is_kept_on_phones_never_comes_from_the_replica(people, standby) -> None:
    doctor = people.signed_in("doctor")
    standby.catch_up()
    standby.hold()
    people.patient(name="刚建档的人")
    before = reads("replica")
    assert "刚建档的人" in names_in(doctor, "/patients")
    assert "刚建档的人" in doctor.get("/api/pack?cursor=").get_data(as_text=True)
    assert reads("replica") == before


def test_who_wrote_something_finds_it_on_the_next_page(people, standby) -> None:
    desk, other = people.signed_in("dispatcher"), people.signed_in("dispatcher")
    patient = people.patient(name="要洗澡的人")
    standby.catch_up()
    standby.hold()
    wish = {"patient_id": patient, "service": "Y02", "phone": "13812345678", "wanted_at": in_days(2)}
    result = people.push(desk, people.op(desk, "order.create", wish))[0]
    assert result["status"] == "applied", result
    behind, by_replica = reads("behind"), reads("replica")
    assert result["entity_id"] in names_in(desk, "/desk")
    assert reads("behind") == behind + 1
    assert result["entity_id"] not in names_in(other, "/desk")
    assert reads("replica") == by_replica + 1


def test_nobody_is_shown_an_older_page_than_before(people, standby) -> None:
    manager = people.signed_in("manager")
    patient = people.patient(name="被看过的人")
    standby.catch_up()
    standby.hold()
    people.patient(name="后来的人")
    doctor = people.signed_in("doctor")
    changed = people.op(
        doctor, "patient.update", {"patient_id": patient, "address": "村东头"}, base_revision=1
    )
    assert people.push(doctor, changed)[0]["status"] == "applied"
    assert manager.get(f"/patients/{patient}").headers["X-Page-Rev"]  # from the primary, and newer
    assert "后来的人" in names_in(manager, "/patients")


def test_a_replica_that_is_late_is_not_asked(app, people, standby) -> None:
    manager = people.signed_in("manager")
    people.patient()
    standby.catch_up()
    app.config["REPLICA_LAG_S"] = -3600
    before = reads("late")
    names_in(manager, "/patients")
    assert reads("late") == before + 1


def test_a_database_that_follows_nobody_is_not_asked(server, people) -> None:
    name, before = people.user("manager"), reads("stranger")
    for app in _serving(server[1], server[1]):
        elsewhere = Factory(app)
        elsewhere._users = people._users
        names_in(elsewhere.signed_in(name), "/patients")
    assert reads("stranger") == before + 1


def test_without_the_replica_pages_come_from_the_primary(app, people, standby) -> None:
    manager = people.signed_in("manager")
    people.patient(name="看得见的人")
    standby.catch_up()
    assert "看得见的人" in names_in(manager, "/patients")
    standby.stop()
    before = reads("away")
    try:
        for _ in range(3):
            assert "看得见的人" in names_in(manager, "/patients")
        assert app.extensions[REPLICA]["away_until"] > 0
    finally:
        standby.start()
    assert reads("away") == before + 3
    app.extensions[REPLICA]["away_until"] = 0.0
    standby.catch_up()
    by_replica = reads("replica")
    people.patient()
    standby.catch_up()
    names_in(manager, "/patients")
    assert reads("replica") == by_replica + 1


def test_a_page_cut_off_in_the_middle_is_read_again_and_audited_once(
    app, people, standby, monkeypatch
) -> None:
    manager = people.signed_in("manager")
    people.patient(name="看得见的人")
    standby.catch_up()
    whole = pages.list_context

    def cut(*args):
        context = whole(*args)
        if reading_from.get() is not None:
            db.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return context

    monkeypatch.setattr(pages, "list_context", cut)
    assert "看得见的人" in names_in(manager, "/patients")
    with app.app_context():
        lines = select(func.count()).where(
            AuditLine.user_id == manager.user_id, AuditLine.action == "patient.list"
        )
        assert db.session.scalar(lines) == 1


def test_nothing_can_be_written_there(app, people) -> None:
    """Not even where the address of the replica is that of a database that could be written."""
    for made in _serving(str(app.config["SQLALCHEMY_DATABASE_URI"]), app.config["SQLALCHEMY_DATABASE_URI"]):
        with made.app_context():
            token, on = reading_from.set(db.engines[REPLICA]), writing.set(True)
            row = {"key": "written", "window_started_at": clock.now(), "count": 1}
            with pytest.raises(DBAPIError, match="read-only"):
                db.session.execute(insert(Throttle), row)
            db.session.rollback()
            reading_from.reset(token)
            writing.reset(on)
