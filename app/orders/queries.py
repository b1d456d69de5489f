"""Reads. Scope comes from patients.scope, except that a provider sees the orders assigned to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select

from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent, OrderRating
from app.orders.rules import PERFORMERS
from app.orgs import service as orgs
from app.patients import scope
from app.patients.models import Patient
from app.shared import scope_table

NEWEST = (Order.updated_at.desc(), Order.id.desc())


def condition(user: User) -> ColumnElement[bool]:
    """An SQL condition over Order: those `user` may see."""
    if _by_assignment(user):
        return and_(Order.assignee_id == user.id, in_use())
    return Order.patient_id.in_(scope.ids(user, "orders"))


def in_use() -> ColumnElement[bool]:
    """An SQL condition over Order: the record of the person it is for may be used."""
    return exists().where(Patient.id == Order.patient_id, Patient.restricted_at.is_(None))


def get(user: User, order_id: str) -> Order:
    """Raises NotFound when absent or out of scope, and what scope.get raises besides."""
    found = db.session.scalar(select(Order).where(Order.id == order_id, condition(user)))
    if found is None:
        raise _refusal(user, order_id)
    return found


def _refusal(user: User, order_id: str) -> DomainError:
    order = db.session.get(Order, order_id)
    if order is None:
        return NotFound()
    if not _by_assignment(user):
        return scope.refusal(user, order.patient_id, "orders")
    return scope.Restricted() if order.assignee_id == user.id else NotFound()


def _by_assignment(user: User) -> bool:
    return scope_table.place_of(user.role, "orders") == "assigned"


def worked_on(user: User, order_id: str) -> Order | None:
    """An order that was once given to `user`: what they did before they lost it is not thrown away."""
    named = select(OrderEvent.order_id).where(OrderEvent.assignee_id == user.id)
    return db.session.scalar(select(Order).where(Order.id == order_id, Order.id.in_(named)))


def of_patient(patient_id: str, limit: int | None = None) -> list[Order]:
    """Newest change first. The caller has checked that the reader may see the patient."""
    statement = select(Order).where(Order.patient_id == patient_id).order_by(*NEWEST).limit(limit)
    return list(db.session.scalars(statement))


_OF_PATIENTS = select(Order).where(Order.patient_id.in_(bindparam("ids", expanding=True))).order_by(*NEWEST)


def of_patients(patient_ids: Iterable[str]) -> dict[str, list[Order]]:
    """Patient id -> orders, newest change first; every id is present."""
    found: dict[str, list[Order]] = {i: [] for i in patient_ids}
    if found:
        for order in db.session.scalars(_OF_PATIENTS, {"ids": list(found)}):
            found[order.patient_id].append(order)
    return found


def for_user(user: User, *, limit: int = 200, ended_since: datetime | None = None) -> list[Order]:
    """The orders in somebody's scope: open ones first by agreed time, then ended ones by newest change.

    `ended_since` leaves out those that ended before.
    """
    is_open = Order.state.in_(machine().open_states())
    statement = select(Order).where(condition(user))
    if ended_since is not None:
        statement = statement.where(or_(is_open, Order.updated_at >= ended_since))
    found = list(db.session.scalars(statement.order_by(is_open.desc(), *NEWEST).limit(limit)))
    still = sorted((o for o in found if o.is_open), key=lambda o: (o.when_at, o.id))
    return still + [o for o in found if not o.is_open]


def waiting_at(user: User) -> list[Order]:
    """Everything on the desk of `user` that is not ended, longest in its state first."""
    statement = select(Order).where(condition(user), Order.state.in_(machine().open_states()))
    return list(db.session.scalars(statement.order_by(Order.updated_at, Order.id)))


def events(order_id: str) -> list[OrderEvent]:
    """What happened, in the order the server took it; kept field work last, by when it was done."""
    places = {state: place for place, state in enumerate(machine().states)}
    statement = select(OrderEvent).where(OrderEvent.order_id == order_id)
    found = list(db.session.scalars(statement))
    return sorted(found, key=lambda e: (e.revision is None, e.revision or 0, e.at, places[e.to_state]))


def rating(order_id: str) -> OrderRating | None:
    return db.session.get(OrderRating, order_id)


def ratings(order_ids: Iterable[str]) -> dict[str, OrderRating]:
    wanted = list(order_ids)
    statement = select(OrderRating).where(OrderRating.order_id.in_(wanted))
    return {r.order_id: r for r in db.session.scalars(statement)} if wanted else {}


def patients(orders: Sequence[Order]) -> dict[str, Patient]:
    """The persons these orders are for. The orders themselves were scoped."""
    wanted = {order.patient_id for order in orders}
    if not wanted:
        return {}
    return {p.id: p for p in db.session.scalars(select(Patient).where(Patient.id.in_(wanted)))}


def performers_for(patient: Patient) -> list[User]:
    """Who can be sent to this person: the team, the village's own doctor, the town's service people."""
    return list(db.session.scalars(_performers(patient).order_by(User.role.desc(), User.name, User.id)))


def performer(patient: Patient, user_id: str) -> User | None:
    return db.session.scalar(_performers(patient).where(User.id == user_id))


def desk_of(patient: Patient) -> list[str]:
    """User ids of the village clinic and the town's dispatchers: those who take a new order in."""
    village = and_(User.role == "village", User.place_code == patient.village_code)
    town = and_(User.role == "dispatcher", User.place_code == patient.town_code)
    return list(db.session.scalars(select(User.id).where(User.active, or_(village, town))))


def clinic_phone(patient: Patient) -> tuple[str, str] | None:
    """(who, number) of the nearest desk that can be called about an order; None when nobody left one."""
    statement = (
        select(User)
        .where(User.id.in_(desk_of(patient)), User.phone.is_not(None))
        .order_by(User.role.desc(), User.id)
        .limit(1)
    )
    found = db.session.scalar(statement)
    return None if found is None else (found.name, str(found.phone))


def _performers(patient: Patient):  # type: ignore[no-untyped-def]
    return select(User).where(
        User.active,
        User.role.in_(PERFORMERS),
        or_(
            and_(User.role.in_(("doctor", "nurse")), User.team_id == patient.team_id),
            and_(User.role == "village", User.place_code == patient.village_code),
            and_(User.role == "provider", orgs.inside(User.place_code, patient.town_code)),
        ),
    )


def place_name(code: str | None) -> str:
    return orgs.names({code}).get(code, "") if code else ""
