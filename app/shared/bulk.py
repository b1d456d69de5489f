"""Many rows of one table in few statements, past the unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Row, Select, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.shared import prepared

Model = TypeVar("Model")


def rows(
    session: Session, question: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Columns, not objects, past the ORM, which adds to each row as much as it costs. Flushes nothing."""
    return session.connection().execute(question, values).all()


def draft(model: type[Model], **values: Any) -> Model:
    """A row to be, with the attributes given: it reads like a `model`, and costs a tenth of making one.

    Never to be added to a session; `insert_drafts` writes it.
    """
    return cast(Model, SimpleNamespace(**values))


def insert_drafts(session: Session, model: type[Model], drafts: Iterable[Model]) -> None:
    """All of them with the same attributes set; defaults fill the columns they do not name."""
    insert_rows(session, model, [vars(one) for one in drafts])


def insert_rows(session: Session, model: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """The same for dicts. Flushes nothing that the session holds."""
    if values := list(rows):
        connection = session.connection()
        prepared.insertion(_table(model), connection.dialect, tuple(values[0])).run(connection, values)


def inserting(session: Session, model: type[Any]) -> postgresql.Insert:
    """An INSERT that may say, on either database, what becomes of a row that is there already."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    return cast(postgresql.Insert, dialect.insert(_table(model)))


class Desk(Generic[Model]):
    """Rows of one table laid out as drafts: changed as one likes, written back with one statement for all.

    For tables with a primary key of one column. Until `write` the database knows of nothing. `columns`: those
    the drafts have, if not all; then nothing can be added.
    """

    def __init__(self, model: type[Model], columns: Sequence[str] = ()) -> None:
        self._model, self._table = model, _table(model)
        self._columns = [self._table.columns[name] for name in columns or self._table.columns.keys()]
        self._key = self._table.primary_key.columns[0].name
        self._read: dict[str, tuple[Model, dict[str, Any]]] = {}
        self._new: dict[str, Model] = {}
        self._gone: dict[str, Model] = {}

    def lay_out(self, session: Session, condition: ColumnElement[bool]) -> list[Model]:
        """The rows for which `condition` is true. Flushes nothing that the session holds."""
        names, made = [column.name for column in self._columns], []
        for row in rows(session, select(*self._columns).where(condition)):
            read = dict(zip(names, row, strict=True))
            one = draft(self._model, **read)
            self._read[read[self._key]] = one, read
            made.append(one)
        return made

    def add(self, **values: Any) -> Model:
        """A new row; columns that are not named are NULL."""
        empty = dict.fromkeys(self._table.columns.keys())
        one = draft(self._model, **{**empty, **values})
        self._new[values[self._key]] = one
        return one

    def drop(self, one: Model) -> None:
        key = getattr(one, self._key)
        if self._new.pop(key, None) is None:
            self._gone[key] = one

    def leave_out(self, which: Callable[[Model], bool]) -> None:
        """Of these nothing is written."""
        self._read = {key: kept for key, kept in self._read.items() if not which(kept[0])}
        self._new = {key: one for key, one in self._new.items() if not which(one)}
        self._gone = {key: one for key, one in self._gone.items() if not which(one)}

    def write(self, session: Session) -> None:
        """What was added, changed and dropped. The session's own objects of such rows are expired."""
        changed = {
            key: one for key, (one, was) in self._read.items() if key not in self._gone and vars(one) != was
        }
        with session.no_autoflush:
            if self._gone:
                gone = delete(self._table).where(self._table.c[self._key].in_(list(self._gone)))
                session.execute(gone)
            if changed:
                self._update(session, changed)
        insert_drafts(session, self._model, self._new.values())
        self._expire(session, [*self._gone, *changed])

    def _update(self, session: Session, changed: Mapping[str, Model]) -> None:
        """Every column that one of them has changed, of all of them: it is one statement then."""
        names = {
            name
            for key, one in changed.items()
            for name, value in vars(one).items()
            if value != self._read[key][1][name]
        }
        ordered = tuple(column.name for column in self._table.columns if column.name in names)
        rows = [
            {"row_key": key, **{f"new_{name}": getattr(one, name) for name in ordered}}
            for key, one in changed.items()
        ]
        connection = session.connection()
        prepared.change(self._table, connection.dialect, self._key, ordered).run(connection, rows)

    def _expire(self, session: Session, keys: Iterable[str]) -> None:
        for key in keys:
            held = session.identity_map.get(session.identity_key(self._model, key))
            if held is not None:
                session.expire(held)


def _table(model: type[Any]) -> Table:
    return cast(Table, model.__table__)
