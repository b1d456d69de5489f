"""The drill: a backup grows old, the database is lost, and the phones bring back what the backup lacks.

    python -m tests.app.backup.drill --drills 20 --database postgres --ops 120 --seed 1

prints one JSON line; every figure under "wrong" must be 0. Exit status 1 otherwise. Two phones work on the
same people: one changes what the other made, so neither can bring everything back without the other.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from app.backup import restoring, service
from app.extensions import db
from tests.app.backup.conftest import an_app, close
from tests.app.backup.filled import ODD
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import Factory
from tests.faults.drive import fresh_database
from tests.sealing import sealed

Op = dict[str, Any]
BATCH = 40


class Phone:
    """Keeps what was confirmed, and sends it again when the server has another epoch (SYNC §5.5)."""

    def __init__(self, make: Factory, username: str, seals: bool) -> None:
        self.make, self.username, self.seals = make, username, seals
        self.client: FlaskClient = make.signed_in(username)
        self.kept: list[Op] = []
        self.epoch = self.greet()["epoch"]
        self.cursor = ""

    def greet(self) -> dict[str, Any]:
        answer = self.client.get("/api/auth/me")
        if answer.status_code == 401:  # the backup does not know this sign-in
            self.client = self.make.signed_in(self.username)
            answer = self.client.get("/api/auth/me")
        assert answer.status_code == 200
        return answer.get_json()

    def send(self, ops: list[Op]) -> list[dict[str, Any]]:
        results = []
        for start in range(0, len(ops), BATCH):
            results += self._batch(ops[start : start + BATCH])
        return results

    def _batch(self, ops: list[Op]) -> list[dict[str, Any]]:
        if not self.seals:
            return self.make.push(self.client, *ops)
        key = self.greet()["seal"]
        body = {"sent_at": ops[-1]["recorded_at"], "sealed": [sealed(key, op) for op in ops]}
        answer = self.client.post("/api/sync/sealed", json=body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()["results"]

    def heed_epoch(self) -> list[Op]:
        """After a restore: everything again. Returns what is not settled; the rest was said to be there."""
        told = self.greet()["epoch"]
        waiting = list(self.kept) if told != self.epoch else []
        self.epoch = told
        return self.bring(waiting)

    def bring(self, ops: list[Op]) -> list[Op]:
        results = self.send(ops)
        wrong = [r for r in results if r["status"] not in ("applied", "duplicate")]
        assert all(r["code"] == "missing_dependency" for r in wrong), wrong[:3]
        unsettled = {r["op_id"] for r in wrong}
        return [op for op in ops if op["op_id"] in unsettled]

    def pull(self) -> list[dict[str, Any]]:
        changes, more = [], True
        while more:
            answer = self.client.get(f"/api/sync/pull?limit=500&cursor={self.cursor}")
            if answer.status_code == 410:
                self.cursor, changes = "", []
                continue
            told = answer.get_json()
            changes += told["changes"]
            self.cursor, more = told["cursor"], told["more"]
        return changes


class Work:
    """What two people do with the same patients; `expected` is what must be there: (record, revision)."""

    def __init__(self, make: Factory, phones: list[Phone], draw: random.Random, birth: str) -> None:
        self.make, self.phones, self.draw, self.birth = make, phones, draw, birth
        self.expected: dict[tuple[str, int], Op] = {}
        self.newest: dict[str, int] = {}
        self.patients: list[str] = []
        self.visits: list[tuple[str, Phone]] = []
        self.orders: list[str] = []

    def do(self, count: int) -> None:
        for _ in range(count):
            phone = self.draw.choice(self.phones)
            op = self._next(phone)
            [result] = phone.send([op])
            assert result["status"] == "applied", (op["kind"], result)
            phone.kept.append(op)
            self.newest[result["entity_id"]] = result["revision"]
            self.expected[result["entity_id"], result["revision"]] = op

    def _next(self, phone: Phone) -> Op:
        draw, pick = self.draw.random(), self.draw.choice
        if len(self.patients) < 2 or draw < 0.12:
            person = self.make.patient_payload(address=pick(ODD), birth=self.birth)
            op = self._op(phone, "patient.create", person)
            self.patients.append(op["op_id"])
        elif draw < 0.35:
            patient = pick(self.patients)
            op = self._op(phone, "patient.update", {"patient_id": patient, "address": pick(ODD)}, patient)
        elif draw < 0.62:
            answers = {"sbp": self.draw.randint(100, 138), "note": pick(ODD)}
            op = self._op(phone, "visit.create", sheets.payload(pick(self.patients), answers=answers))
            self.visits.append((op["op_id"], phone))
        elif draw < 0.75 and any(author is phone for _, author in self.visits):
            visit = pick([visit for visit, author in self.visits if author is phone])
            op = self._op(phone, "visit.correct", sheets.correction(visit), visit)
        elif draw < 0.85 or not self.orders:
            wish = {"patient_id": pick(self.patients), "service": "Y02", "phone": "13812345678"}
            op = self._op(phone, "order.create", {**wish, "wanted_at": in_days(2)})
            self.orders.append(op["op_id"])
        else:
            order = self.orders.pop(0)  # one of the two schedules it, whoever made it
            assignee = phone.client.user_id  # type: ignore[attr-defined]
            step = {"order_id": order, "to": "scheduled", "assignee_id": assignee}
            op = self._op(phone, "order.transition", step, order)
        return op

    def _op(self, phone: Phone, kind: str, payload: Op, record: str | None = None) -> Op:
        base = {} if record is None else {"base_revision": self.newest[record]}
        return self.make.op(phone.client, kind, payload, device_id=f"device-{phone.username}", **base)


def drill(app: Flask, ops: int, seed: int) -> dict[str, Any]:
    """One drill on a migrated database; the app must have a BACKUP_DIR. Returns the figures."""
    draw, make = random.Random(seed), Factory(app)
    phones = [Phone(make, make.user("village", username=f"v{n}-{seed}"), seals=n == 1) for n in range(2)]
    born = date(1930, 1, 1) + timedelta(days=seed)  # nobody of another drill has that identity number
    work = Work(make, phones, draw, f"{born:%Y%m%d}")
    work.do(ops // 2)
    for phone in phones:
        phone.pull()
    with app.app_context():
        made = service.create()
    work.do(ops - ops // 2)
    late = Phone(
        make, phones[0].username, seals=False
    )  # signed in after the backup: that session will be gone
    late.kept, phones[0].kept = phones[0].kept, []
    phones[0] = late
    with app.app_context():
        restoring.restore(made.path)
    made.path.unlink()
    draw.shuffle(phones)
    waiting = [phone.heed_epoch() for phone in phones]
    waited = sum(map(len, waiting))
    rounds = 1
    while any(waiting) and rounds < 100:
        waiting = [phone.bring(ops) for phone, ops in zip(phones, waiting, strict=True)]
        rounds += 1
    return {"waited": waited, "rounds": rounds, "ops": ops, "wrong": _check(work, phones, waiting)}


def _check(work: Work, phones: list[Phone], waiting: list[list[Op]]) -> dict[str, int]:
    reader = phones[1]
    pulled = [c for c in reader.pull() if (c["id"], c["revision"]) in work.expected or c["id"] in work.newest]
    there = Counter((change["id"], change["revision"]) for change in pulled)
    by_key = {(change["id"], change["revision"]): change for change in pulled}
    changed = [
        key for key, op in work.expected.items()
        if key in by_key and (by_key[key]["op_id"], by_key[key]["payload"]) != (op["op_id"], op["payload"])
    ]  # fmt: skip
    again = [result for phone in phones for result in phone.send(phone.kept)]
    return {
        "lost": len(work.expected.keys() - there.keys()),
        "doubled": sum(count - 1 for count in there.values()) + len(there.keys() - work.expected.keys()),
        "changed": len(changed),
        "unsettled": sum(map(len, waiting)),
        "unstable": sum(result["status"] != "duplicate" for result in again),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--drills", type=int, default=20)
    parser.add_argument("--ops", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total: Counter[str] = Counter()
    waited = 0
    with tempfile.TemporaryDirectory(prefix="nuanxun-drill-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        (folder / "backups").mkdir()
        with fresh_database(asked.database, folder) as url:
            app = an_app(url, folder / "backups")
            for number in range(asked.drills):
                done = drill(app, asked.ops, asked.seed + number)
                total.update(done["wrong"])
                waited += done["waited"]
                print(f"drill {number + 1} of {asked.drills}: {done}", file=sys.stderr)
            close(app)
            with app.app_context():
                db.engine.dispose()
    figures = {"database": asked.database, "drills": asked.drills, "ops": asked.drills * asked.ops}
    print(json.dumps({**figures, "waited_for_another_phone": waited, "wrong": dict(total)}))
    return int(any(total.values()))


if __name__ == "__main__":
    sys.exit(main())
