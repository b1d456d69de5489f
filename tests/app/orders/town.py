"""A village with somebody in every part, and short ways to let them act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db, writing
from app.orders.models import Order
from app.shared import clock
from tests.factories import Factory


def in_days(days: int, hour: int = 9) -> str:
    return f"{(clock.today() + timedelta(days=days)).isoformat()}T{hour:02d}:00:00+08:00"


class Town:
    """`family` is bound to `patient`; `village`, `doctor`, `nurse`, `dispatcher`, `provider` serve them."""

    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make = app, make
        self.patient = make.patient(name="安心宁")
        relative = make.user("family", name="小红", phone="13812345678")
        make.bind(relative, self.patient)
        self.family = make.signed_in(relative)
        self.village = make.signed_in(make.user("village", name="李村医", phone="13700000001"))
        self.doctor = make.signed_in(make.user("doctor", name="温医生"))
        self.nurse = make.signed_in(make.user("nurse", name="张护士"))
        self.dispatcher = make.signed_in(make.user("dispatcher", name="调度"))
        self.provider = make.signed_in(make.user("provider", name="梅小暖", phone="13700000002"))

    def wish(self, **given: Any) -> dict[str, Any]:
        payload = {
            "patient_id": self.patient,
            "service": "Y02",
            "wanted_at": in_days(1),
            "phone": "13812345678",
        }
        return {**payload, **given}

    def ask(self, client: FlaskClient | None = None, **given: Any) -> dict[str, Any]:
        client = client or self.family
        return self.make.push(client, self.make.op(client, "order.create", self.wish(**given)))[0]

    def order(self, **given: Any) -> str:
        result = self.ask(**given)
        assert result["status"] == "applied", result
        return result["entity_id"]

    def op(self, client: FlaskClient, order_id: str, to: str, base: int, **more: Any) -> dict[str, Any]:
        payload = {"order_id": order_id, "to": to, **more}
        return self.make.op(client, "order.transition", payload, base_revision=base)

    def move(self, client: FlaskClient, order_id: str, to: str, base: int, **more: Any) -> dict[str, Any]:
        return self.make.push(client, self.op(client, order_id, to, base, **more))[0]

    def bring_to(self, state: str) -> str:
        """An order in `state`, carried there by those who may; the provider is its assignee."""
        order_id = self.order()
        if state == "cancelled":
            self.done(self.family, order_id, "cancelled", 1)
            return order_id
        if state == "rejected":
            self.done(self.village, order_id, "rejected", 1, note="人手已满，建议下周再约")
            return order_id
        way = ["submitted", "scheduled", "accepted", "en_route", "in_service", "done", "confirmed"]
        for revision, to in enumerate(way[1 : way.index(state) + 1], start=1):
            by = {"scheduled": self.village, "confirmed": self.family}.get(to, self.provider)
            more = {"assignee_id": self.provider.user_id} if to == "scheduled" else {}  # type: ignore[attr-defined]
            self.done(by, order_id, to, revision, **more)
        return order_id

    def done(self, client: FlaskClient, order_id: str, to: str, base: int, **more: Any) -> None:
        result = self.move(client, order_id, to, base, **more)
        assert result["status"] == "applied", result

    def record(self, order_id: str, client: FlaskClient | None = None) -> dict[str, Any]:
        answer = (client or self.village).get(f"/api/orders/{order_id}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()["record"]

    def set(self, order_id: str, **columns: Any) -> None:
        """Change what no operation may: the past."""
        with self.app.app_context():
            token = writing.set(True)
            order = db.session.get_one(Order, order_id)
            for name, value in columns.items():
                setattr(order, name, value)
            db.session.commit()
            writing.reset(token)
