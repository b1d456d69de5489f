"""The Flask extensions, made once and bound to the app in create_app()."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime

from flask_compress import Compress
from flask_htmx import HTMX
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
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


db = SQLAlchemy(model_class=Base)
migrate = Migrate(render_as_batch=True)
login_manager = LoginManager()
htmx = HTMX()
compress = Compress()

# True while the current request or job means to write: SQLite then takes the write lock at BEGIN,
# so that two writers queue (busy_timeout) instead of failing half-way with SQLITE_BUSY.
writing: ContextVar[bool] = ContextVar("writing", default=False)

# How long, in seconds, a writer waits for the others; None for as long as everybody. What may as well be left
# undone says 0.
patience: ContextVar[float | None] = ContextVar("patience", default=None)

# False while what is written outlives this program's death, but need not outlive a power cut (SQLite only).
durable: ContextVar[bool] = ContextVar("durable", default=True)
