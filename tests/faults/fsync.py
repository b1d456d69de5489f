"""Whether every acknowledgement has an fsync before it: the system calls of server and database, watched.

    python -m tests.faults.fsync --database sqlite --ops 40

needs strace. Pushes one operation at a time; between its leaving and its answer the write-ahead log must have
been brought to the disk (fsync or fdatasync of `-wal`, or below `pg_wal`). Prints one JSON line; exit status
1 if an acknowledgement came without. A read in between must show none, or the watching proves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import create_app
from app.extensions import db
from tests.app.visits import sheets
from tests.factories import Factory
from tests.faults.drive import fresh_database
from tests.faults.phone import Line
from tests.faults.server import SECRET, Server

LOGS = {"sqlite": "-wal", "postgres": "/pg_wal/"}


@contextmanager
def watched(pids: list[int], into: Path) -> Iterator[None]:
    """strace of these processes, their threads and their children."""
    attach = [part for pid in pids for part in ("-p", str(pid))]
    command = ["strace", "-f", "-y", "-ttt", "-e", "trace=fsync,fdatasync", "-o", str(into), *attach]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    for _pid in pids:
        while "attached" not in (said := tracer.stderr.readline()):
            assert said, "strace ended before it watched"
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def syncs(trace: Path, log: str) -> list[float]:
    """The moments at which the write-ahead log was asked to the disk."""
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        match = re.match(r"^\d+ +(\d+\.\d+) (?:fsync|fdatasync)\(\d+<([^>]*)>", line)
        if match and log in match[2]:
            found.append(float(match[1]))
    return found


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def measure(kind: str, ops: int, folder: Path) -> dict[str, object]:
    with fresh_database(kind, folder) as url:
        app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
        make = Factory(app)
        name, patients = make.user("village"), [make.patient() for _ in range(5)]
        with app.app_context():
            db.engine.dispose()
        server = Server(url, folder / "server.log")
        server.start()
        try:
            server.wait_for_workers()  # what nobody watches, nobody sees
            line = Line(server.port, name)
            pids = family(server.process.pid) if server.process else []
            if kind == "postgres":
                pids += family(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
            with watched(pids, folder / "trace"):
                acks, reads = [], []
                for number in range(ops):
                    op = line.op("visit.create", sheets.payload(patients[number % len(patients)]))
                    began = time.time()
                    status, answer = line.push([op])
                    acks.append((began, time.time()))
                    assert status == 200 and answer["results"][0]["status"] == "applied", answer
                    time.sleep(0.05)  # what is written late must not count for the next
                    began = time.time()
                    line.get("/api/auth/me")
                    reads.append((began, time.time()))
        finally:
            server.kill()
        seen = syncs(folder / "trace", LOGS[kind])
    without = sum(not any(began <= at <= ended for at in seen) for began, ended in acks)
    idle = sum(any(began <= at <= ended for at in seen) for began, ended in reads)
    return {
        "database": kind,
        "acknowledged": ops,
        "without_fsync": without,
        "fsyncs": len(seen),
        "reads_with_one": idle,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--ops", type=int, default=40)
    asked = parser.parse_args()
    if shutil.which("strace") is None:
        sys.exit("strace is missing: apt-get install strace")
    with tempfile.TemporaryDirectory(prefix="nuanxun-fsync-") as name:
        os.chmod(name, 0o755)
        found = measure(asked.database, asked.ops, Path(name))
    print(json.dumps(found))
    return int(found["without_fsync"] != 0 or found["reads_with_one"] == found["acknowledged"])


if __name__ == "__main__":
    sys.exit(main())
