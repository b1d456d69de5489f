"""How many visits a second the real server takes from 8 phones sending batches of 100, on SQLite.

    python -m bench.push [--batches 2] [--workers 2]

prints one JSON line and one row to read. The machine is measured in the same run: the same number of rows put
into the same kind of file by bare sqlite3, 100 a transaction, with the same promise (WAL, synchronous=FULL).
Compare ratios, not figures, between machines and days.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from app import create_app
from app.extensions import db
from tests.app.visits import sheets
from tests.factories import Factory
from tests.faults.drive import _migrate
from tests.faults.phone import Line
from tests.faults.server import SECRET, Server

PHONES, BATCH, PATIENTS = 8, 100, 25


class Sender(threading.Thread):
    def __init__(self, line: Line, batches: list[list[dict[str, Any]]]) -> None:
        super().__init__()
        self.line, self.batches, self.took, self.busy = line, batches, [], 0

    def run(self) -> None:
        for batch in self.batches:
            began = time.monotonic()
            while (answer := self.line.push(batch))[0] != 200:
                self.busy += 1
            self.took.append(time.monotonic() - began)
            wrong = [r for r in answer[1]["results"] if r["status"] not in ("applied", "duplicate")]
            assert not wrong, wrong[:3]


def measure(folder: Path, batches: int, workers: int) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'bench.db'}"
    _migrate(url)
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    make = Factory(app)
    patients = [make.patient(birth=f"1940010{n % 9 + 1}") for n in range(PATIENTS)]
    names = [make.user("village") for _ in range(PHONES)]
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    server = Server(url, folder / "server.log", workers)
    server.start()
    try:
        Line.timeout_s = 300  # what is measured is the server, however busy the machine
        senders = [
            Sender(line, _work(line, patients, batches)) for line in (Line(server.port, n) for n in names)
        ]
        began = time.monotonic()
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        seconds = time.monotonic() - began
    finally:
        server.kill()
    count = PHONES * batches * BATCH
    took = sorted(t for sender in senders for t in sender.took)
    assert len(took) == PHONES * batches, "a batch failed"
    bare = _bare(folder / "bare.db", count)
    return {
        "visits": count,
        "visits_per_s": round(count / seconds, 1),
        "batch_p50_s": round(took[len(took) // 2], 2),
        "batch_max_s": round(took[-1], 2),
        "answers_503": sum(sender.busy for sender in senders),
        "bare_rows_per_s": round(bare),
        "ratio": round(count / seconds / bare, 4),
        "workers": workers,
    }


def _work(line: Line, patients: list[str], batches: int) -> list[list[dict[str, Any]]]:
    return [
        [line.op("visit.create", sheets.payload(patients[n % len(patients)])) for n in range(BATCH)]
        for _ in range(batches)
    ]


def _bare(path: Path, count: int) -> float:
    """Rows a second of bare sqlite3, each about as long as a visit's operation."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")
    body = json.dumps(sheets.payload("x" * 36))
    began = time.monotonic()
    for start in range(0, count, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?)", [(f"{n:036d}", body) for n in range(start, start + BATCH)]
        )
        connection.execute("COMMIT")
    return count / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=2, help="batches of 100 per phone")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as folder:
        found = measure(Path(folder), asked.batches, asked.workers)
    print(json.dumps(found))
    print(
        f"{found['visits']} visits: {found['visits_per_s']}/s, batch p50 {found['batch_p50_s']} s, "
        f"max {found['batch_max_s']} s, {found['answers_503']} times 503; "
        f"bare sqlite3 {found['bare_rows_per_s']} rows/s, ratio {found['ratio']}"
    )


if __name__ == "__main__":
    main()
