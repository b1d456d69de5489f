"""The schema that the migrations make is the one the models describe; going back keeps the data.

`pytest tests/app/test_migrations.py --migration-visits 10000` does so with more of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, make_url, text

from app import create_app
from app.accounts import audit_chain
from app.backup import content, sqlite
from app.config import ROOT
from app.extensions import db
from app.sync.models import Revision
from tests.app.backup.filled import fill
from tests.conftest import SECRET
from tests.factories import Factory

ROW = {
    "op_id": "0197fd4e-4c36-7cd4-8d5c-9d6d0a8d5a01", "seq": 1, "digest": "d", "entity_kind": "visit",
    "entity_id": "0197fd4e-4c36-7cd4-8d5c-9d6d0a8d5a01", "revision": 1, "kind": "visit.create",
    "author_id": "a", "device_id": "d", "patient_id": "p", "recorded_at": "2026-06-01T09:12:00+08:00",
    "received_at": "2026-06-01 01:12:00", "skew_s": 0, "payload": "{}",
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application whose database has no tables yet."""
    if request.param == "sqlite":
        yield from _served(f"sqlite:///{tmp_path}/empty.db")
        return
    server, name = make_url(request.getfixturevalue("postgres_url")), f"empty_{uuid4().hex}"
    root = create_engine(server, isolation_level="AUTOCOMMIT")
    with root.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        yield from _served(server.set(database=name).render_as_string(hide_password=False))
        connection.execute(text(f'DROP DATABASE "{name}"'))
    root.dispose()


def _served(url: str) -> Iterator[Flask]:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def test_the_migrations_make_what_the_models_describe(empty: Flask) -> None:
    upgrade()
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), db.metadata) == []


def test_a_step_forward_and_back_keeps_what_is_stored(empty: Flask) -> None:
    upgrade(revision="0001")
    before = _shape()
    columns, values = ", ".join(ROW), ", ".join(f":{name}" for name in ROW)
    with db.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO revisions ({columns}) VALUES ({values})"), ROW)
    upgrade()
    [row] = db.session.execute(text("SELECT * FROM revisions")).mappings()
    assert row["op_id"] == ROW["op_id"] and row["replaces"] is None
    db.session.get_one(Revision, ROW["op_id"]).replaces = "0197fd4e-4c36-7cd4-8d5c-9d6d0a8d5a02"
    db.session.commit()
    db.session.remove()
    downgrade(revision="0001")
    assert _shape() == before
    [row] = db.session.execute(text("SELECT * FROM revisions")).mappings()
    assert {name: row[name] for name in ROW if name != "received_at"} == {
        name: value for name, value in ROW.items() if name != "received_at"
    }
    db.session.rollback()
    upgrade()


def test_every_migration_goes_down_and_up_with_everything_stored(
    empty: Flask, pytestconfig: pytest.Config, monkeypatch
) -> None:
    """What both sides of a step have is the same after it: people, visits, revisions, odd text and all."""
    upgrade()
    steps = [
        step for step in ScriptDirectory(str(ROOT / "migrations")).walk_revisions() if step.down_revision
    ]
    shapes = {}
    for step in steps:
        shapes[step.revision] = _columns()
        downgrade(revision=str(step.down_revision))
        shapes[str(step.down_revision)] = _columns()
    upgrade()
    monkeypatch.setattr("app.sync.routes.PUSHES_A_MINUTE", 1000)  # thousands of visits come from one phone
    done = fill(Factory(empty), visits=pytestconfig.getoption("--migration-visits"))
    db.session.remove()
    everywhere = {
        table: _names(set.intersection(*(shape[table] for shape in shapes.values()))) for table in CLINICAL
    }
    before = _content(everywhere)
    assert before["revisions"]["rows"] == len(done) and all(table["rows"] for table in before.values())
    for step in steps:
        there, back = shapes[step.revision], shapes[str(step.down_revision)]
        both = {table: _names(there[table] & back[table]) for table in there.keys() & back.keys()}
        wanted = _content(both)
        for move, revision in ((downgrade, step.down_revision), (upgrade, step.revision)) * 2:
            move(revision=str(revision))
            assert content.differences(wanted, _content(both)) == [], f"{move.__name__} to {revision}"
        downgrade(revision=str(step.down_revision))
    assert content.differences(before, _content(everywhere)) == []
    upgrade()
    assert content.differences(before, _content(everywhere)) == []
    if db.engine.dialect.name == "sqlite":
        assert sqlite.faults(db.engine) == []
    downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == [content.VERSION_TABLE]
    upgrade()


def test_relatives_bound_before_consents_keep_what_they_saw(empty: Flask) -> None:
    upgrade(revision="0005")
    at = "2026-06-01 01:12:00"
    rows = {
        "places": [{"code": "370406102101", "name": "向阳村", "level": "village"}],
        "users": [
            {
                "id": who, "username": who, "name": who, "role": "family", "password_hash": "x",
                "active": True, "care_mode": False, "created_at": at,
            }
            for who in ("daughter", "son")
        ],
        "patients": [
            {
                "id": "p", "revision": 1, "name": "张秀兰", "name_py": "zxl", "sex": "2",
                "birth_date": "1950-01-01", "id_card_sealed": "x", "id_card_index": "x",
                "id_card_masked": "x", "village_code": "370406102101", "town_code": "370406102101",
                "hospice": False, "home_bed_open": False, "tubes": "[]", "created_at": at,
            }
        ],
        "family_links": [
            {"id": "open", "user_id": "daughter", "patient_id": "p", "relation": "妈妈", "started_at": at},
            {
                "id": "ended", "user_id": "son", "patient_id": "p", "relation": "妈妈", "started_at": at,
                "ended_at": at,
            },
        ],
    }  # fmt: skip
    with db.engine.begin() as connection:
        for table, lines in rows.items():
            for line in lines:
                names = ", ".join(line)
                marks = ", ".join(f":{name}" for name in line)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), line)
    upgrade()
    grants = db.session.execute(text("SELECT link_id, purpose FROM family_grants")).all()
    assert {tuple(one) for one in grants} == {
        ("open", "state"), ("open", "readings"), ("open", "orders"), ("open", "readers"),
    }  # fmt: skip
    told = db.session.execute(text("SELECT DISTINCT text_version, given, recorded_by FROM consents")).all()
    assert [tuple(one) for one in told] == [("0", True, None)]
    again = "INSERT INTO family_links (id, user_id, patient_id, relation, started_at) VALUES"
    db.session.execute(text(f"{again} ('anew', 'son', 'p', '妈', '2026-07-01 01:12:00')"))
    db.session.commit()
    db.session.remove()
    downgrade(revision="0005")  # where there is room for one binding of each relative
    left = db.session.scalars(text("SELECT id FROM family_links ORDER BY id")).all()
    assert list(left) == ["anew", "open"]
    db.session.rollback()
    upgrade()


Shape = dict[str, set[tuple[str, str]]]
CLINICAL = ("patients", "visits", "observations", "revisions", "grade_records", "orders", "plan_items")


def _names(columns: set[tuple[str, str]]) -> set[str]:
    return {name for name, _ in columns}


def _content(only: dict[str, set[str]]) -> content.Known:
    with db.engine.connect() as connection:
        return content.take(connection, only)


def _columns() -> Shape:
    """By table: names and kinds of columns. One that becomes something else is another column."""
    with db.engine.connect() as connection:
        tables = content.tables(connection)
    return {
        table.name: {(column.name, type(column.type).__name__) for column in table.columns}
        for table in tables
        if table.name != content.VERSION_TABLE
    }


def test_audit_lines_written_before_the_chain_become_part_of_it(empty: Flask) -> None:
    upgrade(revision="0003")
    insert = (
        "INSERT INTO audit_lines (id, at, user_id, action, patient_id, result, request_id)"
        " VALUES (:id, '2026-06-01 01:12:00.123456', 'u', 'patient.read', 'p', 'ok', 'r')"
    )
    with db.engine.begin() as connection:
        connection.execute(text(insert), [{"id": number} for number in range(1, 1103)])
    for _ in range(2):  # and once more after going back
        upgrade()
        assert audit_chain.verify() is None
        db.session.rollback()
        assert audit_chain.link()[0] == 1102
        assert audit_chain.verify() is None
        db.session.rollback()
        db.session.remove()
        downgrade(revision="0003")
        rows = db.session.execute(text("SELECT count(*), max(result) FROM audit_lines")).one()
        assert tuple(rows) == (1102, "ok")
        db.session.rollback()


def _shape() -> dict[str, object]:
    look = inspect(db.engine)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns(table)],
            sorted((index["name"], index["unique"]) for index in look.get_indexes(table)),
            sorted(str(unique["name"]) for unique in look.get_unique_constraints(table)),
            look.get_pk_constraint(table)["name"],
        )
        for table in look.get_table_names()
    }
