"""A server with a database of its own on each engine: backups replace whole databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text

from app import create_app
from app.extensions import db
from tests.conftest import SECRET
from tests.factories import Factory

BACKUP_KEY = "a key for backups that only tests know"


def an_app(url: str, folder: Path | str, **more: str) -> Flask:
    env = {"SECRET_KEY": SECRET, "DATABASE_URL": url, "BACKUP_DIR": str(folder), "BACKUP_KEY": BACKUP_KEY}
    app = create_app({**env, **more})
    app.config["TESTING"] = True
    return app


@contextmanager
def a_postgres_database(server_url: str) -> Iterator[str]:
    """An empty database on the server of this test run."""
    server, name = make_url(server_url), f"own_{uuid4().hex}"
    root = create_engine(server, isolation_level="AUTOCOMMIT")
    with root.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with root.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        root.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database."""
    if request.param == "sqlite":
        path = tmp_path / "data" / "own.db"
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with a_postgres_database(request.getfixturevalue("postgres_url")) as found:
        migrate(found)
        yield found


def migrate(url: str) -> None:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture
def app(url: str, folder: Path) -> Iterator[Flask]:
    made = an_app(url, folder)
    yield made
    close(made)


def close(app: Flask) -> None:
    """No connection is left, as after `systemctl stop`."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def make(app: Flask) -> Factory:
    return Factory(app)


def run(app: Flask, *args: object) -> Result:
    """A command of the house, typed by an operator."""
    return app.test_cli_runner().invoke(args=[str(arg) for arg in args])


def is_sqlite(app: Flask) -> bool:
    return str(app.config["SQLALCHEMY_DATABASE_URI"]).startswith("sqlite")
