"""How long a backup, its proof and a restore take with many visits: what RPO and RTO rest on.

    python -m bench.backup [--visits 100000] [--database postgres]

prints one JSON line. A few hundred visits are multiplied in the database itself; copies compress
well, so real files are larger.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Table, func, insert, select

from app.backup import content, restoring, service
from app.extensions import db, writing
from tests.app.backup.conftest import an_app
from tests.app.backup.filled import fill
from tests.factories import Factory
from tests.faults.drive import fresh_database

SEED, ROWS = 200, 5000
IDS = ("id", "op_id", "entity_id", "visit_id")
ABOUT_VISITS: dict[str, Callable[[Table], Any]] = {
    "visits": lambda t: t.c.id.is_not(None),
    "observations": lambda t: t.c.visit_id.is_not(None),
    "grade_records": lambda t: t.c.visit_id.is_not(None),
    "revisions": lambda t: t.c.entity_kind == "visit",
}


def grow(connection: Connection, visits: int) -> None:
    tables = {table.name: table for table in content.tables(connection)}
    times = -(-visits // (connection.scalar(select(func.count()).select_from(tables["visits"])) or 1))
    for name, condition in ABOUT_VISITS.items():
        table = tables[name]
        seeds = [dict(row._mapping) for row in connection.execute(select(table).where(condition(table)))]
        copies = _copies(seeds, times)
        while chunk := [row for row, _ in zip(copies, range(ROWS), strict=False)]:
            connection.execute(insert(table), chunk)
    head = tables["feed_head"]
    connection.execute(head.update().values(seq=head.c.seq + times * 1_000_000))
    connection.commit()


def _copies(seeds: list[dict[str, Any]], times: int) -> Iterator[dict[str, Any]]:
    """Each copy of a row has ids of its own, the same in every table."""
    for number in range(1, times):
        for seed in seeds:
            row = dict(seed)
            for name in IDS:
                if row.get(name):
                    row[name] = f"{row[name][:24]}{(int(row[name][24:], 16) + number) % (1 << 48):012x}"
            if "seq" in row:
                row["seq"] += number * 1_000_000
            yield row


def measure(app: Flask, visits: int) -> dict[str, Any]:
    fill(Factory(app), visits=SEED)
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began, busy = time.monotonic(), time.process_time()
        done = work()
        took[f"{name}_s"] = round(time.monotonic() - began, 1)
        took[f"{name}_cpu_s"] = round(time.process_time() - busy, 1)
        return done

    with app.app_context():
        token = writing.set(True)
        with db.engine.connect() as connection:
            grow(connection, visits)
        writing.reset(token)
        db.session.remove()
        made = timed("create", service.create)
        timed("verify", lambda: service.verify(made.path))
        restored = timed("restore", lambda: restoring.restore(made.path))
    rows = restored.manifest["tables"]
    return {"visits": rows["visits"]["rows"], "rows": made.rows, "file_mb": round(made.size / 1e6, 1), **took}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=100_000)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        (folder / "backups").mkdir()
        with fresh_database(asked.database, folder) as url:
            app = an_app(url, folder / "backups")
            print(json.dumps({"database": asked.database, **measure(app, asked.visits)}))
            with app.app_context():
                db.engine.dispose()


if __name__ == "__main__":
    main()
