"""A backup made while others write is the database of one moment, and comes back row for row."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.models import AuditLine
from app.backup import content, restoring, service
from app.backup.trouble import BackupError
from app.extensions import db
from app.sync import feed
from app.sync.models import Revision
from tests.app.backup.conftest import a_postgres_database, an_app, close, is_sqlite, run
from tests.app.backup.filled import fill
from tests.factories import Factory


def everything(app: Flask) -> content.Known:
    with app.app_context():
        with db.engine.connect() as connection:
            found = content.take(connection)
        db.engine.dispose()
    return found


def without(known: content.Known, *tables: str) -> content.Known:
    return {name: what for name, what in known.items() if name not in tables}


@pytest.fixture
def elsewhere(app: Flask, folder: Path, tmp_path: Path, request: pytest.FixtureRequest):
    """A new machine: the same secrets, an empty database of the same engine."""
    if is_sqlite(app):
        made = an_app(f"sqlite:///{tmp_path / 'new' / 'machine.db'}", folder)
        yield made
        close(made)
        return
    with a_postgres_database(request.getfixturevalue("postgres_url")) as url:
        made = an_app(url, folder)
        yield made
        close(made)


def test_what_was_backed_up_comes_back_row_for_row_elsewhere(app, make, elsewhere, folder) -> None:
    done = fill(make)
    before = everything(app)
    made = run(app, "backup", "create")
    assert made.exit_code == 0, made.output
    [file] = folder.iterdir()
    assert str(file) in made.output and file.stat().st_mode & 0o077 == 0
    checked = run(elsewhere, "backup", "verify", file)
    assert checked.exit_code == 0 and checked.output.endswith("ok\n"), checked.output
    back = run(elsewhere, "backup", "restore", file, "--yes")
    assert back.exit_code == 0, back.output
    after = everything(elsewhere)
    assert content.differences(without(before, "feed_head"), without(after, "feed_head", "audit_lines")) == [
        "audit_lines is missing"
    ]
    with elsewhere.app_context():
        lines = db.session.scalars(select(AuditLine).order_by(AuditLine.id)).all()
        assert lines[-1].action == "backup.restore" and len(lines) == before["audit_lines"]["rows"] + 1
        assert db.session.scalar(select(func.count()).select_from(Revision)) == len(done)
        db.session.remove()
    doctor = Factory(elsewhere)
    doctor._users["village1"] = done[0]["author_id"]
    phone = doctor.signed_in("village1")
    pulled = {
        change["op_id"]: change["payload"]
        for change in phone.get("/api/sync/pull?limit=500").get_json()["changes"]
    }
    assert pulled == {op["op_id"]: op["payload"] for op in done}
    assert {r["status"] for r in doctor.push(phone, *done[:100])} == {"duplicate"}
    assert run(elsewhere, "audit", "verify").exit_code == 0


def test_a_backup_made_while_others_write_is_of_one_moment(app, make, elsewhere, pytestconfig) -> None:
    """Every operation leaves a revision and an audit line in one transaction: never one without the other."""
    fill(make, visits=5)
    stop, sent = threading.Event(), []

    def write() -> None:
        writer = make.signed_in("village")
        while not stop.is_set() or not sent:
            op = make.op(
                writer, "patient.create", make.patient_payload(birth=f"1940{len(sent) % 12 + 1:02d}01")
            )
            if (
                writer.post("/api/sync/push", json={"sent_at": op["recorded_at"], "ops": [op]}).status_code
                == 200
            ):
                sent.append(op)
            if len(sent) % 50 == 49:
                writer = make.signed_in("village")  # sixty pushes a minute and session

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with app.app_context():
            files = [service.create() for _ in range(pytestconfig.getoption("--backups"))]
    finally:
        stop.set()
        thread.join()
    counts = []
    for made in files:
        with elsewhere.app_context():
            assert service.verify(made.path)["tables"] == made.manifest["tables"]
            restoring.restore(made.path)
            revisions = db.session.scalar(select(func.count()).select_from(Revision))
            lines = db.session.scalar(
                select(func.count())
                .where(AuditLine.action.like("%.create"), AuditLine.object_id.is_not(None))
                .where(AuditLine.action.in_(("patient.create", "visit.create", "order.create")))
            )
            corrected = db.session.scalar(select(func.count()).where(Revision.kind == "visit.correct"))
            assert revisions == lines + corrected
            assert feed.position() >= db.session.scalar(select(func.max(Revision.seq)))
            counts.append(revisions)
            db.session.remove()
    assert counts == sorted(counts)


def test_restoring_asks_and_keeps_what_was_there(app, make, folder, tmp_path) -> None:
    fill(make, visits=3)
    run(app, "backup", "create")
    [file] = folder.iterdir()
    fill(make, visits=3)
    then = everything(app)
    asked = run(app, "backup", "restore", file)
    assert asked.exit_code == 1 and "28 patients, 6 visits" in asked.output and "--yes" in asked.output
    assert everything(app) == then
    back = run(app, "backup", "restore", file, "--yes")
    assert back.exit_code == 0 and "is kept as" in back.output, back.output
    assert everything(app)["visits"]["rows"] == 3
    if is_sqlite(app):
        names = sorted(path.name.split("-")[0] for path in (tmp_path / "data").iterdir())
        assert (
            names[0] == "own.db"
            and names[1] == "own.db.replaced"
            and not any("restoring" in n for n in names)
        )
        [aside] = (tmp_path / "data").glob("own.db.replaced-*")
        old = an_app(f"sqlite:///{aside}", folder)
        assert content.differences(then, everything(old)) == []
    else:
        with app.app_context():
            schemas = db.inspect(db.engine).get_schema_names()
            [aside] = [name for name in schemas if name.startswith("replaced_")]
            statement = select(func.count()).select_from(db.text(f'"{aside}".visits'))
            assert db.session.scalar(statement) == 6
            db.session.remove()


def test_a_restore_is_refused_while_a_server_has_the_database(app, make, folder, url) -> None:
    fill(make, visits=1)
    run(app, "backup", "create")
    [file] = folder.iterdir()
    server = an_app(url, folder)
    with server.app_context(), server.test_client() as client:
        assert client.get("/healthz").status_code == 200  # its pool keeps the connection
        refused = run(app, "backup", "restore", file, "--yes")
        assert refused.exit_code == 1 and "stop the web server" in refused.output
        assert client.get("/healthz").status_code == 200
    close(server)
    assert run(app, "backup", "restore", file, "--yes").exit_code == 0


def test_an_older_backup_is_brought_to_this_version(app, make, folder) -> None:
    from flask_migrate import downgrade

    fill(make, visits=2)
    with app.app_context():
        downgrade(revision="0001")
        db.engine.dispose()
        service.create()
    [file] = folder.iterdir()
    with app.app_context():
        assert service.listing()[0].manifest["revision"] == "0001"
        restoring.restore(file)
    assert everything(app)["visits"]["rows"] == 2
    assert run(app, "backup", "create").exit_code == 0  # which wants the newest version


def test_the_epoch_is_new_and_sign_ins_are_those_of_the_backup(app, make, folder) -> None:
    phone = make.signed_in("village")
    before = phone.get("/api/auth/me").get_json()["epoch"]
    cursor = phone.get("/api/sync/pull").get_json()["cursor"]
    run(app, "backup", "create")
    later = make.signed_in("village")
    [file] = folder.iterdir()
    assert run(app, "backup", "restore", file, "--yes").exit_code == 0
    assert phone.get("/api/auth/me").get_json()["epoch"] not in ("", before)
    gone = phone.get(f"/api/sync/pull?cursor={cursor}")
    assert (gone.status_code, gone.get_json()["code"]) == (410, "cursor_unknown")
    assert later.get("/api/auth/me").status_code == 401
    with app.app_context():
        again = feed.epoch()
        restoring.restore(file)
        assert feed.epoch() != again
        db.session.remove()


def test_backups_are_listed_and_the_oldest_let_go(app, make, folder, monkeypatch) -> None:
    from datetime import UTC, datetime, timedelta

    from app.jobs import runner, work
    from app.shared import clock

    night = datetime(2026, 6, 10, 18, 40, tzinfo=UTC)  # 02:40 in Shandong
    keep = an_app(str(app.config["SQLALCHEMY_DATABASE_URI"]), folder, BACKUP_KEEP="2")
    job = work.find("backup")
    for day in range(4):
        monkeypatch.setattr(clock, "now", lambda day=day: night + timedelta(days=day))
        assert runner.run(keep, job) == "done"
        monkeypatch.setattr(clock, "now", lambda day=day: night + timedelta(days=day, hours=1))
        assert runner.run(keep, job) == "nothing"  # tonight's is there
    close(keep)
    assert [path.name[:16] for path in sorted(folder.iterdir())] == ["nuanxun-20260613", "nuanxun-20260614"]
    (folder / "nuanxun-20200101-000000.nxbackup").write_bytes(b"nothing of the kind")
    listed = run(app, "backup", "list").output.splitlines()
    assert "cannot be opened" in listed[0] and "0 visits" in listed[1] and len(listed) == 3


def test_without_a_folder_no_backup_is_made_and_a_lost_folder_is_told(app, folder) -> None:
    from app.jobs import runner, work

    uri = str(app.config["SQLALCHEMY_DATABASE_URI"])
    none, lost = an_app(uri, ""), an_app(uri, folder / "unmounted")
    assert runner.run(none, work.find("backup")) == "nothing"
    refused = run(none, "backup", "create")
    assert refused.exit_code == 1 and "BACKUP_DIR is not set" in refused.output
    with none.app_context():
        from app.jobs.models import JobLease

        db.session.query(JobLease).delete()
        db.session.commit()
    assert runner.run(lost, work.find("backup")) == "failed"
    with lost.app_context():
        last = runner.newest("backup")
        assert last is not None and "is not a folder" in last.result
    close(none)
    close(lost)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"BACKUP_KEY": "another key for backups, 32 and more"}, "another key"),
        ({"SECRET_KEY": "another secret of 32 characters or more"}, "SECRET_KEY is not the one"),
    ],
)
def test_another_key_is_told_apart_from_damage(app, make, folder, given, words) -> None:
    run(app, "backup", "create")
    [file] = folder.iterdir()
    other = an_app(str(app.config["SQLALCHEMY_DATABASE_URI"]), folder, **given)
    refused = run(other, "backup", "restore", file, "--yes")
    assert refused.exit_code == 1 and words in refused.output and refused.output.count("\n") == 1
    close(other)


def test_without_a_key_of_its_own_a_backup_opens_with_the_secret_or_a_former_one(app, folder) -> None:
    uri, former = str(app.config["SQLALCHEMY_DATABASE_URI"]), "the former secret of thirty-two characters"
    plain = an_app(uri, folder, BACKUP_KEY="", SECRET_KEY=former)
    assert run(plain, "backup", "create").exit_code == 0
    close(plain)
    [file] = folder.iterdir()
    later = an_app(uri, folder, SECRET_KEY_FALLBACKS=former)
    assert run(later, "backup", "verify", file).exit_code == 0
    close(later)


def test_a_backup_of_the_other_engine_names_the_way(app, folder, tmp_path, request) -> None:
    run(app, "backup", "create")
    [file] = folder.iterdir()
    if is_sqlite(app):
        with a_postgres_database(request.getfixturevalue("postgres_url")) as url:
            other = an_app(url, folder)
            refused = run(other, "backup", "restore", file, "--yes")
            close(other)
    else:
        other = an_app(f"sqlite:///{tmp_path / 'other.db'}", folder)
        refused = run(other, "backup", "restore", file, "--yes")
        close(other)
    assert refused.exit_code == 1 and "flask db copy" in refused.output


def test_a_backup_of_a_newer_version_is_refused(app, folder, monkeypatch) -> None:
    run(app, "backup", "create")
    [file] = folder.iterdir()
    with app.app_context(), pytest.raises(BackupError, match="does not know version"):
        monkeypatch.setattr(restoring.ScriptDirectory, "walk_revisions", lambda *_: [])
        restoring.restore(file)
