"""A grown district is one the program could have written itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select

from app import create_app
from app.accounts import audit_chain
from app.accounts.models import AuditLine, User
from app.encounters.models import Visit
from app.extensions import db, writing
from app.forms import engine
from app.grading import service as grading
from app.observations.models import Observation
from app.patients.models import Patient
from app.shared import clock, secretbox
from app.sync import feed
from app.sync.models import Revision
from bench import grow
from bench.grow import Size
from bench.pattern import Pattern, draw
from tests.app.backup.conftest import a_postgres_database
from tests.conftest import SECRET
from tests.factories import PASSWORD

TEAMS = 12  # more than a county has


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    return draw(tmp_path_factory.mktemp("pattern"), small=True, visits_each=6, users=20, secret=SECRET)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def grown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pattern: Pattern
) -> Iterator[Flask]:
    if request.param == "sqlite":
        yield from _grown(f"sqlite:///{tmp_path_factory.mktemp('grown') / 'g.db'}", pattern)
        return
    with a_postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield from _grown(url, pattern)


def _grown(url: str, pattern: Pattern) -> Iterator[Flask]:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        upgrade()
    grow.fill(app, pattern, TEAMS)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_audit_is_whole_and_no_row_points_to_nothing(grown: Flask) -> None:
    with grown.app_context():
        token = writing.set(True)
        assert audit_chain.verify() is None
        assert db.session.scalar(select(func.count()).select_from(AuditLine)) > 0
        db.session.rollback()
        writing.reset(token)
        for table in db.metadata.sorted_tables:
            for key in table.foreign_keys:
                here, there = key.parent, key.column
                lost = select(func.count()).where(here.is_not(None), here.not_in(select(there)))
                assert db.session.scalar(lost) == 0, f"{table.name}.{here.name}"


def test_indexes_are_there_again(grown: Flask, pattern: Pattern) -> None:
    with grown.app_context():
        inspector = db.inspect(db.engine)
        for table in db.metadata.sorted_tables:
            there = {index["name"] for index in inspector.get_indexes(table.name)}
            assert {str(index.name) for index in table.indexes} <= there, table.name


def test_the_feed_is_in_order_of_time_and_knows_every_operation(grown: Flask) -> None:
    with grown.app_context():
        rows = db.session.execute(
            select(Revision.seq, Revision.received_at, Revision.entity_id, Revision.kind).order_by(
                Revision.seq
            )
        ).all()
        assert [row.seq for row in rows] == list(range(1, feed.position() + 1))
        assert [row.received_at for row in rows] == sorted(row.received_at for row in rows)
        visits = {row.entity_id for row in rows if row.kind == "visit.create"}
        assert visits == set(db.session.scalars(select(Visit.id)))
        people = list(db.session.scalars(select(Patient.id)))
        newest = feed.touched(people)
        asked = select(func.max(Revision.seq)).group_by(Revision.patient_id)
        assert sorted(newest.values()) == sorted(db.session.scalars(asked))


def test_an_operation_sent_again_is_known(grown: Flask) -> None:
    client = grown.test_client()
    me = {"username": "doctor1-11", "password": PASSWORD, "device_id": "d"}
    assert client.post("/api/auth/login", json=me).status_code == 200
    change = next(
        c for c in client.get("/api/sync/pull").get_json()["changes"] if c["kind"] == "visit.create"
    )
    with grown.app_context():
        stored = db.session.get_one(Revision, change["op_id"])
        op = {
            name: getattr(stored, name) for name in ("op_id", "device_id", "author_id", "kind", "recorded_at")
        }
        author = db.session.get_one(User, stored.author_id).username
        db.session.remove()
    client = grown.test_client()
    assert client.post("/api/auth/login", json=me | {"username": author}).status_code == 200
    body = {"sent_at": clock.local(clock.now()).isoformat(), "ops": [{**op, "payload": change["payload"]}]}
    assert client.post("/api/sync/push", json=body).get_json()["results"][0]["status"] == "duplicate"


def test_everybody_has_an_identity_number_of_their_own(grown: Flask) -> None:
    with grown.app_context():
        seen = set()
        for patient in db.session.scalars(select(Patient)):
            number = secretbox.unseal(patient.id_card_sealed)
            assert secretbox.blind_index(number) == patient.id_card_index
            assert patient.id_card_masked[-4:] == number[-4:]
            seen.add(number)
            created = db.session.get_one(Revision, patient.id)
            assert json.loads(feed.open_payload(created.payload))["id_card"] == number
        assert len(seen) == db.session.scalar(select(func.count()).select_from(Patient))


def test_grades_and_visits_are_what_the_rules_say(grown: Flask) -> None:
    with grown.app_context():
        assert grading.stale(clock.today())[0] == []
        visit = db.session.scalars(select(Visit).limit(1)).one()
        count = select(func.count()).where(Observation.visit_id == visit.id)
        assert db.session.scalar(count) > 0 and visit.form in engine.all_definitions()


def test_the_command_fills_an_empty_database_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: Pattern, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grow, "draw", lambda *_args, **_more: pattern)
    url = f"sqlite:///{tmp_path / 'new.db'}"
    arguments = [
        "grow",
        "--to",
        url,
        "--patients",
        "1200",
        "--visits",
        "7200",
        "--users",
        "40",
        "--secret",
        SECRET,
    ]
    monkeypatch.setattr("sys.argv", arguments)
    grow.main()
    assert f"{2 * pattern.people} patients" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="patients already"):
        grow.main()


def test_a_size_is_teams_of_six_hundred() -> None:
    assert Size.of(60_000, 1_000_000, 5_000) == Size(teams=100, visits_each=1_000_000 / 60_000, users=50)
