"""Alembic's environment: the same migrations on SQLite and on PostgreSQL."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from app.extensions import db, writing


def run() -> None:
    """On the app's database, or on the connection that a restore or a move hands in."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _on(given)
        return
    writing.set(True)
    with current_app.extensions["migrate"].db.engine.connect() as connection:
        _on(connection)


def _on(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        compare_type=True,
        render_as_batch=connection.dialect.name == "sqlite",
        user_module_prefix="columns.",
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


def _render(kind: str, item: object, _autogen: object) -> str | bool:
    """Our column types as the plain types beneath them: a migration must not change when they do."""
    name = type(item).__name__
    if kind == "type" and name == "UtcDateTime":
        return "sa.DateTime()"
    if kind == "type" and name == "JsonText":
        return "sa.Text()"
    return False


run()
