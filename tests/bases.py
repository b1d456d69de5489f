"""One valid payload of every kind of operation, for tests that spoil it one field at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from app.shared import clock
from tests.app.orders.town import Town, in_days
from tests.app.visits import sheets
from tests.factories import an_id_card

CONTACT = {
    "address": "村东头 3 号",
    "contact_name": "小明",
    "contact_phone": "13800138000",
    "contact_relation": "2",
    "lives_alone": True,
    "conditions": ["chd"],
}
GRADE = {
    "colour": "green",
    "emergency": False,
    "reasons": [],
    "missing": [],
    "due_in_days": 90,
    "rule_version": "1",
}
PLACE = {"lat": 34.9, "lon": 117.4, "accuracy_m": 20}


class Bases:
    """For each kind: who sends it, a valid payload, and the revision it is based on."""

    def __init__(self, town: Town) -> None:
        self.town, self._cards = town, 0

    def card(self) -> str:
        self._cards += 1
        return an_id_card(self._cards % 480 + 1, f"19{30 + self._cards // 480:02d}0101")

    def of(self, kind: str) -> tuple[FlaskClient, Callable[[], dict[str, Any]], int | None]:
        town = self.town
        if kind == "patient.create":
            more = {**CONTACT, "consent_at": "2026-01-01T00:00:00+08:00"}
            return town.doctor, lambda: town.make.patient_payload(id_card=self.card(), **more), None
        if kind == "patient.update":
            return town.doctor, lambda: {"patient_id": town.patient, "phone": "13800138000", **CONTACT}, 1
        later = (clock.today() + timedelta(days=60)).isoformat()
        more = {"grade": GRADE, "location": PLACE, "next_visit_on": later}
        if kind == "visit.create":
            return town.doctor, lambda: sheets.payload(town.patient, **more), None
        if kind == "visit.correct":
            return town.doctor, lambda: sheets.correction(self.visit(), **more), 1
        if kind == "order.create":
            return town.family, lambda: town.wish(address="村东头", note="请轻些敲门"), None
        if kind == "rating":
            order = town.bring_to("done")
            rating = {"overall": 5, "comment": "很好", "by": "家属"}
            return town.family, lambda: {"order_id": order, "to": "confirmed", "rating": rating}, 6
        order = town.order()
        given = {
            "order_id": order,
            "to": "scheduled",
            "note": "上午去",
            "assignee_id": town.provider.user_id,  # type: ignore[attr-defined]
            "scheduled_at": in_days(2),
        }
        return town.village, lambda: given, 1

    def visit(self) -> str:
        if not hasattr(self, "_visit"):
            doctor = self.town.doctor
            op = self.town.make.op(doctor, "visit.create", sheets.payload(self.town.patient))
            self._visit = self.town.make.push(doctor, op)[0]["entity_id"]
        return self._visit


KINDS = (
    "patient.create", "patient.update", "visit.create", "visit.correct",
    "order.create", "order.transition", "rating",
)  # fmt: skip
