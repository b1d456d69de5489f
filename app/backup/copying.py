"""Moving everything to another database: row by row as it is, in one transaction, and compared at the end.

The history goes along (op_ids, feed numbers, epoch), so phones notice nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import Column, Connection, Table, create_engine, func, insert, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import Integer, String

from app.backup import content, postgres, restoring, service, sqlite
from app.backup.trouble import BackupError
from app.config import engine_options
from app.extensions import db, writing
from app.shared import progress

CHUNK = 1000
FILLED_BY_MIGRATIONS = ("feed_head", "audit_chain", content.VERSION_TABLE)


@dataclass(frozen=True)
class Moved:
    table: str
    rows: int
    sum: str


def copy(to: str) -> list[Moved]:
    """Copy the app's database, which nobody else may be using, into the empty one at `to`.

    Raises BackupError, and then the other database holds no row.
    """
    if make_url(to) == db.engine.url:
        raise BackupError("--to is the database itself")
    db.session.remove()
    db.engine.dispose()
    if db.engine.dialect.name == "sqlite":
        sqlite.require_alone(Path(str(db.engine.url.database)))
    else:
        with db.engine.connect() as connection:
            if postgres.others(connection):
                raise BackupError(postgres.IN_USE)
    target = create_engine(to, **engine_options(to, current_app.config["SETTINGS"]))
    token = writing.set(False)
    try:
        with target.connect() as connection:
            _require_empty(connection)
            restoring.upgrade(connection)
            service.note("database.copy", target.url.database or "")
            with db.engine.connect() as source:
                return _copied(source, connection)
    except SQLAlchemyError as error:
        raise BackupError(f"the copy was given up: {_words(error)}") from None
    finally:
        writing.reset(token)
        target.dispose()
        db.engine.dispose()


def _require_empty(connection: Connection) -> None:
    for table in content.tables(connection):
        if table.name in FILLED_BY_MIGRATIONS:
            continue
        if connection.execute(select(text("1")).select_from(table).limit(1)).first() is not None:
            raise BackupError(f"--to is not empty: there are rows in {table.name}")
    connection.rollback()


def _copied(source: Connection, target: Connection) -> list[Moved]:
    moved = []
    there = {table.name: table for table in content.tables(target)}
    for table in content.tables(source):
        if table.name == content.VERSION_TABLE:
            continue
        if table.name not in there:
            raise BackupError(f"{table.name} is not a table of this program")
        target.execute(there[table.name].delete())  # what the migrations put there, nothing else
        moved.append(_table(source, target, table, there[table.name]))
    target.commit()
    return moved


def _table(source: Connection, target: Connection, table: Table, there: Table) -> Moved:
    names = [column.name for column in content.columns(table)]
    if names != [column.name for column in content.columns(there)]:
        raise BackupError(f"{table.name} has other columns there")
    total = source.scalar(select(func.count()).select_from(table)) or 0
    sent, done = content.Sum(), 0
    progress.step(table.name, 0, total)
    rows = _parents_first(source, table)
    while chunk := list(islice(rows, CHUNK)):
        for row in chunk:
            _require_room(there, row)
            sent.add(row)
        target.execute(insert(there), [dict(zip(names, row, strict=True)) for row in chunk])
        done += len(chunk)
        progress.step(table.name, done, total)
    _follow_on(target, there)
    arrived = content.Sum()
    for row in content.rows(target, there):
        arrived.add(row)
    if (sent.rows, sent.total) != (arrived.rows, arrived.total):
        raise BackupError(f"{table.name} did not arrive as it was sent")
    return Moved(table.name, sent.rows, sent.hex)


def _parents_first(source: Connection, table: Table) -> Iterator[Any]:
    """A row of a table that points to itself (a village to its town) comes after the one it points to."""
    own = [key for key in table.foreign_keys if key.column.table is table]
    if not own:
        yield from content.rows(source, table)
        return
    names = [column.name for column in content.columns(table)]
    above, key = names.index(own[0].parent.name), names.index(own[0].column.name)
    waiting, known = list(content.rows(source, table)), {None}
    while waiting:
        ready = [row for row in waiting if row[above] in known]
        if not ready:
            raise BackupError(f"{table.name} points to rows that are missing")
        yield from ready
        known |= {row[key] for row in ready}
        waiting = [row for row in waiting if row[key] not in known]


def _require_room(table: Table, row: Any) -> None:
    """SQLite keeps any text in a short column; PostgreSQL would refuse it without saying where it is."""
    for column, value in zip(content.columns(table), row, strict=True):
        if not isinstance(column.type, String) or not isinstance(value, str):
            continue
        length = column.type.length
        if "\x00" in value or (length is not None and len(value) > length):
            key = {c.name: row[i] for i, c in enumerate(content.columns(table)) if c.primary_key}
            why = "holds a NUL" if "\x00" in value else f"has {len(value)} characters, {length} fit"
            raise BackupError(f"{table.name} {key}: {column.name} {why}")


def _follow_on(target: Connection, table: Table) -> None:
    """Numbers given by PostgreSQL go on after the highest that came with the rows."""
    if target.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        if isinstance(column.type, Integer) and _sequence(target, table, column) is not None:
            target.execute(
                text("SELECT setval(CAST(:name AS regclass), :next, false)"),
                {
                    "name": _sequence(target, table, column),
                    "next": (target.scalar(select(func.max(column))) or 0) + 1,
                },
            )


def _sequence(target: Connection, table: Table, column: Column[Any]) -> str | None:
    found: str | None = target.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    return found


def _words(error: SQLAlchemyError) -> str:
    """The first line alone: the next ones may show the row."""
    said = str(getattr(error, "orig", None) or type(error).__name__)
    return said.splitlines()[0][:200]
