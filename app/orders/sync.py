"""Orders as the phones know them: the two kinds, who sees which, and the record as it stands."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, select

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.orders import queries, service
from app.orders.models import Order, OrderEvent
from app.orders.schema import OrderCreate, OrderTransition
from app.shared import clock, scope_table
from app.sync.models import Revision
from app.sync.registry import Entity, Kind, register_entity, register_kind

RATED = ("overall", "attitude", "skill", "timely", "explain", "fee", "recommend", "comment", "by")


def register() -> None:
    may = scope_table.roles_of
    register_kind(Kind("order.create", "order", OrderCreate, frozenset(may("order")), service.create))
    movers = frozenset(may("perform"))
    register_kind(
        Kind("order.transition", "order", OrderTransition, movers, service.transition, needs_base=True)
    )
    register_entity(Entity("order", _in_scope, _patients, _record))


def _in_scope(user: User) -> ColumnElement[bool]:
    return Revision.entity_id.in_(select(Order.id).where(queries.condition(user)))


def _patients(user: User) -> Select[str]:
    return select(Order.patient_id).where(queries.condition(user))


def _record(user: User, order_id: str) -> dict[str, Any] | None:
    order = db.session.get(Order, order_id)
    if order is None:
        return None
    events = queries.events(order_id)
    names = accounts.names(
        {i for e in events for i in (e.by, e.assignee_id) if i} | {order.assignee_id or ""}
    )
    rating = queries.rating(order_id)
    return {
        "id": order.id,
        "patient_id": order.patient_id,
        "service": order.service,
        "service_name": order.name,
        "state": order.state,
        "state_words": order.family_words if user.role == "family" else order.state_words,
        "revision": order.revision,
        "wanted_at": _local(order.wanted_at),
        "scheduled_at": _local(order.scheduled_at),
        "assignee_id": order.assignee_id,
        "assignee_name": names.get(order.assignee_id or ""),
        "phone": order.phone,
        "address": order.address,
        "note": order.note,
        "requester_id": order.requester_id,
        "on_behalf_by": order.on_behalf_by,
        "price": order.price,
        "late_cancel": order.late_cancel,
        "events": [_event(e, names) for e in events],
        "rating": None if rating is None else {name: getattr(rating, name) for name in RATED},
    }


def _event(event: OrderEvent, names: dict[str, str]) -> dict[str, Any]:
    return {
        "revision": event.revision,
        "from": event.from_state,
        "to": event.to_state,
        "by": event.by or service.SYSTEM,
        "by_name": names.get(event.by or "", "系统"),
        "at": _local(event.at),
        "note": event.note,
        "kept_only": event.kept_only,
    }


def _local(moment: Any) -> str | None:
    return None if moment is None else clock.local(moment).isoformat(timespec="seconds")
