"""The Flask extensions, made once and bound to the app in create_app()."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask_compress import Compress
from flask_htmx import HTMX
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Engine, MetaData
from sqlalchemy.orm import DeclarativeBase, registry

from app.shared.columns import JsonText, UtcDateTime

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """`Mapped[datetime]` is a UTC moment, `Mapped[dict]`/`Mapped[list]` JSON text, on both databases."""

    metadata = MetaData(naming_convention=NAMES)
    registry = registry(
        metadata=metadata, type_annotation_map={datetime: UtcDateTime, dict: JsonText, list: JsonText}
    )


class RoutedSession(Session):
    """Asks the primary, and the replica only for what a view reads that app/replica.py let go there.

    A request that only asks sends PostgreSQL its questions one by one (`asking`).
    """

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **more: Any) -> Any:
        elsewhere = reading_from.get()
        if bind is None and elsewhere is not None:
            return elsewhere
        found = super().get_bind(mapper, clause, bind, **more)
        if asking.get() and not writing.get() and _is_question(clause) and found.dialect.name != "sqlite":
            return one_by_one(found)
        return found


def _is_question(clause: Any) -> bool:
    return clause is not None and clause.is_select and getattr(clause, "_for_update_arg", None) is None


@lru_cache(maxsize=8)
def one_by_one(engine: Engine) -> Engine:
    """The same engine with the same connections; each statement is a transaction of its own."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


db = SQLAlchemy(model_class=Base, session_options={"class_": RoutedSession})
migrate = Migrate(render_as_batch=True)
login_manager = LoginManager()
htmx = HTMX()
compress = Compress()

# True while the current request or job means to write: SQLite then takes the write lock at BEGIN,
# so that two writers queue (busy_timeout) instead of failing half-way with SQLITE_BUSY.
writing: ContextVar[bool] = ContextVar("writing", default=False)

# True while a request only asks (GET, HEAD). Under READ COMMITTED each statement sees what stands when it
# begins, in a transaction or not; so on PostgreSQL such a request needs none, and saves the way there and
# back for BEGIN and ROLLBACK. On SQLite all that a request reads is of one moment.
asking: ContextVar[bool] = ContextVar("asking", default=False)

# The engine of the replica while a view reads from it (app/replica.py).
reading_from: ContextVar[Engine | None] = ContextVar("reading_from", default=None)

# How long, in seconds, a writer waits for the others; None for as long as everybody. What may as well be left
# undone says 0.
patience: ContextVar[float | None] = ContextVar("patience", default=None)

# False while what is written outlives this program's death, but need not outlive a power cut (SQLite only).
durable: ContextVar[bool] = ContextVar("durable", default=True)
