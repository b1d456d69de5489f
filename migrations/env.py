"""Alembic's environment: the same migrations on SQLite and on PostgreSQL."""

from __future__ import annotations

from alembic import context
from alembic.util import CommandError
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
    if connection.dialect.name != "sqlite":
        with context.begin_transaction():
            context.run_migrations()
        return
    # SQLite alters a table by making it anew, which must not count as deleting what others point to
    # (sqlite.org/lang_altertable.html §7). The setting only takes effect outside a transaction.
    raw = connection.connection.driver_connection
    enforced = raw.execute("PRAGMA foreign_keys").fetchone()[0]
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        loose = raw.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.rollback()
        raw.execute(f"PRAGMA foreign_keys={enforced}")
    if loose:
        raise CommandError(f"{len(loose)} rows point to rows that are missing, e.g. in {loose[0][0]}")


def _render(kind: str, item: object, _autogen: object) -> str | bool:
    """Our column types as the plain types beneath them: a migration must not change when they do."""
    name = type(item).__name__
    if kind == "type" and name == "UtcDateTime":
        return "sa.DateTime()"
    if kind == "type" and name == "JsonText":
        return "sa.Text()"
    return False


run()
