"""Damage, wrong keys, full disks, kills: told in one line, and nothing half made, lost or replaced."""

from __future__ import annotations

import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.backup import archive, content, crypt, postgres, service, sqlite
from app.backup.trouble import BackupError
from app.config import ROOT
from app.extensions import db
from tests.app.backup.conftest import is_sqlite, run
from tests.app.backup.filled import fill

KEY = "k" * 32


def a_file(folder: Path, size: int = 50_000) -> Path:
    return archive.write(
        folder, "nuanxun-a", KEY, {"said": "说"}, lambda to: to.write(secrets.token_bytes(size))
    )


def read(path: Path, key: str = KEY) -> bytes:
    with archive.opened(path, [key]) as (manifest, body):
        assert manifest == {"said": "说"}
        return b"".join(archive.pieces(body))


@pytest.fixture
def small_chunks(monkeypatch) -> int:
    monkeypatch.setattr(crypt, "CHUNK", 4096)
    return 4096 + crypt.TAG


HEAD = len(crypt.MAGIC) + crypt.SALT + crypt.CHECK


@pytest.mark.parametrize("size", [0, 1, 4000, 4096, 50_000])
def test_what_went_in_comes_out(folder, small_chunks, size) -> None:
    assert len(read(a_file(folder, size))) == size


@pytest.mark.parametrize("place", [0, 16, 47, 48, HEAD, HEAD + 5, HEAD + 5000, -17, -1])
def test_a_changed_byte_is_noticed_wherever_it_is(folder, small_chunks, place) -> None:
    path = a_file(folder)
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    with pytest.raises(BackupError):
        read(path)


def test_chunks_cut_off_repeated_or_exchanged_are_noticed(folder, small_chunks) -> None:
    path = a_file(folder)
    raw = path.read_bytes()
    head, one, two, rest = (
        raw[:HEAD],
        raw[HEAD : HEAD + small_chunks],
        raw[HEAD + small_chunks : HEAD + 2 * small_chunks],
        raw[HEAD + 2 * small_chunks :],
    )
    last = len(rest) % small_chunks
    wrong = [
        raw[:-last], raw[:-1], raw[: HEAD + small_chunks], head, head[:20], b"", raw + b"\0", raw + one,
        head + two + one + rest, head + one + one + two + rest, head + two + rest, raw + raw,
    ]  # fmt: skip
    for content_ in wrong:
        path.write_bytes(content_)
        with pytest.raises(BackupError):
            read(path)
    path.write_bytes(raw)
    with pytest.raises(BackupError, match="another key"):
        read(path, "another" * 8)


def test_every_file_has_a_key_of_its_own(folder) -> None:
    def one(name: str) -> bytes:
        return archive.write(folder, name, KEY, {}, lambda to: to.write(b"same")).read_bytes()

    same = [one("nuanxun-a"), one("nuanxun-b")]
    assert same[0][HEAD:] != same[1][HEAD:]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, was[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)


def test_a_full_disk_leaves_no_half_backup(folder) -> None:
    with no_file_larger_than(2_000_000), pytest.raises(BackupError, match=str(folder)):
        a_file(folder, 5_000_000)
    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_the_database_and_the_older_backups(app, make, folder, tmp_path) -> None:
    fill(make, visits=2)
    assert run(app, "backup", "create").exit_code == 0
    [file] = folder.iterdir()
    fill(make, visits=1)
    with app.app_context():
        db.engine.dispose()
    with no_file_larger_than(20_000):
        refused = run(app, "backup", "create")
        assert refused.exit_code == 1 and refused.output.count("\n") == 1, refused.output
        if is_sqlite(app):
            back = run(app, "backup", "restore", file, "--yes")
            assert back.exit_code == 1 and back.output.count("\n") == 2, back.output
    assert list(folder.iterdir()) == [file]
    if is_sqlite(app):
        left = {path.name for path in (tmp_path / "data").iterdir()}
        assert left <= {"own.db", "own.db-wal", "own.db-shm"}
    with app.app_context(), db.engine.connect() as connection:
        assert content.take(connection)["visits"]["rows"] == 3
    assert run(app, "backup", "create").exit_code == 0


def test_an_interrupted_backup_leaves_nothing(folder) -> None:
    def interrupted(_to: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.write(folder, "nuanxun-a", KEY, {}, interrupted)
    assert list(folder.iterdir()) == []


def test_a_killed_backup_has_no_name_and_is_swept_by_the_next(folder) -> None:
    killed = f"""
import os, signal
from pathlib import Path
from app.backup import archive
def body(to):
    to.write(os.urandom(3_000_000))
    os.kill(os.getpid(), signal.SIGKILL)
archive.write(Path({str(folder)!r}), "nuanxun-a", "k" * 32, {{}}, body)
"""
    done = subprocess.run([sys.executable, "-c", killed], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    [left] = folder.iterdir()
    assert left.name.endswith(".part") and archive.all_in(folder) == []
    written: list[Path] = []

    def beside(_to: object) -> None:  # what another process still writes is left alone
        written.append(archive.write(folder, "nuanxun-c", KEY, {}, lambda to: to.write(b"c")))

    made = archive.write(folder, "nuanxun-b", KEY, {}, beside)  # type: ignore[arg-type]
    assert sorted(folder.iterdir()) == sorted([made, *written])


def test_two_backups_in_a_second_are_two_files(folder) -> None:
    assert len({a_file(folder) for _ in range(3)}) == 3


def test_a_damaged_backup_replaces_nothing(app, make, folder) -> None:
    fill(make, visits=2)
    run(app, "backup", "create")
    [file] = folder.iterdir()
    raw = bytearray(file.read_bytes())
    raw[-20] ^= 1
    file.write_bytes(raw)
    fill(make, visits=1)
    for command in (["verify", file], ["restore", file, "--yes"]):
        refused = run(app, "backup", *command)
        assert refused.exit_code == 1 and "Error: " in refused.output, refused.output
    with app.app_context(), db.engine.connect() as connection:
        assert content.take(connection)["visits"]["rows"] == 3


def test_a_backup_that_does_not_hold_what_it_says_replaces_nothing(app, make, folder, monkeypatch) -> None:
    fill(make, visits=2)
    honest = content.take

    def boasting(*args: object) -> content.Known:
        found = honest(*args)  # type: ignore[arg-type]
        found["visits"]["rows"] += 1
        return found

    monkeypatch.setattr(content, "take", boasting)
    with app.app_context():
        file = service.create().path
    monkeypatch.undo()
    for command in (["verify", file], ["restore", file, "--yes"]):
        refused = run(app, "backup", *command)
        assert refused.exit_code == 1 and "visits has 2 rows instead of 3" in refused.output, refused.output
    with app.app_context(), db.engine.connect() as connection:
        assert content.take(connection)["visits"]["rows"] == 2


def test_a_damaged_database_is_not_backed_up_but_can_be_replaced(app, make, folder) -> None:
    if not is_sqlite(app):
        return  # PostgreSQL's files are its own
    fill(make, visits=2)
    run(app, "backup", "create")
    [file] = folder.iterdir()
    with app.app_context():
        path = Path(str(db.engine.url.database))
        db.engine.dispose()
    sound = path.read_bytes()
    for start, broken in ((len(sound) // 2, b"\xff" * 40_000), (0, b"no database at all " * 40)):
        path.write_bytes(sound[:start] + broken + sound[start + len(broken) :])
        for side in sqlite.SIDE_FILES:
            Path(f"{path}{side}").unlink(missing_ok=True)
        with app.app_context(), pytest.raises(BackupError):
            service.create()
        back = run(app, "backup", "restore", file, "--yes")
        assert back.exit_code == 0, back.output
        with app.app_context(), db.engine.connect() as connection:
            assert content.take(connection)["visits"]["rows"] == 2
        with app.app_context():
            db.engine.dispose()


def test_without_the_programs_of_postgresql_one_line_says_so(app, folder, monkeypatch) -> None:
    if is_sqlite(app):
        return
    monkeypatch.setattr(postgres, "_places", lambda _name: iter(()))
    refused = run(app, "backup", "create")
    assert refused.exit_code == 1 and "install the client programs of PostgreSQL" in refused.output
    assert refused.output.count("\n") == 1 and list(folder.iterdir()) == []
    monkeypatch.setattr(postgres, "_places", lambda _name: iter([sys.executable]))
    assert "was not found" in run(app, "backup", "create").output
