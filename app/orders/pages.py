"""What the list of orders shows, and what every page shows of an order; for routes and visit pack."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.accounts.models import User
from app.extensions import db
from app.orders import queries, words
from app.orders.catalogue import catalogue
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent
from app.orgs import service as orgs
from app.patients import service as patients
from app.shared import clock
from app.sync import feed
from app.sync.models import Touch

RECENT = timedelta(days=30)
ROLE_WORDS = {"nurse": "护士", "doctor": "医生", "village": "村医"}


def newest(user: User) -> int:
    """The newest feed number about anybody for whom `user` sees an order."""
    about = select(Order.patient_id).where(queries.condition(user))
    touched = db.session.scalar(select(func.max(Touch.seq)).where(Touch.patient_id.in_(about))) or 0
    return max(touched, feed.left_at(user))


def list_context(user: User) -> dict[str, Any]:
    orders = queries.for_user(user, ended_since=clock.now() - RECENT)
    return {
        "tab": "orders",
        "rows": [row(user, order, people) for people in [people_of(user, orders)] for order in orders],
        "ops": ops_of(orders),
        "words": words_block(user),
    }


def row(user: User, order: Order, people: dict[str, dict[str, str]]) -> dict[str, Any]:
    person = people[order.patient_id]
    return {
        "order": order,
        "who": person["called"] if len(people) > 1 or user.role != "family" else "",
        "when": words.when_words(order.when_at) if order.scheduled_at else wanted_words(order.when_at),
        "state": order.family_words if user.role == "family" else order.state_words,
        "place": person["place"] if user.role != "family" else "",
        "needs_you": _needs(user, order),
    }


def wanted_words(moment: datetime) -> str:
    """6月11日 周四 下午: nobody promised the hour yet."""
    return f"{words.day_words(clock.local_date(moment))} {words.half_words(moment)}"


def _needs(user: User, order: Order) -> bool:
    return order.is_open and (
        (user.role == "family" and order.state == "done")
        or (
            order.assignee_id == user.id
            and order.state in ("scheduled", "accepted", "en_route", "in_service")
        )
    )


def people_of(user: User, orders: list[Order]) -> dict[str, dict[str, str]]:
    """How each person is called in front of `user`, and where they live."""
    known = queries.patients(orders)
    places = orgs.names({p.village_code for p in known.values()})
    called = {p.id: link.relation for link, p in patients.links_of(user)} if user.role == "family" else {}
    return {
        p.id: {"called": called.get(p.id, p.name), "place": places.get(p.village_code, "")}
        for p in known.values()
    }


def ops_of(orders: Iterable[Order]) -> list[dict[str, Any]]:
    """What the phone must know to tell a pending operation from one this page already shows."""
    listed = list(orders)
    found: dict[str, list[str]] = {o.id: [] for o in listed}
    statement = select(OrderEvent.order_id, OrderEvent.id).where(OrderEvent.order_id.in_(list(found)))
    for order_id, event_id in db.session.execute(statement) if found else ():
        found[order_id].append(event_id)
    return [{"id": o.id, "state": o.state, "revision": o.revision, "ops": found[o.id]} for o in listed]


def words_block(user: User, links: patients.Links | None = None) -> dict[str, dict[str, Any]]:
    """States and services in words, for what the phone shows before the server knows of it. `links` of a
    relative, where they have been read."""
    family = user.role == "family"
    if family and links is None:
        links = patients.links_of(user)
    called = {p.id: link.relation for link, p in links or ()}
    return {
        "states": {s.key: s.family if family else s.staff for s in machine().states.values() if s.active},
        "services": {line.code: [line.short, line.icon] for line in catalogue().offered()},
        "people": called if len(called) > 1 else {},
    }
