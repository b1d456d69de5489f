"""Rows written beside a request, in one statement that begins and commits by itself.

For lines that stand on their own and say what has happened anyway: that somebody has read a record. On SQLite
a transaction of three calls holds the only write lock while threads of this process wait in turn for the
interpreter, and four readers at once would spend most of their time waiting for each other. In one call
SQLite takes the lock, writes and lets go before any Python runs again. On PostgreSQL it is one way there and
back instead of three.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Engine, Table, event
from sqlalchemy.exc import OperationalError

from app.config import POOLER
from app.connections import POLL_S, SQLITE_BUSY_MS
from app.extensions import one_by_one, writing
from app.journal import PAGES_AT_MOST

MOST = 500  # rows in one statement; SQLite takes 32,766 values

# Connections of their own to SQLite, for as long as the engine keeps its own: made NORMAL and impatient once,
# so that nothing is switched back and forth. NORMAL waits for no disk: a killed program loses nothing, a
# power cut may, until something durable is written.
_idle: WeakKeyDictionary[Engine, deque[sqlite3.Connection]] = WeakKeyDictionary()


def insert(engine: Engine, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store `rows`, of which all have the same columns; they stand when this returns.

    Raises OperationalError when the database cannot be written, or (SQLite) is not free for five seconds.
    """
    lite = engine.dialect.name == "sqlite"
    for start in range(0, len(rows), MOST):
        part = rows[start : start + MOST]
        names = tuple(part[0])
        binds = _binds(table, names, engine.dialect)
        values = [bind(row[name]) for row in part for name, bind in zip(names, binds, strict=True)]
        statement = _statement(table, names, len(part), "?" if lite else "%s")
        (_lite if lite else _postgres)(engine, statement, values)


def _postgres(engine: Engine, statement: str, values: list[Any]) -> None:
    """Behind a pooler in a transaction, at whose beginning it is promised anew that what is written lasts."""
    pooled = engine.get_execution_options().get(POOLER) == "transaction"
    token = writing.set(True)
    try:
        with (engine if pooled else one_by_one(engine)).begin() as connection:
            connection.exec_driver_sql(statement, tuple(values))
    finally:
        writing.reset(token)


def _lite(engine: Engine, statement: str, values: list[Any]) -> None:
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
    connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_AT_MOST}")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


@event.listens_for(Engine, "engine_disposed")
def _close(engine: Engine) -> None:
    idle = _idle.get(engine, deque())
    while idle:
        idle.pop().close()


@cache
def _statement(table: Table, names: tuple[str, ...], rows: int, mark: str) -> str:
    one = f"({', '.join([mark] * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({columns}) VALUES {', '.join([one] * rows)}"  # noqa: S608  no values


@cache
def _binds(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[Callable[[Any], Any], ...]:
    found = (table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    return tuple(bind or _as_it_is for bind in found)


def _as_it_is(value: Any) -> Any:
    return value
