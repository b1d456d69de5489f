"""What a page costs PostgreSQL in ways there and back, and that nothing is promised less for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import NullPool, create_engine, event, func, select, text
from werkzeug.test import EnvironBuilder

from app import connections
from app.accounts.models import AuditLine, LoginSession
from app.extensions import asking, db
from app.shared import clock
from tests.app.visits import sheets

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
Sent = list[tuple[str, bool]]


@contextmanager
def sent(app: Flask) -> Iterator[Sent]:
    """Each statement, and whether it is a transaction of its own."""
    found: Sent = []

    def listen(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append((statement, connection.connection.driver_connection.autocommit))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", listen)
    yield found
    event.remove(engine, "before_cursor_execute", listen)


@on_postgres
def test_a_page_is_asked_for_in_three_statements_without_a_transaction_around_them(app, make) -> None:
    doctor, url = make.signed_in("doctor"), f"/patients/{make.patient()}"
    doctor.get(url).close()  # then it is kept
    with sent(app) as found:
        assert doctor.get(url).status_code == 200
    assert [statement.split()[0] for statement, _ in found] == ["SELECT", "SELECT", "INSERT"]
    assert all(alone for _, alone in found)


@on_postgres
def test_what_is_written_stands_or_falls_together_as_ever(app, make, monkeypatch) -> None:
    """By a push, and by a page that notes on the way that its reader was here."""
    doctor, patient = make.signed_in("doctor"), make.patient()
    doctor.get(f"/patients/{patient}")
    with sent(app) as found:
        op = make.op(doctor, "visit.create", sheets.payload(patient))
        assert make.push(doctor, op)[0]["status"] == "applied"
    written = [alone for statement, alone in found if statement.startswith(("INSERT", "UPDATE"))]
    assert len(written) > 5 and not any(written)
    later = clock.now() + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    with sent(app) as found:
        assert doctor.get(f"/patients/{patient}").status_code == 200
    assert [alone for statement, alone in found if statement.startswith("UPDATE")] == [False, False]
    with app.app_context():
        assert later in db.session.scalars(select(LoginSession.last_seen_at)).all()


@on_postgres
def test_what_is_locked_or_written_while_one_asks_gets_a_transaction(app) -> None:
    with app.app_context():
        token = asking.set(True)
        reads = select(LoginSession)
        assert db.session.get_bind(clause=reads) is not db.engine
        for other in (reads.with_for_update(), text("SELECT 1"), LoginSession.__table__.delete(), None):
            assert db.session.get_bind(clause=other) is db.engine
        asking.reset(token)
        assert db.session.get_bind(clause=reads) is db.engine


def test_a_reading_is_noted_before_its_answer_leaves(app, make, database_url) -> None:
    doctor, url = make.signed_in("doctor"), f"/patients/{make.patient()}"
    elsewhere = create_engine(database_url, poolclass=NullPool)
    seen = select(func.count()).select_from(AuditLine).where(AuditLine.action == "patient.read")
    noted: list[int] = []

    def answer_leaves(status: str, _headers: Any, _error: Any = None) -> Any:
        assert status == "200 OK"
        with elsewhere.connect() as other:
            noted.append(other.scalar(seen) or 0)

    session = doctor.get_cookie("session").value
    for times in (1, 2):  # rendered, then kept
        asked = EnvironBuilder(path=url, headers={"Cookie": f"session={session}"}).get_environ()
        app.wsgi_app(asked, answer_leaves).close()  # type: ignore[attr-defined]
        assert noted[-1] == times


@on_postgres
def test_connections_that_the_server_ended_are_noticed_at_once(app, make, database_url) -> None:
    doctor, url = make.signed_in("doctor"), f"/patients/{make.patient()}"
    root = create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    ended = text(
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    for _ in range(2):
        assert doctor.get(url).status_code == 200
        with root.connect() as other:
            assert other.scalar(ended)
        assert doctor.get(url).status_code == 200


@on_postgres
def test_only_a_connection_that_has_rested_is_asked_whether_it_lives(
    app, make, database_url, monkeypatch
) -> None:
    doctor, url = make.signed_in("doctor"), f"/patients/{make.patient()}"
    questions: list[bool] = []
    really = connections._answers

    def answers(connection: Any) -> bool:
        questions.append(really(connection))
        return questions[-1]

    monkeypatch.setattr(connections, "_answers", answers)
    assert doctor.get(url).status_code == doctor.get(url).status_code == 200 and not questions
    monkeypatch.setattr(connections, "TRUSTED_S", -1)
    assert doctor.get(url).status_code == 200 and questions and all(questions)
    alone = create_engine(database_url, isolation_level="AUTOCOMMIT")
    for _ in range(3):
        with alone.connect() as other:
            assert other.connection.driver_connection.autocommit, "asking changes nothing"  # type: ignore
    alone.dispose()
    monkeypatch.setattr(connections, "_answers", lambda connection: bool(connection.close()))
    assert doctor.get(url).status_code == 200, "one that does not answer is replaced"
