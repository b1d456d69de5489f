"""Putting a backup in the place of the database. Until the last step what is there stays as it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from app.backup import archive, postgres, service, sqlite
from app.backup.archive import Manifest
from app.backup.trouble import BackupError
from app.config import ROOT
from app.extensions import db, writing
from app.shared import clock, secretbox
from app.sync import feed

MIGRATIONS = ROOT / "migrations"


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    epoch: str
    aside: str  # where what was there lies now: a file or a schema; empty when there was nothing


def look(path: Path) -> tuple[Manifest, str]:
    """The manifest of a backup that may be restored here, and what stands in its place, in words.

    Raises BackupError: another engine, another SECRET_KEY, a newer program, a database in use.
    """
    with service.opened(path) as (manifest, _):
        _require_fitting(manifest)
    db.session.remove()
    db.engine.dispose()
    if manifest["engine"] == "sqlite":
        sqlite.require_alone(_file())
    return manifest, _what_is_there()


def _require_fitting(manifest: Manifest) -> None:
    its, ours = manifest["engine"], db.engine.dialect.name
    if its != ours:
        raise BackupError(
            f"this is a backup of {its}, DATABASE_URL is {ours}: "
            f"restore it into {its}, then move with `flask db copy`"
        )
    if manifest["secret"] != secretbox.fingerprint():
        raise BackupError(
            "SECRET_KEY is not the one of that database: identity numbers in it could not be read. "
            "Set the SECRET_KEY of that time"
        )
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if manifest["revision"] not in known:
        raise BackupError(f"this program does not know version {manifest['revision']}: update it")


def _what_is_there() -> str:
    if db.engine.dialect.name == "sqlite" and not _file().exists():
        return ""
    try:
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql" and postgres.others(connection):
                raise BackupError(postgres.IN_USE)
            return _counted(connection)
    except SQLAlchemyError as error:
        if db.engine.dialect.name == "postgresql":
            kind = type(error).__name__
            raise BackupError(f"DATABASE_URL: the database cannot be opened ({kind})") from None
        return "a database that cannot be read"
    finally:
        db.engine.dispose()


def _counted(connection: Connection) -> str:
    tables = inspect(connection).get_table_names()
    if not tables:
        return ""
    words = [
        f"{connection.scalar(text(f'SELECT count(*) FROM {name}'))} {name}"  # noqa: S608  two fixed names
        for name in ("patients", "visits")
        if name in tables
    ]
    return f"a database with {', '.join(words)}" if words else f"a database with {len(tables)} tables"


def restore(path: Path) -> Restored:
    """Replace the database by the backup, checked, brought to this version, under a new epoch.

    Raises BackupError, and the database is as it was. What was replaced is kept aside.
    """
    manifest, there = look(path)
    token = writing.set(False)
    try:
        with service.opened(path) as (manifest, body):
            put = _into_sqlite if manifest["engine"] == "sqlite" else _into_postgres
            restored = put(manifest, body, bool(there))
    finally:
        writing.reset(token)
        db.engine.dispose()
    service.note("backup.restore", path.name)
    return restored


def _into_sqlite(manifest: Manifest, body: IO[bytes], there: bool) -> Restored:
    place = _file()
    new = place.with_name(f".{place.name}.restoring")
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f"{place.name}.replaced-{_stamp()}") if there else None
    try:
        new.unlink(missing_ok=True)
        with new.open("xb") as file:
            new.chmod(0o600)
            sqlite.write(archive.pieces(body), file, place.parent)
        connection, engine = sqlite.named(new)
        try:
            service.require_same(manifest, engine)
            epoch = _made_current(engine)
            service.require_sound(engine)
        finally:
            connection.close()
        sqlite.put(new, place, aside)
    except OSError as error:
        raise BackupError(f"{place.parent}: {error.strerror or type(error).__name__}") from None
    finally:
        for ending in ("", *sqlite.SIDE_FILES):
            Path(f"{new}{ending}").unlink(missing_ok=True)
    return Restored(manifest, epoch, str(aside) if aside else "")


def _into_postgres(manifest: Manifest, body: IO[bytes], there: bool) -> Restored:
    aside = f"replaced_{_stamp().replace('-', '_')}"
    try:
        with postgres.emptied(db.engine, aside):
            postgres.load(db.engine, archive.pieces(body), manifest["server"])
            service.require_same(manifest, db.engine)
            epoch = _made_current(db.engine)
        if not there:
            postgres.drop(db.engine, aside)
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", "") or type(error).__name__).splitlines()[0]
        raise BackupError(f"the database refused: {words[:200]}") from None
    return Restored(manifest, epoch, f'schema "{aside}"' if there else "")


def _made_current(engine: Engine) -> str:
    """Migrations to this program's version, then a new epoch: phones send again what the backup lacks."""
    with engine.connect() as connection:
        upgrade(connection)
        epoch = feed.begin_anew(connection)
        connection.commit()
    return epoch


def upgrade(connection: Connection) -> None:
    """Bring the database of this connection to the newest version, and commit."""
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    token = writing.set(True)
    try:
        command.upgrade(config, "head")
        connection.commit()
    finally:
        writing.reset(token)


def _stamp() -> str:
    """To the microsecond: nothing that was set aside before may be replaced by it."""
    return f"{clock.local(clock.now()):%Y%m%d-%H%M%S-%f}"


def _file() -> Path:
    return Path(str(db.engine.url.database))
