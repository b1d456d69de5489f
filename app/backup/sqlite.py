"""SQLite: a copy made while others write, and a file put in another's place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.exc import DatabaseError

from app.backup import archive
from app.backup.trouble import BackupError

BUSY_S = 60.0
WAL_MARKS = 18  # bytes 18 and 19 of the file: 2 for WAL, 1 without (SQLite file format §1.3.3)
SIDE_FILES = ("-wal", "-shm", "-journal")


class Copy(sqlite3.Connection):
    """A connection to a file nobody else knows: what the server's are told (WAL) is not for it."""


@contextmanager
def snapshot(path: Path) -> Iterator[tuple[Engine, IO[bytes]]]:
    """The database as it is at one moment, to be asked and to be read as a file. Writers are not held up.

    The copy lies beside the database, unencrypted as that is, and has no name: it ends with this process.
    """
    if not path.is_file():
        raise BackupError(f"{path}: there is no database")
    try:
        with _nameless(path.parent) as (into, copy, file):
            _alone_with(into)
            source = sqlite3.connect(path, isolation_level=None)
            try:
                # In one step: in pieces it would begin anew whenever somebody writes.
                source.backup(into, progress=_patience(path))
            finally:
                source.close()
            into.close()
            file.seek(WAL_MARKS)
            file.write(b"\x01\x01")  # else whoever opens it looks for a -wal file
            file.flush()
            _alone_with(copy)
            yield _engine(copy), file
    except (sqlite3.Error, DatabaseError) as error:
        raise BackupError(f"{path}: {_words(error)}") from None


@contextmanager
def unpacked(body: Iterator[bytes], folder: Path) -> Iterator[Engine]:
    """A database file out of a backup, without a name, to be asked."""
    try:
        with _nameless(folder) as (_, copy, file):
            write(body, file, folder)
            _alone_with(copy)
            yield _engine(copy)
    except (sqlite3.Error, DatabaseError) as error:
        raise BackupError(f"the database in the backup is damaged: {_words(error)}") from None


@contextmanager
def _nameless(folder: Path) -> Iterator[tuple[Copy, Copy, IO[bytes]]]:
    """An empty file, opened three times: to copy a database into, to ask it, and as a file.

    Its name is taken away before anything is written to it. No connection has looked at it yet.
    """
    handle, name = tempfile.mkstemp(prefix=".nuanxun-", suffix=".copy", dir=folder)
    with os.fdopen(handle, "r+b") as file, closing(_open(name)) as into, closing(_open(name)) as copy:
        os.unlink(name)
        yield into, copy, file


def _open(path: Path | str) -> Copy:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Copy)


def _alone_with(copy: Copy) -> None:
    """No lock and no journal beside a file that has no name; nothing of it outlives a crash anyway."""
    for setting in ("locking_mode=EXCLUSIVE", "journal_mode=MEMORY", "synchronous=OFF"):
        copy.execute(f"PRAGMA {setting}")


def _patience(path: Path) -> Callable[[int, int, int], None]:
    """Somebody may hold the whole database for a while (another tool, a repair), but not for ever."""
    until = time.monotonic() + BUSY_S

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            raise BackupError(f"{path}: another program keeps the whole database locked")

    return look


def write(body: Iterator[bytes], file: IO[bytes], folder: Path) -> None:
    """The database out of a backup onto the disk. Raises BackupError when there is no room."""
    for piece in body:
        try:
            file.write(piece)
        except OSError as error:
            raise BackupError(f"{folder}: {error.strerror}") from None
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}") from None


def _engine(connection: sqlite3.Connection) -> Engine:
    return create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


def named(path: Path) -> tuple[sqlite3.Connection, Engine]:
    """A file of a restore that is still to get its place; committed to the disk before that."""
    connection = _open(path)
    connection.execute("PRAGMA synchronous=FULL")
    return connection, _engine(connection)


def faults(engine: Engine) -> list[str]:
    """What SQLite itself finds wrong with the file."""
    try:
        with engine.connect() as connection:
            said = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    except DatabaseError as error:  # too damaged to be looked through
        return [str(error.orig)]
    found = [line for line in said if line != "ok"]
    return found + [f"{row[0]} points to a missing {row[2]}" for row in loose[:5]]


def require_alone(path: Path) -> None:
    """Raises BackupError while another process has the database open. Puts its -wal file in order.

    A file too damaged to be asked is looked for among the open files of this machine.
    """
    if not path.exists():
        return
    try:
        _alone(path).close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        ):
            raise BackupError(_in_use(path)) from None
        if _is_open(path):
            raise BackupError(_in_use(path)) from None


def _in_use(path: Path) -> str:
    return f"{path} is in use: stop the web server and the scheduler first"


def _alone(path: Path) -> sqlite3.Connection:
    """Nobody else can have a database open whose mode changes from WAL to DELETE."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA busy_timeout=500")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_open(path: Path) -> bool:
    """Whether a process we may look at has the file open (Linux)."""
    wanted = path.resolve()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if int(link.parts[2]) != os.getpid() and Path(os.readlink(link)) == wanted:
                return True
    return False


def put(new: Path, path: Path, aside: Path | None) -> None:
    """Give `new` the place of `path`; what was there goes to `aside`. Raises BackupError if it is in use."""
    require_alone(path)
    owner = path if path.exists() else path.parent
    shutil.copymode(path, new) if path.exists() else new.chmod(0o600)
    with suppress(PermissionError):  # root restores what the server's own user must be able to write
        os.chown(new, owner.stat().st_uid, owner.stat().st_gid)
    held = None
    with suppress(sqlite3.DatabaseError):
        held = _alone(path) if path.exists() else None
    try:
        if aside is not None and path.exists():
            try:
                os.link(path, aside)  # so that there is a database at every moment
            except OSError:
                os.rename(path, aside)
        for ending in SIDE_FILES:  # a -wal of the old file would be taken for one of the new
            old = Path(f"{path}{ending}")
            if old.exists():
                os.rename(old, f"{aside}{ending}") if aside is not None else old.unlink()
        os.replace(new, path)
        archive.sync_folder(path.parent)
    finally:
        if held is not None:
            held.close()


def _words(error: sqlite3.Error | DatabaseError) -> str:
    """SQLite's own words: those of SQLAlchemy show the statement."""
    return str(getattr(error, "orig", error)) or type(error).__name__
