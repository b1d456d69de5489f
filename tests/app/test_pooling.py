"""Connections to PostgreSQL: how many, and that nothing rests on their being the same one twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import ProgrammingError

from app import create_app
from app.connections import PROMISED_ANEW
from app.extensions import db, writing
from tests.app.backup.conftest import a_postgres_database, migrate
from tests.app.visits import sheets
from tests.conftest import SECRET
from tests.factories import Factory

ELSEWHERE = "postgresql+psycopg://nuanxun@db.example.org/nuanxun"


@pytest.fixture(scope="module")
def url(postgres_url: str) -> Iterator[str]:
    """A database that trusts its disk too much, as whoever tunes it may have said."""
    with a_postgres_database(postgres_url) as found:
        migrate(found)
        root = create_engine(found, isolation_level="AUTOCOMMIT")
        with root.connect() as connection:
            connection.execute(
                text(f'ALTER DATABASE "{make_url(found).database}" SET synchronous_commit = off')
            )
        root.dispose()
        yield found


@contextmanager
def behind_a_pooler(url: str, **settings: str) -> Iterator[Flask]:
    """Every transaction finds a session that knows nothing of the one before, as with PgBouncer."""
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url, **settings})
    app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}

    def another(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.pgconn.exec_(b"DISCARD ALL")  # past psycopg, which would take note of it

    with app.app_context():
        event.listen(db.engine, "checkout", another)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_behind_a_pooler_every_write_is_on_the_disk_before_it_is_confirmed(url) -> None:
    with behind_a_pooler(url, DATABASE_POOLER="transaction") as app, app.app_context():
        asked = text("SELECT current_setting('synchronous_commit')")
        for wants_to_write, promised in [(False, "off"), (True, "on")] * 2:
            token = writing.set(wants_to_write)
            assert db.session.scalar(asked) == promised
            db.session.commit()
            writing.reset(token)


def test_behind_a_pooler_a_reading_is_on_the_disk_before_its_answer_leaves(postgres_url) -> None:
    with a_postgres_database(postgres_url) as own, behind_a_pooler(own, DATABASE_POOLER="transaction") as app:
        migrate(own)
        make = Factory(app)
        said: list[tuple[str, bool]] = []
        doctor, patient = make.signed_in("doctor"), make.patient()
        with app.app_context():
            engine = db.engine

        def listen(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            said.append((statement, connection.connection.driver_connection.autocommit))

        event.listen(engine, "before_cursor_execute", listen)
        assert doctor.get(f"/patients/{patient}").status_code == 200
        line = next(n for n, (statement, _) in enumerate(said) if "INTO audit_lines" in statement)
        assert said[line - 1] == (PROMISED_ANEW, False) and said[line][1] is False


def test_behind_a_pooler_no_statement_is_prepared_for_the_next_transaction(url) -> None:
    with behind_a_pooler(url, DATABASE_POOLER="transaction") as app:
        make = Factory(app)
        doctor, patient = make.signed_in("doctor"), make.patient()
        for _ in range(8):  # psycopg prepares what it sends the sixth time
            op = make.op(doctor, "visit.create", sheets.payload(patient))
            assert make.push(doctor, op)[0]["status"] == "applied"
            assert doctor.get("/api/sync/pull").status_code == 200


def test_without_the_setting_they_are(url) -> None:
    with behind_a_pooler(url) as app, app.app_context(), pytest.raises(ProgrammingError):
        for _ in range(12):
            db.session.execute(text("SELECT seq FROM feed_head WHERE id = :id"), {"id": 1})
            db.session.commit()


def test_the_pool_is_as_large_as_it_is_said_to_be() -> None:
    said = {"DATABASE_URL": ELSEWHERE, "DATABASE_POOL": "3", "DATABASE_OVERFLOW": "2"}
    app = create_app({"SECRET_KEY": SECRET, **said})
    with app.app_context():
        assert (db.engine.pool.size(), db.engine.pool._max_overflow) == (3, 2)  # type: ignore[attr-defined]


def test_more_threads_than_connections_stop_the_start(url) -> None:
    app = create_app(
        {"SECRET_KEY": SECRET, "DATABASE_URL": url, "DATABASE_POOL": "2", "DATABASE_OVERFLOW": "1"}
    )
    done = app.test_cli_runner().invoke(args=["serve", "--threads", "4"])
    assert (done.exit_code, "allow 3 connections, --threads 4" in done.output) == (1, True)
