"""Rows put into PostgreSQL by COPY: none of them is a statement to be sent, planned and run for itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError


def statement(table: Table, columns: Iterable[Column[Any]], dialect: Dialect) -> str:
    """COPY of `columns`, in this order, into `table`."""
    names = dialect.identifier_preparer
    listed = ", ".join(names.format_column(column) for column in columns)
    return f"COPY {names.format_table(table)} ({listed}) FROM STDIN"


def put(connection: Connection, copy_statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Raises what SQLAlchemy raises where an INSERT fails; then nothing of `rows` is there."""
    driver: Any = connection.connection
    try:
        with driver.cursor() as cursor, cursor.copy(copy_statement) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _said_by_sqlalchemy(connection, copy_statement, error) from error


def _said_by_sqlalchemy(connection: Connection, copy_statement: str, error: Any) -> BaseException:
    """A connection that broke is let go of, so that nobody is handed it again."""
    dialect = connection.dialect
    broken = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if broken:
        connection.invalidate(error)
    return DBAPIError.instance(
        copy_statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=broken,
        dialect=dialect,
    )
