"""Lines of the audit written beside a request on SQLite: in one call, however busy the database is."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app import aside, create_app
from app.accounts import audit_chain
from app.accounts.models import AuditLine
from app.extensions import db
from tests.conftest import SECRET
from tests.factories import Factory


@pytest.fixture
def path(sqlite_template, tmp_path):
    file = tmp_path / "aside.db"
    shutil.copy(sqlite_template, file)
    return file


@pytest.fixture
def house(path):
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": f"sqlite:///{path}"})
    make = Factory(app)
    doctor = make.signed_in("doctor")
    yield app, doctor, f"/patients/{make.patient()}"
    with app.app_context():
        db.engine.dispose()


def reads(app) -> list[AuditLine]:
    with app.app_context():
        return list(db.session.scalars(select(AuditLine).where(AuditLine.action == "patient.read")))


def test_a_line_is_what_it_would_be_by_the_ordinary_way(house):
    app, doctor, url = house
    before = datetime.now(UTC)
    assert doctor.get(url).status_code == 200
    line = reads(app)[0]
    assert before <= line.at <= datetime.now(UTC) and line.claimed_at is None
    assert (line.user_id, line.patient_id, line.result) == (doctor.user_id, url.rpartition("/")[2], "ok")
    with app.app_context():
        assert audit_chain.is_genuine(line)


def test_readers_wait_while_somebody_writes_and_then_all_are_noted(house, path):
    app, doctor, url = house
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    answers: list[int] = []

    def read():
        client = app.test_client()
        client.set_cookie("session", doctor.get_cookie("session").value)
        answers.append(client.get(url).status_code)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    assert not answers, "no answer goes out before it is noted"
    writer.execute("ROLLBACK")
    for reader in readers:
        reader.join()
    assert answers == [200] * 4 and len(reads(app)) == 4
    writer.close()


def test_where_nothing_can_be_written_reading_goes_on_and_the_log_tells(house, path, monkeypatch, caplog):
    app, doctor, url = house
    monkeypatch.setattr(aside, "SQLITE_BUSY_MS", 0)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert doctor.get(url).status_code == 200
    writer.execute("ROLLBACK")
    writer.close()
    assert not reads(app)
    told = next(record.getMessage() for record in caplog.records if "patient.read" in record.getMessage())
    assert doctor.user_id in told and url.rpartition("/")[2] in told


def test_many_lines_are_written_at_once_and_connections_go_with_the_engine(house):
    app, doctor, url = house
    doctor.get(url)
    with app.app_context():
        rows = [
            {c.name: getattr(reads(app)[0], c.name) for c in AuditLine.__table__.c if c.name != "id"}
            | {"event_id": f"{n:036d}"}
            for n in range(aside.MOST + 1)
        ]
        aside.insert(db.engine, AuditLine.__table__, rows)
        assert db.session.scalar(select(func.count()).select_from(AuditLine)) >= len(rows)
        idle = list(aside._idle[db.engine])
        db.engine.dispose()
    assert idle
    for connection in idle:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
