"""The Flask extensions, made once and bound to the app in create_app()."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime

from flask_compress import Compress
from flask_htmx import HTMX
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, Pool, event
from sqlalchemy.orm import DeclarativeBase, registry

from app.shared.columns import JsonText, UtcDateTime
from app.shared.fairlock import FairLock

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLITE_BUSY_MS = 5000


class Base(DeclarativeBase):
    """`Mapped[datetime]` is a UTC moment, `Mapped[dict]`/`Mapped[list]` JSON text, on both databases."""

    metadata = MetaData(naming_convention=NAMES)
    registry = registry(
        metadata=metadata, type_annotation_map={datetime: UtcDateTime, dict: JsonText, list: JsonText}
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate(render_as_batch=True)
login_manager = LoginManager()
htmx = HTMX()
compress = Compress()

# True while the current request or job means to write: SQLite then takes the write lock at BEGIN,
# so that two writers queue (busy_timeout) instead of failing half-way with SQLITE_BUSY.
writing: ContextVar[bool] = ContextVar("writing", default=False)

# How long, in seconds, a writer waits for the others. What may as well be left undone says 0.
patience: ContextVar[float] = ContextVar("patience", default=SQLITE_BUSY_MS / 1000)

# False while what is written outlives this program's death, but need not outlive a power cut (SQLite only).
durable: ContextVar[bool] = ContextVar("durable", default=True)


@event.listens_for(Engine, "connect")
def _promises(connection, _record):
    """What the feed and the answer `applied` rest on, whatever the database is set to by default."""
    if type(connection) is sqlite3.Connection:  # a backup's own copy is of a class of its own
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        # It fails while another process holds the file, or it is read-only; WAL stays set in the file.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    elif type(connection).__module__.startswith("psycopg"):
        # After waiting for the feed's lock the next statement must see what the former holder committed.
        connection.isolation_level = 2  # psycopg.IsolationLevel.READ_COMMITTED
        # Only what is too weak is lifted: `remote_apply` and the like stay.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()


# Writers of this process come in the order in which they asked; between processes SQLite knows no order.
_turn = FairLock()
HAS_TURN, SYNCED = "has_turn", "synced"
POLL_S = 0.002


@event.listens_for(Engine, "begin")
def _begin(connection):
    if connection.dialect.name != "sqlite":
        return
    _sync(connection)
    if not writing.get():
        connection.exec_driver_sql("BEGIN")
        return
    until = time.monotonic() + patience.get()
    # A courtesy: who waits too long for it tries all the same.
    connection.info[HAS_TURN], waited = _turn.acquire(patience.get())
    if waited:
        time.sleep(2 * POLL_S)  # lets another process in, whose first writer polls too
    try:
        _begin_immediate(connection, until)
    except BaseException:
        _give_turn(connection)
        raise


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


@event.listens_for(Engine, "commit")
@event.listens_for(Engine, "rollback")
def _give_turn(connection):
    if connection.dialect.name == "sqlite" and connection.info.pop(HAS_TURN, False):
        _turn.release()


@event.listens_for(Pool, "checkin")
def _give_turn_of_a_lost_connection(_connection, record):
    if record is not None and record.info.pop(HAS_TURN, False):
        _turn.release()
