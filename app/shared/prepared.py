"""Statements worked out once and handed to the driver with many rows, past SQLAlchemy's own preparation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Dialect,
    Insert,
    Table,
    Update,
    bindparam,
    insert,
    update,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.shared import copying

Turn = Callable[[Any], Any]


class Prepared:
    """For each row nothing is left but to turn its values into the driver's."""

    def __init__(
        self,
        dialect: Dialect,
        statement: Insert | Update,
        columns: Mapping[str, Column[Any]],
        fixed: Mapping[str, Any] | None = None,
        *,
        copied_into: Table | None = None,
    ) -> None:
        """`columns`: by the parameter that takes their values; `fixed`: parameters that rows do not name.

        `copied_into`: the rows are all there is to `statement`, and PostgreSQL can take them by COPY.
        """
        compiled: Any = statement.compile(dialect=dialect)
        self._sql, self._by_place, self._fixed = str(compiled), compiled.positional, fixed or {}
        self._names: Sequence[str] = compiled.positiontup if compiled.positional else list(columns)
        self._turns = [_turn(columns[name].type.dialect_impl(dialect), dialect) for name in self._names]
        self._copy = None
        if copied_into is not None and dialect.name == "postgresql":
            in_order = [columns[name] for name in self._names]
            self._copy = copying.statement(copied_into, in_order, dialect)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """One execution for all of `rows`, each a value for every parameter that is not fixed."""
        columns = [
            self._column(rows, name, turn) for name, turn in zip(self._names, self._turns, strict=True)
        ]
        each = zip(*columns, strict=True)
        if self._copy:
            copying.put(connection, self._copy, each)
        elif self._by_place:
            connection.exec_driver_sql(self._sql, list(each))
        else:
            connection.exec_driver_sql(self._sql, [dict(zip(self._names, one, strict=True)) for one in each])

    def _column(
        self, rows: Sequence[Mapping[str, Any]], name: str, turn: Callable[[list[Any]], list[Any]] | None
    ) -> list[Any]:
        given = [self._fixed[name]] * len(rows) if name in self._fixed else [row[name] for row in rows]
        return given if turn is None else turn(given)


@lru_cache(maxsize=256)
def insertion(table: Table, dialect: Dialect, given: tuple[str, ...]) -> Prepared:
    """`given`: names of columns; the others are NULL, numbered by the database, or have a default."""
    fixed = {
        column.name: getattr(column.default, "arg", None)
        for column in table.columns
        if column.name not in given and column.default is not None and column.default.is_scalar
    }
    columns = {
        column.name: column for column in table.columns if column.name in given or column.name in fixed
    }
    values: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in columns}
    return Prepared(dialect, insert(table).values(values), columns, fixed, copied_into=table)


@lru_cache(maxsize=256)
def change(table: Table, dialect: Dialect, key: str, given: tuple[str, ...]) -> Prepared:
    """Rows name their `key`, and new values of the columns `given`."""
    columns = {f"new_{name}": table.columns[name] for name in given}
    statement = (
        update(table)
        .where(table.columns[key] == bindparam("row_key"))
        .values({column.name: bindparam(name) for name, column in columns.items()})
    )
    return Prepared(dialect, statement, {**columns, "row_key": table.columns[key]})


def _turn(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[list[Any]], list[Any]] | None:
    turn = kind.bind_processor(dialect)
    if turn is None:
        return None
    plain = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    few = plain.python_type in (date, datetime)  # rows of one batch share most of their days and moments
    return (lambda values: _turned_once(values, turn)) if few else (lambda values: [*map(turn, values)])


def _turned_once(values: Iterable[Any], turn: Turn) -> list[Any]:
    values = list(values)
    made = {value: turn(value) for value in set(values)}
    return [made[value] for value in values]
