"""Two devices at one moment: exactly one wins, the other is told, and nothing is applied twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.factories import VILLAGE, an_id_card
from tests.faults.phone import Line, a_wish

Op = dict[str, Any]


def races(one: Line, two: Line, rounds: int) -> list[str]:
    """`rounds` of each kind of race; returns what went wrong, in words."""
    wrong = []
    patient = _applied(one, one.op("patient.create", _person(an_id_card(499, "19291231"))))
    path = f"/api/patients/{patient}"

    def edit(line: Line, base: int) -> tuple[Line, Op]:
        payload = {"patient_id": patient, "address": line.username}
        return line, line.op("patient.update", payload, base)

    for _ in range(rounds):
        base = one.get(path)["revision"]
        wrong += _expect([edit(one, base), edit(two, base)], ["applied", "conflict"], path, base + 1)
        copy = edit(one, base + 1)
        wrong += _expect([copy, copy], ["applied", "duplicate"], path, base + 2)
        order = _scheduled(one, patient)
        takes = [
            (line, line.op("order.transition", {"order_id": order, "to": "accepted"}, 2))
            for line in (one, two)
        ]
        wrong += _expect(takes, ["applied", "conflict"], f"/api/orders/{order}", 3)
    return wrong


def _expect(pair: list[tuple[Line, Op]], wanted: list[str], path: str, revision: int) -> list[str]:
    results = _at_once([partial(_one, line, op) for line, op in pair])
    got = sorted(result["status"] for result in results)
    shown = pair[0][0].get(path).get("revision")
    if got == wanted and shown == revision:
        return []
    return [f"race {pair[0][1]['kind']}: {results}, revision {shown} instead of {revision}"]


def _at_once(work: list[Callable[[], Op]]) -> list[Op]:
    gate = threading.Barrier(len(work))
    found: list[Op] = []

    def run(job: Callable[[], Op]) -> None:
        gate.wait()
        found.append(job())

    threads = [threading.Thread(target=run, args=(job,)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _one(line: Line, op: Op) -> Op:
    while True:
        status, answer = line.push([op])
        if status == 200:
            return answer["results"][0]
        if status != 429:
            return {"status": f"http {status}", "answer": answer}
        line.renew()


def _applied(line: Line, op: Op) -> str:
    result = _one(line, op)
    if result["status"] != "applied":
        raise RuntimeError(str(result))
    return result["entity_id"]


def _scheduled(line: Line, patient: str) -> str:
    order = _applied(line, line.op("order.create", a_wish(patient)))
    _applied(line, line.op("order.transition", {"order_id": order, "to": "scheduled"}, 1))
    return order


def _person(card: str) -> Op:
    return {"name": "赛跑", "id_card": card, "phone": "13900001234", "village_id": VILLAGE}
