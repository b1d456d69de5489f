"""After `kill -9` in the middle of pushes: seconds until the server answers again, 100,000 visits stored.

The answer is that of /healthz, which writes a row; nothing is warmed up, and the write-ahead log has to be
recovered. Reference: the same start on a database that holds nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import func, select

from app.encounters.models import Visit
from app.extensions import db
from bench import phones
from bench.measure import Options, Row
from tests.faults.drive import _migrate
from tests.faults.server import Server

PUSHING = 2  # phones that push while the server is killed


def run(folder: Path, options: Options) -> Iterable[Row]:
    kills = options.number("restart.kills", 10, 1)
    with options.grounds.copy(options.grounds.one(), options.database) as url:
        people = phones.sign_in(url, ("doctor", "nurse", "village"), PUSHING)
        with phones.database(url):
            visits = db.session.scalar(select(func.count()).select_from(Visit))
        took = _killed(url, folder, people, kills)
    empty = folder / "nothing.db"
    _migrate(f"sqlite:///{empty}")
    reference = _killed(f"sqlite:///{empty}", folder, [], 1)
    yield Row(
        f"{visits} visits stored",
        {"kills": kills, "p50_s": round(sorted(took)[len(took) // 2], 2), "longest_s": round(max(took), 2)},
        {"s": round(max(reference), 2)},
        round(max(took) / max(reference), 2),
    )  # fmt: skip


def _killed(url: str, folder: Path, people: list[phones.Person], kills: int) -> list[float]:
    """Seconds of each start after a kill."""
    server = Server(url, folder / "server.log")
    server.start()
    took = []
    try:
        for _ in range(kills):
            pushing = [threading.Thread(target=_push, args=(server.port, one), daemon=True) for one in people]
            for thread in pushing:
                thread.start()
            time.sleep(0.3)  # they are in the middle of it
            server.kill()
            took.append(server.start())
            for thread in pushing:
                thread.join()
    finally:
        server.kill()
    return took


def _push(port: int, person: phones.Person) -> None:
    caller = phones.Caller(port, person)
    try:
        for body in phones.bodies(phones.visits(person, 400), phones.BATCH):
            caller.push(body)
    except OSError:
        pass  # killed, as was meant
    finally:
        caller.close()
