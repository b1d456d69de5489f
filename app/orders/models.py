from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db
from app.orders import rules
from app.orders.catalogue import Service, catalogue
from app.orders.machine import machine


class Order(db.Model):
    """A service asked for. Its id is the op_id of the order.create; `state` moves only by machine.json.

    `created_at` and `updated_at` are the server's moments; what the phone said is in the events.
    `price` is the sample price in yuan at the time of ordering (lowest, where it depends).
    """

    __tablename__ = "orders"
    __table_args__ = (Index(None, "town_code", "state"), Index(None, "village_code", "state"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    service: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(12), index=True)
    revision: Mapped[int] = mapped_column(default=1)
    wanted_at: Mapped[datetime]
    scheduled_at: Mapped[datetime | None]
    assignee_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    phone: Mapped[str] = mapped_column(String(30))
    address: Mapped[str | None] = mapped_column(String(200))
    note: Mapped[str | None] = mapped_column(Text)
    requester_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    on_behalf_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    price: Mapped[int | None]
    late_cancel: Mapped[bool] = mapped_column(default=False)
    town_code: Mapped[str] = mapped_column(String(12))
    village_code: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def line(self) -> Service:
        """Its line of the catalogue. Lines are never taken out of the file, only made not orderable."""
        found = catalogue().get(self.service)
        if found is None:
            raise LookupError(f"service {self.service} is not in the catalogue")
        return found

    @property
    def name(self) -> str:
        return self.line.short

    @property
    def state_words(self) -> str:
        return rules.staff_words(self.state)

    @property
    def family_words(self) -> str:
        return rules.family_words(self.state)

    @property
    def when_at(self) -> datetime:
        """The agreed time, or the wanted one while nothing is agreed."""
        return self.scheduled_at or self.wanted_at

    @property
    def is_open(self) -> bool:
        return not machine().states[self.state].ended


class OrderEvent(db.Model):
    """What happened to an order. `kept_only`: field work that arrived too late to move it, kept all the same.

    `id` is the op_id, so that the same operation sent again is written down once.
    """

    __tablename__ = "order_events"
    __table_args__ = (UniqueConstraint("order_id", "revision"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    revision: Mapped[int | None]
    from_state: Mapped[str | None] = mapped_column(String(12))
    to_state: Mapped[str] = mapped_column(String(12))
    by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))  # None: the system
    assignee_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)  # named by this event
    at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(Text)
    kept_only: Mapped[bool] = mapped_column(default=False)


class OrderRating(db.Model):
    """The family's word about a finished order (domain/services.md §10). Satisfied: overall of 4 or 5."""

    __tablename__ = "order_ratings"

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    overall: Mapped[int]
    attitude: Mapped[int | None]
    skill: Mapped[int | None]
    timely: Mapped[int | None]
    explain: Mapped[int | None]
    fee: Mapped[int | None]
    recommend: Mapped[int | None]
    comment: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(2))  # 本人 | 家属
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]
