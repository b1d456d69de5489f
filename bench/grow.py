"""Fill a database with a district of any size, straight into the tables.

    python -m bench.grow --to sqlite:////tmp/ten.db --patients 60000 --visits 1000000 --users 5000

The database must be empty; it is migrated. Teams of 600 people are copied from one that the program wrote
itself (bench/pattern.py), in the order in which the years would have written them, with feed, audit and
chain; so pages, pushes, packs, jobs and `audit verify` work on it. Memory does not grow with the size.
SQLite takes rows by executemany, PostgreSQL by COPY; both get their indexes when most rows are in.

Everybody signs in as `doctor1-0`, `village3-7` …: role and number, then the team's; the password is
`correct-horse-7`.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Connection, Index, Table, text

from app import create_app
from app.accounts import audit_chain
from app.accounts.models import AuditChain
from app.extensions import db, writing
from bench.pattern import PEOPLE, USERS, Pattern, draw
from bench.stamp import Stamp, Values
from tests.faults.server import SECRET

ROWS = 5000  # written at once
OLD = 0.7  # of the rows of a table, before it gets its indexes
CACHE_KB = 256_000


@dataclass(frozen=True)
class Size:
    """`teams` of `people` with about `visits_each` visits a person, and `users` of a team who sign in."""

    teams: int
    visits_each: float = 16.7
    users: int = USERS
    small: bool = False

    @classmethod
    def of(cls, patients: int, visits: int, users: int) -> Size:
        teams = max(1, round(patients / PEOPLE))
        return cls(teams, visits / (teams * PEOPLE), max(15, round(users / teams)))

    @property
    def name(self) -> str:
        return f"{self.teams}-{self.visits_each:.1f}-{self.users}{'-small' if self.small else ''}"


Progress = Callable[[str, int], None]  # table, rows written since the last word


def fill(
    app: Flask, pattern: Pattern, teams: int, progress: Progress = lambda _table, _rows: None
) -> dict[str, int]:
    """Write `teams` copies of `pattern` into the migrated, empty database of `app`. Rows by table."""
    stamp = Stamp(pattern, teams)
    with app.app_context():
        token = writing.set(True)
        try:
            with db.engine.connect() as connection:
                is_sqlite = connection.dialect.name == "sqlite"
                put = _executemany if is_sqlite else _copy
                _prepare(connection, is_sqlite)
                counts = dict(_tables(connection, stamp, put, progress))
                _finish(connection, stamp, is_sqlite)
        finally:
            writing.reset(token)
            db.session.remove()
            db.engine.dispose()
    return counts


def total(pattern: Pattern, teams: int) -> int:
    """Rows that `fill` will write, nearly."""
    revisions = len(pattern.tables["revisions"])
    return (sum(map(len, pattern.tables.values())) + 2 * revisions + pattern.people) * teams


def _tables(
    connection: Connection, stamp: Stamp, put: Callable[..., None], progress: Progress
) -> Iterator[tuple[str, int]]:
    for table in db.metadata.sorted_tables:
        if stamp.pattern.tables.get(table.name):
            many = len(stamp.pattern.tables[table.name]) * len(stamp.copies)
            columns = stamp.columns(table.name)
            yield _write(connection, table, columns, stamp.rows(table.name), many, put, progress)
    touches, audit = db.metadata.tables["touches"], db.metadata.tables["audit_lines"]
    people, lines = (
        stamp.pattern.people * len(stamp.copies),
        len(stamp.pattern.tables["revisions"]) * len(stamp.copies),
    )
    yield _write(connection, touches, ["patient_id", "seq"], stamp.touches(), people, put, progress)
    yield _write(connection, audit, list(stamp.AUDIT), stamp.audit(), lines, put, progress)


def _write(
    connection: Connection,
    table: Table,
    columns: list[str],
    rows: Iterable[Values],
    expected: int,
    put: Callable[..., None],
    progress: Progress,
) -> tuple[str, int]:
    """The newest rows go in with the indexes in place: made afterwards, their pages would be packed full, and
    every push would split them, as happens in no database that has been lived in."""
    waiting = [index for index in table.indexes if not index.unique]
    for index in waiting:
        index.drop(connection)
    count, source = 0, iter(rows)
    while part := list(islice(source, ROWS)):
        put(connection, table.name, columns, part)
        count += len(part)
        progress(table.name, len(part))
        if count >= OLD * expected:
            _create(waiting, connection)
    _create(waiting, connection)
    connection.commit()
    return table.name, count


def _create(waiting: list[Index], connection: Connection) -> None:
    while waiting:
        waiting.pop().create(connection)


def _executemany(connection: Connection, table: str, columns: list[str], rows: list[Values]) -> None:
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', [tuple(r) for r in rows])  # noqa: S608


def _copy(connection: Connection, table: str, columns: list[str], rows: list[Values]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copying:
        for row in rows:
            copying.write_row(row)


def _prepare(connection: Connection, is_sqlite: bool) -> None:
    """What protects others from a crash or a wrong reference only costs time here."""
    if not is_sqlite:
        connection.execute(text("SET session_replication_role = replica"))
        connection.commit()
        return
    raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    for setting in ("foreign_keys=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KB}"):
        raw.execute(f"PRAGMA {setting}")


def _finish(connection: Connection, stamp: Stamp, is_sqlite: bool) -> None:
    connection.execute(text("UPDATE feed_head SET seq = :seq"), {"seq": stamp.head()})
    connection.commit()
    if is_sqlite:
        raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        connection.execute(text("SET session_replication_role = DEFAULT"))
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence('audit_lines', 'id'), max(id)) FROM audit_lines")
        )
        connection.commit()
    connection.close()
    chain = db.session.get_one(AuditChain, audit_chain.ONE)
    chain.position, chain.hash = stamp.chain_end.position, stamp.chain_end.hash
    audit_chain._sign(chain)
    db.session.commit()
    if not is_sqlite:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as after:
            after.execute(text("VACUUM ANALYZE"))


class Bar:
    """Rows written of how many, how fast, and of which table."""

    def __init__(self, length: int) -> None:
        self._began, self._done, self._table = time.monotonic(), 0, ""
        self._bar: Any = click.progressbar(
            length=length, label="rows", show_pos=True, show_eta=True, file=sys.stderr,
            item_show_func=lambda _: self._pace(),
        )  # fmt: skip

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self._step

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def _pace(self) -> str:
        return f"{self._done / (time.monotonic() - self._began + 0.001):,.0f}/s {self._table}"

    def _step(self, table: str, rows: int) -> None:
        self._done, self._table = self._done + rows, table
        self._bar.update(rows, table)


def migrated(url: str, secret: str = SECRET) -> Flask:
    app = create_app({"SECRET_KEY": secret, "DATABASE_URL": url})
    with app.app_context():
        upgrade()
    return app


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", required=True, help="sqlite:/// and a path, or a PostgreSQL address")
    parser.add_argument("--patients", type=int, default=6_000)
    parser.add_argument("--visits", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--secret", default=SECRET, help="SECRET_KEY of the server that will use it")
    asked = parser.parse_args()
    size = Size.of(asked.patients, asked.visits, asked.users)
    began = time.monotonic()
    app = migrated(asked.to, asked.secret)
    with app.app_context():
        if db.session.execute(text("SELECT 1 FROM patients LIMIT 1")).first():
            sys.exit("this database holds patients already")
        db.session.remove()
    with tempfile.TemporaryDirectory(prefix="nuanxun-grow-") as folder:
        click.echo("One team, by the program's own services ...", err=True)
        pattern = draw(Path(folder), visits_each=size.visits_each, users=size.users, secret=asked.secret)
    with Bar(total(pattern, size.teams)) as progress:
        counts = fill(app, pattern, size.teams, progress)
    told = ", ".join(f"{counts[name]:,} {name}" for name in ("patients", "visits", "observations", "users"))
    click.echo(f"{told}; {sum(counts.values()):,} rows in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
