"""What people and phones are told when the database is in trouble, and that it passes by itself."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, exc, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app import aside, connections
from app.accounts import throttle
from app.accounts.models import Throttle
from app.errors import DomainError, is_passing
from app.extensions import db, writing
from app.patients.models import Patient
from app.shared import clock, copying
from app.sync import feed, judge, registry, service
from app.sync.models import Revision
from app.sync.registry import Rejected


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


def create(make, doctor, **given):
    return make.op(doctor, "patient.create", make.patient_payload(**given))


def send(doctor, *ops):
    return doctor.post("/api/sync/push", json={"sent_at": ops[0]["recorded_at"], "ops": list(ops)})


@pytest.fixture
def broken(app: Flask, monkeypatch):
    """Every statement that begins with a word of `broken` fails as a database in trouble makes it fail."""
    failing: list[str] = []

    def before(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if any(statement.startswith(word) for word in failing):
            raise OperationalError(statement, {}, sqlite3.OperationalError("database or disk is full"))

    def aside_too(connection: Any, statement: str, values: Any) -> None:
        if any(statement.replace('"', "").startswith(word) for word in failing):
            raise sqlite3.OperationalError("database or disk is full")
        really(connection, statement, values)

    def copied_too(connection: Any, statement: str, rows: Any) -> None:
        before(connection, None, statement.replace("COPY", "INSERT INTO"))
        copied(connection, statement, rows)

    really, copied = aside._patiently, copying.put
    monkeypatch.setattr(aside, "_patiently", aside_too)
    monkeypatch.setattr(copying, "put", copied_too)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", before)
    yield failing
    event.remove(engine, "before_cursor_execute", before)


@pytest.mark.parametrize("statement", ["SELECT", "UPDATE", "INSERT INTO revisions", "SAVEPOINT", "RELEASE"])
def test_a_database_in_trouble_is_503_and_the_batch_passes_later(make, doctor, broken, statement) -> None:
    op = create(make, doctor)
    broken.append(statement)
    answer = send(doctor, op)
    assert answer.status_code == 503 and answer.mimetype == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0 and answer.get_json()["code"] == "unavailable"
    broken.clear()
    assert send(doctor, op).get_json()["results"][0]["status"] == "applied"


@pytest.mark.parametrize("path", ["/today", "/api/sync/pull", "/healthz"])
def test_without_any_database_every_answer_is_still_503(make, doctor, broken, path) -> None:
    broken += ["SELECT", "UPDATE", "INSERT", "BEGIN"]
    answer = doctor.get(path)
    assert answer.status_code == 503 and answer.headers["Retry-After"]


def test_a_record_is_read_though_its_reading_cannot_be_written_down(make, doctor, broken, caplog) -> None:
    op = create(make, doctor)
    send(doctor, op)
    broken.append("INSERT INTO audit_lines")
    answer = doctor.get(f"/api/patients/{op['op_id']}")
    assert answer.status_code == 200 and answer.get_json()["payload"] == op["payload"]
    assert f"audit patient.read object={op['op_id']}" in caplog.text


def test_errors_that_pass_are_told_apart_from_our_own_faults() -> None:

    for passing in (
        exc.OperationalError,
        exc.InterfaceError,
        exc.InternalError,
        exc.DatabaseError,
        exc.IntegrityError,
    ):
        assert is_passing(passing("", {}, Exception()))
    assert is_passing(PoolExhausted()) and is_passing(exc.PendingRollbackError())
    for ours in (exc.ProgrammingError, exc.DataError):
        assert not is_passing(ours("", {}, Exception()))


def test_an_operation_that_trips_a_fault_of_ours_holds_up_no_other(make, doctor, monkeypatch) -> None:
    good, odd, fine = create(make, doctor), create(make, doctor, name="王奇"), create(make, doctor)
    kind = registry.kinds["patient.create"]
    honest = kind.apply

    def apply(op: registry.Op) -> registry.Applied:
        done = honest(op)
        if op.payload["name"] == "王奇":
            raise KeyError("a fault nobody thought of")
        return done

    monkeypatch.setitem(
        registry.kinds, kind.name, registry.Kind(**{**vars(kind), "apply": apply, "together": None})
    )
    results = make.push(doctor, good, odd, fine)
    assert [r["status"] for r in results] == ["applied", "rejected", "applied"]
    assert doctor.get(f"/api/patients/{odd['op_id']}").status_code == 404
    monkeypatch.undo()
    assert make.push(doctor, odd)[0]["status"] == "applied"


def test_what_was_read_before_the_lock_is_read_again_under_it(make, doctor, app) -> None:
    """A page's view has looked at the record already when its form is handled: that must not count."""
    op = create(make, doctor)
    send(doctor, op)
    target = {"patient_id": op["op_id"]}
    early = make.op(doctor, "patient.update", {**target, "address": "一组"}, base_revision=1)
    late = make.op(doctor, "patient.update", {**target, "address": "二组"}, base_revision=1)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            return  # the view holds the write lock from its first look on: nobody else comes in
        user = make.get_user(doctor.username)
        seen = db.session.get_one(Patient, op["op_id"])
        assert seen.revision == 1
        assert _elsewhere(lambda: send(doctor, early)).get_json()["results"][0]["status"] == "applied"
        [result] = service.push(user, [late], clock.now())
    assert (result["status"], result["code"]) == ("conflict", "stale_revision")
    assert seen is not None  # held until here, as a view holds it


def _elsewhere(work):
    """Run `work` in a thread, that is with a session and a connection of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_phone_that_sends_slowly_keeps_nobody_waiting(make, doctor, app) -> None:
    """The body is read before the write lock is taken."""
    could_write: list[bool] = []

    class Slow(io.BytesIO):
        def readinto(self, buffer: Any) -> int:
            could_write.append(_elsewhere(_can_write))
            return super().readinto(buffer)

    def _can_write() -> bool:
        with app.app_context():
            token = writing.set(True)
            try:
                db.session.execute(text("UPDATE feed_head SET seq = seq"))
                return True
            except OperationalError:
                return False
            finally:
                db.session.rollback()
                writing.reset(token)

    op = create(make, doctor)
    body = json.dumps({"sent_at": op["recorded_at"], "ops": [op]}).encode()
    answer = doctor.post(
        "/api/sync/push", input_stream=Slow(body), content_length=len(body), content_type="application/json"
    )
    assert answer.status_code == 200 and answer.get_json()["results"][0]["status"] == "applied"
    assert could_write and all(could_write)


def test_two_first_uses_of_one_counter_do_not_collide(app) -> None:
    """On PostgreSQL the second writer waits for the first, then counts on."""
    with app.app_context():
        token = writing.set(True)
        throttle.count("push:somebody", window_s=60)
        second = threading.Thread(target=_count_and_commit, args=(app, "push:somebody"))
        if db.engine.dialect.name == "postgresql":
            second.start()
        db.session.commit()
        if db.engine.dialect.name == "sqlite":
            second.start()
        second.join()
        assert db.session.get_one(Throttle, "push:somebody").count == 2
        writing.reset(token)


def _count_and_commit(app: Flask, key: str) -> None:
    with app.app_context():
        token = writing.set(True)
        throttle.count(key, window_s=60)
        db.session.commit()
        writing.reset(token)


def test_every_connection_commits_to_the_disk(app) -> None:
    with app.app_context():
        connections = [db.engine.connect() for _ in range(3)]
        for connection in connections:
            if db.engine.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
                assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            else:
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
                assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
            connection.close()


def test_a_database_set_to_less_is_lifted_to_what_we_promise(app) -> None:
    with app.app_context():
        if db.engine.dialect.name != "postgresql":
            return
        name = db.session.scalar(text("SELECT current_database()"))
        weak = {"synchronous_commit": "off", "default_transaction_isolation": "'repeatable read'"}
        try:
            for setting, value in weak.items():
                db.session.execute(text(f'ALTER DATABASE "{name}" SET {setting} = {value}'))
            db.session.commit()
            db.engine.dispose()
            assert db.session.scalar(text("SHOW synchronous_commit")) == "on"
            assert db.session.scalar(text("SHOW transaction_isolation")) == "read committed"
        finally:
            for setting in weak:
                db.session.execute(text(f'ALTER DATABASE "{name}" RESET {setting}'))
            db.session.commit()


def test_rows_out_of_order_cost_what_they_cost_today_unless_somebody_has_said_otherwise(app) -> None:
    with app.app_context():
        if db.engine.dialect.name != "postgresql":
            return
        name = db.session.scalar(text("SELECT current_database()"))
        assert db.session.scalar(text("SHOW random_page_cost")) == "1.1"
        try:
            db.session.execute(text(f'ALTER DATABASE "{name}" SET random_page_cost = 2'))
            db.session.commit()
            db.engine.dispose()
            assert db.session.scalar(text("SHOW random_page_cost")) == "2"
        finally:
            db.session.execute(text(f'ALTER DATABASE "{name}" RESET random_page_cost'))
            db.session.commit()
            db.engine.dispose()


def test_health_says_503_when_nothing_can_be_written(app, client, tmp_path: Path, monkeypatch) -> None:
    assert client.get("/healthz").status_code == 200
    with app.app_context():
        db.session.remove()
        if db.engine.dialect.name == "sqlite":
            monkeypatch.setattr(connections, "SQLITE_BUSY_MS", 50)
            db.engine.dispose()
            other = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            assert client.get("/healthz").status_code == 503
            other.execute("ROLLBACK")
            other.close()
        else:
            name = db.session.scalar(text("SELECT current_database()"))
            db.session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
            db.session.commit()
            db.engine.dispose()
            assert client.get("/healthz").status_code == 503
            with db.engine.connect() as connection:
                connection.exec_driver_sql("SET default_transaction_read_only = off")
                connection.commit()
                connection.exec_driver_sql(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
                connection.commit()
            db.engine.dispose()
    assert client.get("/healthz").status_code == 200


def test_a_connection_cut_by_the_server_is_503_then_well_again(make, doctor, app, monkeypatch) -> None:
    """What a restart of PostgreSQL does to a batch in flight."""
    with app.app_context():
        if db.engine.dialect.name != "postgresql":
            return
    first, second = create(make, doctor), create(make, doctor, name="中断")
    kind = registry.kinds["patient.create"]
    honest = kind.apply

    def apply(op: registry.Op) -> registry.Applied:
        done = honest(op)
        if op.payload["name"] == "中断":
            db.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return done

    monkeypatch.setitem(
        registry.kinds, kind.name, registry.Kind(**{**vars(kind), "apply": apply, "together": None})
    )
    monkeypatch.setattr(service, "TURN_S", 60)
    answer = send(doctor, first, second)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    monkeypatch.undo()
    again = send(doctor, first, second).get_json()["results"]
    assert [r["status"] for r in again] == ["applied", "applied"]


def test_a_copy_of_my_operation_in_somebody_elses_session_is_not_theirs(make, doctor) -> None:
    other = make.signed_in("nurse")
    op = create(make, doctor)
    make.push(doctor, op)
    assert make.push(other, op)[0]["code"] == "author_mismatch"
    assert make.push(other, {**op, "author_id": other.user_id})[0]["code"] == "op_id_reused"


def test_what_a_long_batch_committed_before_trouble_answers_duplicate(
    make, doctor, broken, monkeypatch
) -> None:
    """A batch lets others in after each turn, so its beginning may stand when its end does not."""
    monkeypatch.setattr(service, "TURN_S", 0)
    ops = [create(make, doctor) for _ in range(4)]
    ops[3] = ops[0]  # a copy in a later turn
    honest = service.feed.lock
    turns: list[int] = []

    def lock() -> None:
        turns.append(1)
        if len(turns) == 3:
            broken.append("INSERT")
        honest()

    monkeypatch.setattr(service.feed, "lock", lock)
    assert send(doctor, *ops).status_code == 503
    broken.clear()
    results = send(doctor, *ops).get_json()["results"]
    assert [r["status"] for r in results] == ["duplicate", "duplicate", "applied", "duplicate"]


def test_numbers_of_the_feed_rise_and_pages_follow_them(make, doctor, app) -> None:
    patients = [create(make, doctor) for _ in range(3)]
    bad = create(make, doctor, id_card="370406195001010014")
    make.push(doctor, patients[0], bad, patients[1])
    make.push(doctor, bad)
    make.push(doctor, patients[2])
    with app.app_context():
        seqs = [db.session.get_one(Revision, op["op_id"]).seq for op in patients]
        assert seqs == sorted(set(seqs)) and seqs[-1] <= feed.position()
        touched = feed.touched(op["op_id"] for op in patients)
        assert all(
            seq <= touched[op["op_id"]] <= feed.position() for seq, op in zip(seqs, patients, strict=True)
        )


def test_a_writer_that_gave_up_lets_the_next_one_in(make, doctor, app) -> None:
    with app.app_context():
        for end in (db.session.rollback, db.session.commit, db.session.remove):
            token = writing.set(True)
            feed.lock()
            end()
            writing.reset(token)
            assert _elsewhere(lambda: send(doctor, create(make, doctor))).status_code == 200


@pytest.mark.parametrize(
    ("status", "is_an_answer"), [(404, True), (409, True), (422, True), (429, False), (503, False)]
)
def test_only_a_rule_s_no_is_an_answer_about_an_operation(status: int, is_an_answer: bool) -> None:
    """Rejected is for ever; what passes by itself must come out as trouble, so that the phone tries again."""

    def refuse(_op: object) -> None:
        raise DomainError("不行。", code="any", status=status)

    with pytest.raises(Rejected if is_an_answer else DomainError):
        judge._asked(refuse, None)  # type: ignore[arg-type]
