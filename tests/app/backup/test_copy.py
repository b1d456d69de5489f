"""The move to another database: every row as it was, and nobody's phone notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts.models import AuditLine
from app.backup import content
from app.extensions import db
from tests.app.backup.conftest import a_postgres_database, an_app, close, is_sqlite, run
from tests.app.backup.filled import fill
from tests.factories import Factory


@pytest.fixture
def other(app: Flask, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database of the other engine."""
    if is_sqlite(app):
        with a_postgres_database(request.getfixturevalue("postgres_url")) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'moved.db'}"


def test_everything_is_there_and_phones_go_on(app, make, other, folder) -> None:
    done = fill(make)
    with app.app_context():
        db.engine.dispose()
    moved = run(app, "db", "copy", "--to", other)
    assert moved.exit_code == 0, moved.output
    with app.app_context():
        with db.engine.connect() as connection:
            before = content.take(connection)
        db.engine.dispose()
    assert f"revisions {len(done):>16}  {before['revisions']['sum']}".split() in [
        line.split() for line in moved.output.splitlines()
    ]
    there = an_app(other, folder)
    with there.app_context():
        with db.engine.connect() as connection:
            assert content.differences(before, content.take(connection)) == []
        last = db.session.scalar(select(func.max(AuditLine.id)))
        db.session.remove()
    again = Factory(there)
    again._users["village1"], again._count = done[0]["author_id"], 500
    phone = again.signed_in("village1")
    results = again.push(phone, *done)
    assert {r["status"] for r in results} == {"duplicate"} and len(results) == len(done)
    assert again.push(phone, {**done[0], "device_id": "other"})[0]["code"] == "op_id_reused"
    fresh = again.push(phone, again.op(phone, "patient.create", again.patient_payload()))
    assert fresh[0]["status"] == "applied"
    with there.app_context():
        assert db.session.scalar(select(func.max(AuditLine.id))) > last
        db.session.remove()
    assert run(there, "audit", "verify").exit_code == 0
    close(there)


def test_a_database_that_holds_something_is_refused(app, make, other) -> None:
    fill(make, visits=1)
    assert run(app, "db", "copy", "--to", other).exit_code == 0
    refused = run(app, "db", "copy", "--to", other)
    assert refused.exit_code == 1 and "not empty" in refused.output
    itself = run(app, "db", "copy", "--to", str(app.config["SQLALCHEMY_DATABASE_URI"]))
    assert itself.exit_code == 1 and "itself" in itself.output
    assert "must begin with" in run(app, "db", "copy", "--to", "mysql://x").output


def test_the_move_waits_until_the_server_is_stopped(app, make, other, url, folder) -> None:
    fill(make, visits=1)
    server = an_app(url, folder)
    with server.app_context():
        assert server.test_client().get("/healthz").status_code == 200
        refused = run(app, "db", "copy", "--to", other)
        assert refused.exit_code == 1 and "stop the web server" in refused.output
    close(server)


def test_what_does_not_fit_is_named_and_nothing_is_left_half_moved(app, make, other, folder) -> None:
    if not is_sqlite(app):
        return  # PostgreSQL never took it in
    fill(make, visits=3)
    with app.app_context():
        with db.engine.begin() as connection:
            too_long = {"long": "长" * 201}
            connection.execute(text("UPDATE patients SET address = :long WHERE revision = 1"), too_long)
        db.engine.dispose()
    refused = run(app, "db", "copy", "--to", other)
    assert refused.exit_code == 1
    assert "address has 201 characters, 200 fit" in refused.output and "长" not in refused.output
    with app.app_context():
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE patients SET address = 'short'"))
        db.engine.dispose()
    assert run(app, "db", "copy", "--to", other).exit_code == 0


def test_a_database_out_of_reach_is_one_line(app, make) -> None:
    refused = run(app, "db", "copy", "--to", "postgresql://nobody:secret@127.0.0.1:9/none")
    assert refused.exit_code == 1 and "given up" in refused.output and "secret" not in refused.output
