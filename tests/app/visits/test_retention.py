"""Where a visit took place is forgotten after LOCATION_DAYS, and nothing else of it is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.encounters.models import Visit
from app.extensions import db
from app.jobs import runner, work
from app.shared import clock
from app.sync import feed
from app.sync.models import Revision
from app.visits import retention
from tests.app.visits import sheets
from tests.factories import Factory
from tests.worlds import Begin

HERE = {"lat": 35.0852, "lon": 117.4601, "accuracy_m": 12}
ODD = {"note": '家住三楼\n“慢慢走”𠮷 e\u0301 "location":{"lat":1}'}


class House:
    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make = app, make
        self.patient, self.doctor = make.patient(), make.signed_in("doctor")
        self.ops: list[dict[str, Any]] = []

    def send(self, kind: str, payload: dict[str, Any], **more: Any) -> str:
        op = self.make.op(self.doctor, kind, payload, **more)
        result = self.make.push(self.doctor, op)[0]
        assert result["status"] == "applied", result
        self.ops.append(op)
        return result["entity_id"]

    def visit(self, **given: Any) -> str:
        return self.send("visit.create", sheets.payload(self.patient, answers=ODD, location=HERE, **given))

    def run(self) -> str:
        with self.app.app_context():
            db.session.remove()
        return runner.run(self.app, work.find("locations"))

    def payloads(self, visit: str) -> list[dict[str, Any]]:
        with self.app.app_context():
            rows = select(Revision.payload).where(Revision.entity_id == visit).order_by(Revision.revision)
            return [json.loads(feed.open_payload(text)) for text in db.session.scalars(rows)]

    def place(self, visit: str) -> Any:
        with self.app.app_context():
            return db.session.get_one(Visit, visit).location


@pytest.fixture
def house(begin: Begin) -> House:
    return begin(House)


@pytest.fixture
def later(house: House, monkeypatch):
    """Let days pass; the doctor signs in again."""
    now = clock.now

    def pass_by(**time: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(**time))
        house.doctor = house.make.signed_in(house.doctor.username)  # type: ignore[attr-defined]

    return pass_by


def test_a_place_is_forgotten_after_ninety_days_and_nothing_else(house: House, later) -> None:
    visit = house.visit()
    later(days=89, hours=23)
    assert house.run() == "nothing" and house.place(visit) == HERE
    later(days=90, hours=12)
    assert house.run() == "done" and house.place(visit) is None
    sent = house.ops[0]["payload"]
    assert house.payloads(visit) == [{key: value for key, value in sent.items() if key != "location"}]
    record = house.doctor.get(f"/api/visits/{visit}").get_json()
    assert "location" not in record["payload"] and record["payload"]["answers"]["note"] == ODD["note"]
    changes = house.doctor.get("/api/sync/pull").get_json()["changes"]
    assert [c["payload"].get("location") for c in changes if c["id"] == visit] == [None]


def test_the_same_operation_from_a_phone_in_a_drawer_is_still_a_duplicate(house: House, later) -> None:
    house.visit()
    later(days=120)
    house.run()
    result = house.make.push(house.doctor, house.ops[0])[0]
    assert result["status"] == "duplicate"
    other = {**house.ops[0], "payload": {**house.ops[0]["payload"], "location": {**HERE, "lat": 35.1}}}
    assert house.make.push(house.doctor, other)[0]["code"] == "op_id_reused"


def test_corrections_and_what_they_corrected_forget_too(house: House, later) -> None:
    plain, placed, void = house.visit(), house.visit(), house.visit()
    mended = sheets.correction(plain, answers=ODD)
    house.send(
        "visit.correct", {**mended, "visited_at": house.ops[0]["payload"]["visited_at"]}, base_revision=1
    )
    moved = {**sheets.correction(placed), "location": {**HERE, "lat": 35.2}}
    house.send("visit.correct", moved, base_revision=1)
    house.send("visit.correct", {"visit_id": void, "reason": "记错了人", "void": True}, base_revision=1)
    later(days=91)
    assert house.run() == "done"
    for visit in (plain, placed, void):
        assert house.place(visit) is None
        payloads = house.payloads(visit)
        assert len(payloads) == 2 and not any("location" in payload for payload in payloads)
    later(days=92)
    assert house.run() == "nothing"  # done again it does nothing


def test_a_visit_that_arrives_late_forgets_by_its_own_day(house: House, later) -> None:
    at = clock.local(clock.now()).isoformat(timespec="seconds")
    later(days=100)
    visit = house.visit(visited_at=at)
    assert house.run() == "done" and house.place(visit) is None


def test_more_than_a_batch_in_small_steps(house: House, later, monkeypatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    visits = [house.visit() for _ in range(5)]
    fresh_after = timedelta(days=60)
    later(days=fresh_after.days)
    fresh = house.visit()
    later(days=91)
    assert house.run() == "done"
    assert [house.place(visit) for visit in visits] == [None] * 5 and house.place(fresh) == HERE


def test_the_operator_sets_how_long(house: House, later) -> None:
    house.app.config["LOCATION_DAYS"] = 7
    visit = house.visit()
    later(days=8)
    assert house.run() == "done" and house.place(visit) is None
