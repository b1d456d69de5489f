"""SQLite's journal does not grow for ever, however many read and write."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from app import connections, journal
from app.extensions import db, writing
from app.journal import Journal
from app.shared.fairlock import FairLock
from app.sync import pace
from tests.app.visits import sheets

LONG = 100_000


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal, "LONG_BYTES", LONG)
    return tmp_path / "some.db"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    connections.watch()
    engine = create_engine(f"sqlite:///{file}")
    token = writing.set(True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (said TEXT)"))
    yield engine
    writing.reset(token)
    engine.dispose()


def write(engine: Engine, rows: int = 1) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (:said)"), [{"said": "x" * 1000}] * rows)


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM t")).scalar_one()


def in_time() -> None:
    """Until nobody cuts any more."""
    for thread in threading.enumerate():
        if thread.name == "journal":
            thread.join()


def length(file: Path) -> int:
    return Path(f"{file}-wal").stat().st_size


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who sees the database as it is now."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM t").fetchone()
        yield reader


def test_a_long_journal_is_begun_anew_beside_the_one_who_wrote(engine, file) -> None:
    write(engine)
    in_time()
    assert 0 < length(file) < LONG
    write(engine, rows=200)
    in_time()
    assert length(file) == 0
    assert count(engine) == 201


def test_who_reads_is_not_waited_for_and_still_sees_the_same(engine, file) -> None:
    with reading(file) as reader:
        write(engine, rows=200)
        in_time()
        assert length(file) > LONG
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    journal.of(str(file))._rests_until = 0
    write(engine)
    in_time()
    assert length(file) == 0
    assert count(engine) == 201


def test_a_far_too_long_one_waits_for_who_reads_while_nobody_writes(engine, file, monkeypatch) -> None:
    monkeypatch.setattr(journal, "TOO_LONG_BYTES", LONG)
    monkeypatch.setattr(journal, "PATIENCE_S", 30)
    with reading(file) as reader:
        write(engine, rows=200)
        assert [thread for thread in threading.enumerate() if thread.name == "journal"]
        reader.execute("COMMIT")
        in_time()
    before = length(file)
    write(engine, rows=100)
    in_time()
    assert length(file) == before > LONG, "it goes on from the beginning of the same file"
    assert count(engine) == 300


def test_after_a_try_in_vain_nobody_is_made_to_wait_for_a_while(engine, file, monkeypatch) -> None:
    monkeypatch.setattr(journal, "TOO_LONG_BYTES", LONG)
    monkeypatch.setattr(journal, "PATIENCE_S", 0.001)
    kept, rests = Journal(str(file)), []
    with reading(file):
        write(engine, rows=200)
        in_time()
        for _ in range(9):
            kept._at_work.acquire()
            kept._cut(FairLock())
            rests.append(kept._rest_s)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    kept._at_work.acquire()
    kept._cut(FairLock())
    assert kept._rest_s == 1


def test_a_program_that_is_ending_still_writes(engine, file, monkeypatch) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        write(engine, rows=200)
    write(engine)
    in_time()
    assert (length(file), count(engine)) == (0, 201)


def test_a_database_that_was_taken_away_is_not_made_anew(engine, file) -> None:
    write(engine, rows=200)
    in_time()
    engine.dispose()
    shutil.move(file, file.with_suffix(".away"))
    kept = Journal(str(file))
    kept._at_work.acquire()
    kept._cut(FairLock())
    assert not file.exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_connections_leave_the_journal_to_us(app) -> None:
    with app.app_context(), db.engine.connect() as connection:
        asked = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
    assert asked == journal.PAGES_AT_MOST


@pytest.mark.parametrize("door", ["push", "sealed"])
def test_a_push_that_waits_for_its_turn_keeps_no_picture_of_the_database(
    app, make, monkeypatch, door
) -> None:
    doctor, patient = make.signed_in("doctor"), make.patient()
    op = make.op(doctor, "visit.create", sheets.payload(patient))
    really, waited = pace.working, []

    @contextmanager
    def in_turn() -> Iterator[None]:
        waited.append(db.session().in_transaction())
        with really():
            yield

    monkeypatch.setattr(pace, "working", in_turn)
    items = "ops" if door == "push" else "sealed"
    sent = {"sent_at": op["recorded_at"], items: [op]}
    assert doctor.post(f"/api/sync/{door}", json=sent).status_code == 200
    assert waited == [False]
