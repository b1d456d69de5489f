"""A phone with an outbox: makes operations ahead, sends them until each is settled, knows what must be."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from datetime import date, timedelta
from typing import Any

from app.shared import clock
from app.shared.ids import new_id
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import PASSWORD, VILLAGE, an_id_card
from tests.faults.server import PAUSE_S, request, sign_in

NAMES = ("张秀兰", "𠮷野 梅", "Ａé e\u0301", "王‍👵🏽", "<b>李</b>")
WAY = ("scheduled", "accepted", "en_route", "in_service", "done")


def a_wish(patient_id: str) -> dict[str, Any]:
    """The payload of an order.create."""
    return {"patient_id": patient_id, "service": "Y02", "wanted_at": in_days(2), "phone": "13812345678"}


def now() -> str:
    return clock.local(clock.now()).isoformat(timespec="seconds")


class Line:
    """A signed-in connection: through the bad line for pushes, straight for everything else."""

    timeout_s = 30.0

    def __init__(self, port: int, username: str) -> None:
        self.port, self.username = port, username
        self.device_id = f"phone-{username}"
        self.renew()

    def renew(self) -> None:
        self.cookie, user = sign_in(self.port, self.username, PASSWORD, self.device_id)
        self.user_id = user["id"]

    def op(self, kind: str, payload: dict[str, Any], base: int | None = None) -> dict[str, Any]:
        made = {
            "op_id": new_id(), "device_id": self.device_id, "author_id": self.user_id, "kind": kind,
            "recorded_at": now(), "payload": payload,
        }  # fmt: skip
        return made if base is None else {**made, "base_revision": base}

    def push(self, ops: list[dict[str, Any]], port: int | None = None) -> tuple[int, Any]:
        """Status and parsed answer; (0, None) for anything that is no whole JSON answer for these ops."""
        body = {"sent_at": now(), "ops": ops}
        try:
            status, headers, raw = request(
                port or self.port, "POST", "/api/sync/push", body, {"Cookie": self.cookie}, self.timeout_s
            )
            answer = json.loads(raw) if "json" in headers.get("content-type", "") else None
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        if status == 200:
            results = answer.get("results") if isinstance(answer, dict) else None
            if not results or [r["op_id"] for r in results] != [op["op_id"] for op in ops]:
                return 0, None
        return status, answer

    def get(self, path: str) -> Any:
        """The JSON of a 200; tries again while the server is away."""
        while True:
            try:
                status, _, raw = request(self.port, "GET", path, headers={"Cookie": self.cookie})
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 200:
                return json.loads(raw)
            if status not in (0, 503):
                return {"status": status}
            time.sleep(PAUSE_S)


class Phone(threading.Thread):
    """Sends `count` operations over `bad_port`. Afterwards: `expected`, `results`, `complaints`, `tries`."""

    def __init__(self, line: Line, bad_port: int, number: int, count: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.line, self.bad_port, self.number, self.count = line, bad_port, number, count
        self.random = random.Random(seed * 1000 + number)
        self.expected: dict[tuple[str, int], dict[str, Any]] = {}
        self.results: dict[str, tuple[str, int]] = {}
        self.complaints: list[str] = []
        self.tries = 0
        self._refused = 0
        self.failed: Exception | None = None
        self._records: dict[str, list[list[Any]]] = {"patient": [], "visit": [], "order": []}
        self._cards = number * 5000

    def run(self) -> None:
        try:
            made: list[dict[str, Any]] = []
            while len(self.expected) < self.count or made:
                while len(made) < 12 and len(self.expected) < self.count:
                    made.append(self._next())
                made = self._send(made, self.random.randint(1, 12))
        except Exception as error:
            self.failed = error

    def _send(self, waiting: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
        batch = waiting[:size]
        self.tries += 1
        status, answer = self.line.push(batch, self.bad_port)
        self._refused = self._refused + 1 if status == 401 else 0
        if self._refused > 20:
            raise RuntimeError("signed in, and refused as if not, again and again")
        if status in (401, 429):
            self.line.renew()
        elif status in (0, 502, 503):
            time.sleep(PAUSE_S)
        elif status != 200:
            self.complaints.append(f"push answered {status}: {answer}")
            return waiting[size:]
        else:
            for op, result in zip(batch, answer["results"], strict=True):
                self._settle(op, result)
            return waiting[size:]
        return waiting

    def _settle(self, op: dict[str, Any], result: dict[str, Any]) -> None:
        if result["status"] not in ("applied", "duplicate"):
            self.complaints.append(f"{op['kind']}: {result}")
            return
        self.results[op["op_id"]] = (result["entity_id"], result["revision"])

    def _next(self) -> dict[str, Any]:
        draw = self.random.random()
        patients, visits, orders = self._records["patient"], self._records["visit"], self._records["order"]
        if not patients or draw < 0.12:
            return self._created("patient", "patient.create", self._patient())
        patient = self.random.choice(patients)
        if draw < 0.22:
            payload = {"patient_id": patient[0], "address": f"{self.random.randint(1, 9)} 组"}
            return self._changed(patient, "patient.update", payload)
        if draw < 0.62 or not visits:
            payload = sheets.payload(patient[0], answers={"sbp": self.random.randint(100, 138)})
            return self._created("visit", "visit.create", payload)
        if draw < 0.74:
            visit = self.random.choice(visits)
            payload = sheets.correction(visit[0], answers={"sbp": self.random.randint(100, 138)})
            return self._changed(visit, "visit.correct", payload)
        open_orders = [order for order in orders if order[1] <= len(WAY)]
        if draw < 0.84 or not open_orders:
            payload = {
                "patient_id": patient[0],
                "service": "Y02",
                "wanted_at": in_days(2),
                "phone": "13812345678",
            }
            return self._created("order", "order.create", payload)
        order = self.random.choice(open_orders)
        payload = {"order_id": order[0], "to": WAY[order[1] - 1]}
        if payload["to"] == "scheduled":
            payload["assignee_id"] = self.line.user_id
        return self._changed(order, "order.transition", payload)

    def _patient(self) -> dict[str, Any]:
        self._cards += 1
        birth = (date(1930, 1, 1) + timedelta(days=self._cards)).strftime("%Y%m%d")
        return {
            "name": self.random.choice(NAMES),
            "id_card": an_id_card(1, birth, self.random.choice("12")),
            "phone": "13900001234",
            "village_id": VILLAGE,
        }

    def _created(self, what: str, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        op = self.line.op(kind, payload)
        self._records[what].append([op["op_id"], 1])
        self.expected[(op["op_id"], 1)] = op
        return op

    def _changed(self, record: list[Any], kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        op = self.line.op(kind, payload, record[1])
        record[1] += 1
        self.expected[(record[0], record[1])] = op
        return op


class Puller(threading.Thread):
    """Pulls all the time with its own cursor, as a phone that only reads; `seen` is what it was told."""

    def __init__(self, line: Line) -> None:
        super().__init__(daemon=True)
        self.line, self.cursor = line, ""
        self.seen: dict[tuple[str, int], dict[str, Any]] = {}
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(PAUSE_S):
            self.once()
        while self.once():
            pass

    def once(self) -> bool:
        """Whether there is more."""
        answer = self.line.get(f"/api/sync/pull?limit=50&cursor={self.cursor}")
        for change in answer["changes"]:
            self.seen[(change["id"], change["revision"])] = change
        self.cursor = answer["cursor"]
        return bool(answer["more"])
