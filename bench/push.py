"""Many phones pushing at once: 50 and 200 with 250 visits each, over HTTP, on a district of 6,000 people.

    python -m bench --only push [--database postgres] [--set push.phones=50,200 push.visits=250 push.batch=50]

Reference: the same operations as bare rows, 50 a commit, put into the same kind of database with the same
promise (SQLite in WAL with synchronous=FULL; PostgreSQL as it stands) by one writer without a server.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bench import machine, phones
from bench.measure import Options, Row

WORKERS = 2
CLINICIANS = ("doctor", "nurse", "village")


def run(folder: Path, options: Options) -> Iterable[Row]:
    each = options.number("push.visits", 250, 4)
    batch = options.number("push.batch", phones.BATCH, 2)
    workers = options.number("push.workers", WORKERS, WORKERS)
    for count in options.numbers("push.phones", (50, 200), (3,)):
        with options.grounds.copy(options.grounds.one(), options.database) as url:
            yield _row(folder, options, url, (count, each, batch, workers))


def _row(folder: Path, options: Options, url: str, size: tuple[int, int, int, int]) -> Row:
    count, each, batch, workers = size
    people = phones.shared_out(phones.sign_in(url, CLINICIANS, count))
    assert len(people) == count, f"the district has {len(people)} clinicians only"
    reference = reference_rate(folder, options, people, each)
    with phones.serving(url, folder, workers) as server:
        web, data = machine.pids(server), options.grounds.data_folder()
        before = machine.cpu_s(web), machine.cpu_s(machine.family_of(data))
        found = phones.swarm(url, server.port, people, each, batch)
        used = machine.cpu_s(web) - before[0], machine.cpu_s(machine.family_of(data)) - before[1]
    figures = {**found.figures(), "server_cpu_s": round(used[0], 1)}
    figures["cpu_ms_a_record"] = round(1000 * sum(used) / found.records, 1)
    if options.database == "postgres":
        figures["database_cpu_s"] = round(used[1], 1)
    return Row(
        f"{count} phones × {each}",
        figures,
        {"rows_per_s": round(reference)},
        round(found.records / found.seconds / reference, 4),
    )


def reference_rate(folder: Path, options: Options, people: Sequence[phones.Person], each: int) -> float:
    """Rows a second of the database driver alone, with a sample of the very operations."""
    sample = people[: max(1, min(len(people), 2000 // each))]
    rows = [
        (op["op_id"], json.dumps(op, ensure_ascii=False))
        for person in sample
        for op in phones.visits(person, each)
    ]
    began = time.monotonic()
    if options.database == "sqlite":
        began = _bare_sqlite(folder / f"bare-{len(people)}.db", rows)
    else:
        began = _bare_postgres(options.grounds.empty("postgres"), rows)
    return len(rows) / (time.monotonic() - began)


def _parts(rows: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(rows), phones.BATCH):
        yield rows[start : start + phones.BATCH]


def _bare_sqlite(path: Path, rows: list[tuple[str, str]]) -> float:
    """Returns when the first row was put in."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")
    began = time.monotonic()
    for part in _parts(rows):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO t VALUES (?, ?)", part)
        connection.execute("COMMIT")
    connection.close()
    return began


def _bare_postgres(url: str, rows: list[tuple[str, str]]) -> float:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute("CREATE TABLE t (id text PRIMARY KEY, body text)")
        connection.commit()
        began = time.monotonic()
        for part in _parts(rows):
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO t VALUES (%s, %s)", part)
            connection.commit()
    return began
