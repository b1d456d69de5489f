"""What every connection promises, and how writers of SQLite wait for each other."""

from __future__ import annotations

import select
import sqlite3
import time
from contextlib import suppress
from functools import cache

from sqlalchemy import Engine, Pool, event
from sqlalchemy.exc import InvalidatePoolError

from app import journal
from app.config import POOLER
from app.extensions import durable, patience, writing
from app.shared.fairlock import FairLock

SQLITE_BUSY_MS = 5000


@cache
def watch() -> None:
    """Have every engine of this process keep to it."""
    event.listen(Engine, "connect", _promises)
    event.listen(Engine, "begin", _begin)
    event.listen(Engine, "commit", _give_turn)
    event.listen(Engine, "rollback", _give_turn)
    event.listen(Pool, "checkin", _give_turn_of_a_lost_connection)
    event.listen(Pool, "checkin", _look_after_the_journal)
    event.listen(Pool, "checkin", _note_use)
    event.listen(Pool, "checkout", _still_there)


def _promises(connection, record):
    """What the feed and the answer `applied` rest on, whatever the database is set to by default."""
    if type(connection) is sqlite3.Connection:  # a backup's own copy is of a class of its own
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        # It fails while another process holds the file, or it is read-only; WAL stays set in the file.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={journal.PAGES_AT_MOST}")
        record.info[FILE] = connection.execute("PRAGMA database_list").fetchone()[2]
        connection.execute("PRAGMA foreign_keys=ON")
    elif _is_postgres(connection):
        # After waiting for the feed's lock the next statement must see what the former holder committed.
        connection.isolation_level = 2  # psycopg.IsolationLevel.READ_COMMITTED
        connection.execute(SETTLED)
        connection.commit()


# Only what is too weak, or was never thought about, is changed: `remote_apply` and the like stay. 4 is what a
# page out of order costs on a disk that turns: rather than 600 rows the planner then reads the whole table.
SETTLED = """
SELECT set_config(name, ours, false)
FROM (VALUES ('synchronous_commit', 'off', 'on'), ('random_page_cost', '4', '1.1')) AS our (name, given, ours)
WHERE current_setting(name) = given
"""


USED_AT = "used_at"
TRUSTED_S = 5  # a connection used so short a while ago is asked nothing


def _is_postgres(connection):
    return type(connection).__module__.startswith("psycopg")


def _note_use(_connection, record):
    if record is not None:
        record.info[USED_AT] = time.monotonic()


def _still_there(connection, record, _fairy):
    """Before a connection of the pool is used again: is there still somebody at the other end?

    A server that stops, or throws us out, says so, and then there is something to read on a connection that
    waits for nothing: to look costs no way there and back. One that vanished without a word is only found out
    by asking, which is done when the connection has rested.
    """
    used_at = record.info.get(USED_AT)
    if used_at is None or not _is_postgres(connection):
        return
    rested = time.monotonic() - used_at > TRUSTED_S
    if (rested or _has_word(connection)) and not _answers(connection):
        raise InvalidatePoolError  # this one, and all that were opened before


def _has_word(connection):
    if connection.closed:
        return True
    line = select.poll()
    line.register(connection.fileno(), select.POLLIN)
    return bool(line.poll(0))


def _answers(connection):
    import psycopg

    usual = connection.autocommit
    try:
        connection.autocommit = True
        connection.execute("")
        connection.autocommit = usual
    except psycopg.Error:
        return False
    return True


# Writers of this process come in the order in which they asked; between processes SQLite knows no order.
_turn = FairLock()
HAS_TURN, SYNCED, WRITES = "has_turn", "synced", "writes"
FILE = "file"
POLL_S = 0.0005  # a look costs some 15 µs; a turn of a push lasts 20 ms


# What a connection promises at its beginning, a pooler forgets with the transaction.
PROMISED_ANEW = (
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


def _begin(connection):
    if connection.dialect.name != "sqlite":
        if writing.get() and connection.get_execution_options().get(POOLER) == "transaction":
            connection.exec_driver_sql(PROMISED_ANEW)
        return
    if not writing.get():
        connection.exec_driver_sql("BEGIN")
        return
    _sync(connection)
    wait_s = patience.get()
    if wait_s is None:
        wait_s = SQLITE_BUSY_MS / 1000
    until = time.monotonic() + wait_s
    # A courtesy: who waits too long for it tries all the same.
    connection.info[HAS_TURN], waited = _turn.acquire(wait_s)
    if waited:
        time.sleep(2 * POLL_S)  # lets another process in, whose first writer polls too
    try:
        _begin_immediate(connection, until)
    except BaseException:
        _give_turn(connection)
        raise
    connection.info[WRITES] = True


def _sync(connection):
    """NORMAL waits for no disk: the next durable transaction brings these to the disk with it."""
    wanted = durable.get()
    if connection.info.get(SYNCED, True) is not wanted:
        level = "FULL" if wanted else "NORMAL"
        connection.connection.driver_connection.execute(f"PRAGMA synchronous={level}")
        connection.info[SYNCED] = wanted


def _begin_immediate(connection, until):
    """SQLite's own waiting grows to 100 ms between looks: too seldom to catch the gap between two turns."""
    raw = connection.connection.driver_connection
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < until:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(POLL_S)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for an error in SQLAlchemy's words
    finally:
        raw.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")


def _give_turn(connection):
    if connection.dialect.name == "sqlite" and connection.info.pop(HAS_TURN, False):
        _turn.release()


def _look_after_the_journal(_connection, record):
    if record is not None and record.info.pop(WRITES, False) and (file := record.info.get(FILE)):
        journal.of(file).written(_turn)


def _give_turn_of_a_lost_connection(_connection, record):
    if record is not None and record.info.pop(HAS_TURN, False):
        _turn.release()
