"""Many rows of one table in one statement, past the unit of work: for rows that nothing holds on to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session


def insert_rows(session: Session, model: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """All `rows` name the same columns; defaults fill the others. Flushes nothing that the session holds."""
    if values := list(rows):
        with session.no_autoflush:
            session.execute(insert(cast(Table, model.__table__)), values)


def insert_objects(session: Session, model: type[Any], objects: Iterable[Any]) -> None:
    """The same for objects that were never added to the session, all of them with the same attributes set."""
    names = {column.key for column in model.__table__.columns}
    rows = [{name: value for name, value in vars(one).items() if name in names} for one in objects]
    insert_rows(session, model, rows)
