"""What a database holds, so that two can be compared: rows and a sum for every table.

The sum of a table is that of the SHA-256 of its rows, modulo 2^256: it knows no order, and one row more,
less, twice or changed makes another. A row is its columns by name, so it is the same on SQLite and on
PostgreSQL. The values are those the database gives, not what our models make of them: no JSON is read and
written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, func, select
from sqlalchemy.types import Boolean, Date, DateTime, Float, Integer, LargeBinary, Numeric, String

from app.shared import progress

MODULUS = 1 << 256
ROWS = 2000
VERSION_TABLE = "alembic_version"
KINDS = (
    (Boolean, "bool"), (Integer, "int"), (DateTime, "moment"), (Date, "day"), (Float, "float"),
    (Numeric, "number"), (LargeBinary, "bytes"), (String, "text"),
)  # fmt: skip
AS_THEY_ARE = {type(None), str, int, float, bool}
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Known = dict[str, dict[str, Any]]  # table -> {"rows", "sum", "columns": {name: kind}}


@dataclass
class Sum:
    rows: int = 0
    total: int = 0

    def add(self, values: Iterable[object]) -> None:
        text = _written([value if type(value) in AS_THEY_ARE else _plain(value) for value in values])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) % MODULUS
        self.rows += 1

    @property
    def hex(self) -> str:
        return f"{self.total:064x}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if isinstance(value, str | int | float) else str(value)


def tables(connection: Connection) -> list[Table]:
    """As they are in this database, those that others point to first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata.sorted_tables


def columns(table: Table) -> list[Column[Any]]:
    """In the order of a row's sum."""
    return sorted(table.columns, key=lambda column: column.name)


def rows(connection: Connection, table: Table, names: Iterable[str] | None = None) -> Iterator[Any]:
    """The rows, a few at a time, with the columns (all, or those named) in the order of the sum."""
    chosen = columns(table) if names is None else [table.c[name] for name in sorted(names)]
    return iter(connection.execute(select(*chosen).execution_options(yield_per=ROWS)))


def kind_of(column: Column[Any]) -> str:
    return next((name for type_, name in KINDS if isinstance(column.type, type_)), "text")


def take(connection: Connection, only: Mapping[str, Iterable[str]] | None = None) -> Known:
    """What is in the database that `connection` sees now; of `only` these tables and columns, if given."""
    known: Known = {}
    for table in tables(connection):
        if only is not None and table.name not in only:
            continue
        names = sorted(only[table.name]) if only is not None else [c.name for c in columns(table)]
        found = Sum()
        total = _how_many(connection, table)
        for row in rows(connection, table, names):
            found.add(row)
            if found.rows % ROWS == 0:
                progress.step(f"read {table.name}", found.rows, total)
        progress.step(f"read {table.name}", found.rows, total)
        kinds = {name: kind_of(table.c[name]) for name in names}
        known[table.name] = {"rows": found.rows, "sum": found.hex, "columns": kinds}
    return known


def _how_many(connection: Connection, table: Table) -> int:
    if not progress.is_wanted():
        return 0
    return connection.scalar(select(func.count()).select_from(table)) or 0


def differences(wanted: Known, found: Known) -> list[str]:
    """In words; empty when both hold the same."""
    said = []
    for name in sorted(wanted.keys() | found.keys()):
        one, two = wanted.get(name), found.get(name)
        if one is None or two is None:
            said.append(f"{name} is {'missing' if two is None else 'not expected'}")
        elif one["rows"] != two["rows"]:
            said.append(f"{name} has {two['rows']} rows instead of {one['rows']}")
        elif one["sum"] != two["sum"]:
            said.append(f"{name} has other content")
    return said
