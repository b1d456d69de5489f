"""Rows written beside a request, in one statement that begins and commits by itself.

For lines that stand on their own and say what has happened anyway: that somebody has read a record. On SQLite
a transaction of three calls holds the only write lock while threads of this process wait in turn for the
interpreter, and four readers at once would spend most of their time waiting for each other. In one call
SQLite takes the lock, writes and lets go before any Python runs again.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

from app.connections import POLL_S, SQLITE_BUSY_MS

MOST = 500  # rows in one statement; SQLite takes 32,766 values
_DIALECT = sqlite.dialect()

# Connections of their own, for as long as the engine keeps its own: made NORMAL and impatient once, so that
# nothing is switched back and forth. NORMAL waits for no disk: a killed program loses nothing, a power cut
# may, until something durable is written.
_idle: WeakKeyDictionary[Engine, deque[sqlite3.Connection]] = WeakKeyDictionary()


def insert(engine: Engine, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store `rows`, of which all have the same columns, in an SQLite database; they stand when this returns.

    Raises OperationalError when the database cannot be written, or is not free for five seconds.
    """
    for start in range(0, len(rows), MOST):
        part = rows[start : start + MOST]
        names = tuple(part[0])
        binds = _binds(table, names)
        values = [bind(row[name]) for row in part for name, bind in zip(names, binds, strict=True)]
        statement = _statement(table, names, len(part))
        try:
            _execute(engine, statement, values)
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error


def _execute(engine: Engine, statement: str, values: list[Any]) -> None:
    idle = _idle.setdefault(engine, deque())
    try:
        connection = idle.pop()
    except IndexError:
        connection = _open(engine)
    try:
        _patiently(connection, statement, values)
    except BaseException:
        connection.close()
        raise
    idle.append(connection)


def _patiently(connection: sqlite3.Connection, statement: str, values: list[Any]) -> None:
    """Others hold the lock for some milliseconds; the gap between two of them is short, so look often."""
    until = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            connection.execute(statement, values)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(POLL_S)


def _open(engine: Engine) -> sqlite3.Connection:
    arguments, given = engine.dialect.create_connect_args(engine.url)
    options: dict[str, Any] = {**given, "check_same_thread": False, "timeout": 0}
    connection: sqlite3.Connection = sqlite3.connect(*arguments, **options)  # type: ignore[call-overload]
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


@event.listens_for(Engine, "engine_disposed")
def _close(engine: Engine) -> None:
    idle = _idle.get(engine, deque())
    while idle:
        idle.pop().close()


@cache
def _statement(table: Table, names: tuple[str, ...], rows: int) -> str:
    one = f"({', '.join('?' * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table.name}" ({columns}) VALUES {", ".join([one] * rows)}'  # noqa: S608  no values


@cache
def _binds(table: Table, names: tuple[str, ...]) -> tuple[Callable[[Any], Any], ...]:
    found = (table.c[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name in names)
    return tuple(bind or _as_it_is for bind in found)


def _as_it_is(value: Any) -> Any:
    return value
