"""Bytes of database for 1,000 visits as phones push them: records, feed, grades, audit and indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text

from app.extensions import db
from bench import phones
from bench.measure import Options, Row

CLINICIANS = ("doctor", "nurse", "village")


def run(folder: Path, options: Options) -> Iterable[Row]:
    count = options.number("size.phones", 20, 2)
    each = options.number("size.visits", 100, 5)
    with options.grounds.copy(options.grounds.one(), options.database) as url:
        people = phones.sign_in(url, CLINICIANS, count)
        before, bodies = stored_bytes(url), 0
        with phones.serving(url, folder) as server:
            found = phones.swarm(url, server.port, people, each)
        bodies = sum(len(body) for person in people for body in phones.bodies(phones.visits(person, each)))
        grown = stored_bytes(url) - before
        yield Row(
            f"{found.records} visits pushed",
            {
                "bytes_a_1000_visits": round(1000 * grown / found.records),
                "whole_mb": round(stored_bytes(url) / 1e6, 1),
            },
            {"gzipped_bytes_a_1000_visits": round(1000 * bodies / found.records)},
            round(grown / bodies, 1),
        )


def stored_bytes(url: str) -> int:
    """What lies on the disk, without what a checkpoint or a vacuum gives back anyway."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        file = sqlite3.connect(path)
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.close()
        return path.stat().st_size
    with phones.database(url), db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("CHECKPOINT"))
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
