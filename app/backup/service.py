"""Making, proving and keeping backups. Putting one back: restoring.py."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.accounts import audit
from app.backup import archive, content, postgres, sqlite
from app.backup.archive import Manifest
from app.backup.trouble import BackupError
from app.config import ROOT, Settings
from app.extensions import db, writing
from app.shared import clock, secretbox

FORMAT = 1


@dataclass(frozen=True)
class Backup:
    """A file, and what it says about itself; `trouble` instead when it cannot be opened."""

    path: Path
    size: int
    manifest: Manifest
    trouble: str = ""

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.manifest["made_at"])

    @property
    def rows(self) -> int:
        return sum(table["rows"] for table in self.manifest["tables"].values())


def create(folder: Path | None = None) -> Backup:
    """A backup of the database as it is now, in `folder` or BACKUP_DIR. Others go on writing meanwhile.

    Raises BackupError. Nothing half made is left.
    """
    folder = the_folder(folder)
    with _reading():
        engine = db.engine
        made = _of_sqlite(engine, folder) if engine.dialect.name == "sqlite" else _of_postgres(engine, folder)
    note("backup.create", made.path.name)
    return made


def _of_sqlite(engine: Engine, folder: Path) -> Backup:
    with sqlite.snapshot(Path(str(engine.url.database))) as (copy, file):
        if found := sqlite.faults(copy):
            raise BackupError(f"the database itself is damaged: {found[0]}")
        with copy.connect() as connection:
            manifest = _manifest(connection, "sqlite")

        def body(to: IO[bytes]) -> None:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            for piece in archive.told(archive.pieces(file), size):
                to.write(piece)

        return _write(folder, manifest, body)


def _of_postgres(engine: Engine, folder: Path) -> Backup:
    with postgres.snapshot(engine) as (connection, moment):
        postgres.tool("pg_dump", postgres.major(connection))  # before the long work
        manifest = _manifest(connection, "postgresql")
        return _write(folder, manifest, lambda to: postgres.dump(connection, engine.url, moment, to))


def _write(folder: Path, manifest: Manifest, body: Callable[[IO[bytes]], None]) -> Backup:
    name = f"nuanxun-{clock.local(clock.now()):%Y%m%d-%H%M%S}"
    path = archive.write(folder, name, _settings().backup_key or _settings().secret_key, manifest, body)
    return Backup(path, path.stat().st_size, manifest)


def _manifest(connection: Connection, engine: str) -> Manifest:
    head = connection.exec_driver_sql("SELECT seq, epoch FROM feed_head").one()
    return {
        "format": FORMAT,
        "made_at": clock.local(clock.now()).isoformat(timespec="seconds"),
        "program": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "engine": engine,
        "server": postgres.major(connection) if engine == "postgresql" else 0,
        "revision": MigrationContext.configure(connection).get_current_revision(),
        "feed": {"seq": head.seq, "epoch": head.epoch},
        "secret": secretbox.fingerprint(),
        "tables": content.take(connection),
    }


def verify(path: Path) -> Manifest:
    """Read all of it: every byte as it was written, every row counted and summed. Raises BackupError."""
    with _reading(), opened(path) as (manifest, body):
        if manifest["engine"] == "sqlite":
            with sqlite.unpacked(archive.pieces(body), _workplace()) as engine:
                require_same(manifest, engine)
        else:
            _require(
                content.differences(
                    manifest["tables"],
                    postgres.sums(archive.pieces(body), manifest["server"], manifest["tables"]),
                )
            )
        return manifest


def require_same(manifest: Manifest, engine: Engine) -> None:
    """Raises BackupError unless the database holds what the manifest says."""
    require_sound(engine)
    with engine.connect() as connection:
        _require(content.differences(manifest["tables"], content.take(connection)))


def require_sound(engine: Engine) -> None:
    """Raises BackupError when SQLite finds its own file damaged. PostgreSQL loads nothing that is."""
    _require(sqlite.faults(engine) if engine.dialect.name == "sqlite" else [])


def _require(differences: list[str]) -> None:
    if differences:
        raise BackupError(f"the backup does not hold what it should: {'; '.join(differences[:3])}")


@contextmanager
def opened(path: Path) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """As archive.opened, with the secrets of this server."""
    settings = _settings()
    secrets = [settings.backup_key, settings.secret_key, *settings.secret_key_fallbacks]
    with archive.opened(path, [secret for secret in secrets if secret]) as (manifest, body):
        if manifest.get("format") != FORMAT:
            raise BackupError(f"{path.name} was made by a newer version of this program")
        yield manifest, body


def listing(folder: Path | None = None) -> list[Backup]:
    """What lies in the folder, oldest first; of each only the beginning is read."""
    return [_told(path) for path in archive.all_in(the_folder(folder))]


def _told(path: Path) -> Backup:
    try:
        with opened(path) as (manifest, _):
            return Backup(path, path.stat().st_size, manifest)
    except BackupError as error:
        return Backup(path, path.stat().st_size, {}, str(error))


def nightly(since: datetime) -> str:
    """The backup of a night, proved, and the oldest ones let go. Nothing if it was made `since` then.

    Raises BackupError; then nothing is deleted.
    """
    if not _settings().backup_dir:
        return ""
    newest_first = map(_told, reversed(archive.all_in(the_folder(None))))
    newest = next((backup for backup in newest_first if not backup.trouble), None)
    if newest is not None and newest.made_at >= since:
        return ""
    made = create()
    verify(made.path)
    gone = prune()
    told = f"{made.path.name}, {made.size / 1e6:.1f} MB, {made.rows} rows"
    return f"{told}, {gone} old deleted" if gone else told


def prune() -> int:
    """Delete from BACKUP_DIR what is older than the newest BACKUP_KEEP. Returns how many."""
    old = archive.all_in(the_folder(None))[: -_settings().backup_keep]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def the_folder(folder: Path | None) -> Path:
    """Raises BackupError when there is none: a disk that is not mounted must not be filled in its place."""
    if folder is None:
        if not _settings().backup_dir:
            raise BackupError("BACKUP_DIR is not set: set it, or name a folder")
        folder = Path(_settings().backup_dir)
    if not folder.is_dir():
        raise BackupError(f"{folder} is not a folder")
    return folder


def note(action: str, name: str) -> None:
    """In the audit, as every export. What was done counts even if the database cannot be written now."""
    token = writing.set(True)
    try:
        audit.note(action, object_id=name[:64])
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        kind = type(error).__name__
        current_app.logger.warning("%s %s could not be noted in the audit (%s)", action, name, kind)
    finally:
        writing.reset(token)


def _workplace() -> Path:
    """Where a database may lie unencrypted for a while: beside ours, else where such files go."""
    url = db.engine.url
    beside = Path(str(url.database)).parent if url.get_backend_name() == "sqlite" else None
    return beside if beside is not None and beside.is_dir() else Path(tempfile.gettempdir())


@contextmanager
def _reading() -> Iterator[None]:
    """Copies are read for minutes: never under the lock that writers queue for."""
    token = writing.set(False)
    try:
        yield
    finally:
        writing.reset(token)


def _settings() -> Settings:
    settings: Any = current_app.config["SETTINGS"]
    assert isinstance(settings, Settings)
    return settings
