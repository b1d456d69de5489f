"""Is the database there, and of the version this code was written for? Asked before anything starts."""

from __future__ import annotations

import logging

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.config import ROOT
from app.extensions import db

logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # two lines nobody asked for


def versions() -> tuple[str | None, str | None]:
    """Which version the database has, and which this program needs. In an application context."""
    wanted = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), wanted


def require_current(app: Flask) -> None:
    """Raises click.ClickException with one line for the operator. Leaves no connection open."""
    with app.app_context():
        try:
            found, wanted = versions()
        except SQLAlchemyError as error:
            kind = type(error).__name__
            raise click.ClickException(f"DATABASE_URL: the database cannot be opened ({kind})") from None
        finally:
            db.engine.dispose()
    if found is None:
        raise click.ClickException("the database has no tables yet: run `flask --app wsgi db upgrade`")
    if found != wanted:
        raise click.ClickException(
            f"the database is at version {found}, this program needs {wanted}: "
            "run `flask --app wsgi db upgrade`"
        )
