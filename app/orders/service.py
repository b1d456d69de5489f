"""One function per thing a person does with an order. Called by sync inside its transaction: no commits,
except `confirm_overdue`, which the scheduler calls."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from app.accounts import audit
from app.accounts import service as accounts
from app.accounts.models import User
from app.errors import NotFound
from app.extensions import db
from app.orders import announce, queries, rules
from app.orders.catalogue import catalogue, refusal
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent, OrderRating
from app.orders.queries import for_user, of_patient, of_patients
from app.patients import identity, scope
from app.shared import bulk, clock, strictjson
from app.shared.ids import new_id
from app.shared.words import blank
from app.sync import feed
from app.sync.models import Revision
from app.sync.registry import Applied, Conflict, Op, Rejected

__all__ = ["confirm_overdue", "create", "for_user", "of_patient", "of_patients", "transition"]
SYSTEM = "system"


def create(op: Op) -> Applied:
    """A new order. Raises Rejected: unknown or not offered service, person out of scope, impossible time."""
    payload = op.payload
    if (why := refusal(payload["service"])) is not None:
        raise Rejected.invalid("/service", why)
    patient = scope.get(op.author, payload["patient_id"], "order")
    if patient.ended_on is not None:
        raise Rejected.invalid("/patient_id", "老人的档案已经结案，不能再点服务")
    wanted_at = _moment(op, "wanted_at")
    line = catalogue().get(payload["service"])
    family = op.author.role == "family"
    order = Order(
        id=op.op_id,
        patient_id=patient.id,
        service=payload["service"],
        state="submitted",
        revision=1,
        wanted_at=wanted_at,
        phone=identity.parse_phone(payload["phone"]),
        address=patient.address if blank(payload.get("address", "")) else payload["address"],
        note=payload.get("note") or None,
        requester_id=op.author.id,
        on_behalf_by=None if family else op.author.id,
        price=line.price_from if line else None,
        town_code=patient.town_code,
        village_code=patient.village_code,
        created_at=op.received_at,
        updated_at=op.received_at,
    )
    db.session.add(order)
    db.session.flush()
    _event(order, op, None)
    announce.submitted(order, patient, op.author)
    return Applied(order.id, 1, patient.id, "submitted")


def transition(op: Op) -> Applied:
    """Move an order along the table.

    Raises Rejected (`not_found`, `forbidden`, `invalid`) or Conflict (`stale_revision`, `bad_transition`)
    with the order as it stands; field work (in_service, done) is then attached to the order all the same.
    """
    payload, target = op.payload, op.payload["to"]
    order = _order(op)
    if op.base_revision != order.revision:
        raise _conflict(op, order, "stale_revision", _moved_on(op.author, order))
    actor = actor_of(op.author, order)
    given = {**payload, "scheduled_at": payload.get("scheduled_at") or order.wanted_at}
    no = rules.check(order.state, target, actor, given)
    if no is not None and no.code == "bad_transition":
        raise _conflict(op, order, "bad_transition", no.detail)
    if no is not None and no.code == "forbidden":
        raise Rejected("forbidden", no.detail)
    if no is not None:
        raise Rejected.invalid(f"/{no.field}", no.detail, "required")
    return _move(op, order, target)


def actor_of(user: User, order: Order) -> rules.Actor:
    """A relative speaks for the person the order is for, whoever typed it in."""
    return rules.Actor(
        role=user.role,
        is_assignee=order.assignee_id == user.id,
        is_requester=user.role == "family" or order.requester_id == user.id,
        assigned=order.assignee_id is not None,
    )


def confirm_overdue(now: datetime | None = None) -> int:
    """Confirm what the family left unconfirmed for 72 hours. Commits; returns how many.

    Each is a revision of its own in the feed, by nobody (`system`). Run twice, it finds nothing to do.
    """
    now = now or clock.now()
    feed.lock()
    limit = rules.confirms_itself_before(now)
    statement = select(Order).where(Order.state == "done", Order.updated_at <= limit, queries.in_use())
    statement = statement.order_by(Order.id)
    overdue = list(db.session.scalars(statement))
    for order in overdue:
        _confirm_by_system(order, now)
    db.session.commit()
    return len(overdue)


def _order(op: Op) -> Order:
    try:
        return queries.get(op.author, op.payload["order_id"])
    except NotFound:
        pass
    was = None
    if op.payload["to"] in machine().field_work:
        was = queries.worked_on(op.author, op.payload["order_id"])
    if was is None:
        raise Rejected("not_found")
    if queries.patients([was])[was.patient_id].restricted_at is not None:
        raise scope.Restricted()
    raise _conflict(op, was, "stale_revision", "订单已改派给别人")


def _move(op: Op, order: Order, target: str) -> Applied:
    source, before = order.state, order.assignee_id
    if target == "scheduled":
        _schedule(op, order)
    elif target == "accepted":
        if op.payload.get("assignee_id", op.author.id) != op.author.id:
            raise Rejected.invalid("/assignee_id", "只能给自己接单")
        order.assignee_id = op.author.id
    elif target == "cancelled":
        order.late_cancel = rules.is_late_cancel(order.scheduled_at, op.received_at)
    elif target == "confirmed" and "rating" in op.payload:
        _rate(op, order)
    order.state = target
    order.revision += 1
    order.updated_at = op.received_at
    db.session.flush()
    if order.assignee_id != before:
        _hand_over(order, before)
    _event(order, op, source)
    announce.moved(order, op.author, op.payload)
    return Applied(order.id, order.revision, order.patient_id, target)


def _schedule(op: Op, order: Order) -> None:
    patient = queries.patients([order])[order.patient_id]
    wanted = op.payload.get("assignee_id")
    if wanted is not None:
        chosen = queries.performer(patient, wanted)
        if chosen is None:
            raise Rejected.invalid("/assignee_id", "没有这位服务人员，或不在本镇服务")
        order.assignee_id = chosen.id
    if "scheduled_at" in op.payload:
        order.scheduled_at = _moment(op, "scheduled_at")
    elif order.scheduled_at is None:
        order.scheduled_at = order.wanted_at


def _hand_over(order: Order, before: str | None) -> None:
    """The new performer gets the order's earlier revisions at all; the former one deletes it."""
    for revision in feed.history(order.id):
        revision.seq = feed.take()
    db.session.flush()
    if before is not None:
        feed.depart(order.patient_id, [f"user:{before}"])


def _rate(op: Op, order: Order) -> None:
    rating = op.payload["rating"]
    db.session.add(
        OrderRating(
            order_id=order.id,
            by=rating.get("by", "家属"),
            author_id=op.author.id,
            at=op.received_at,
            **{k: v for k, v in rating.items() if k != "by"},
        )
    )


def _moment(op: Op, name: str) -> datetime:
    """A time somebody is to come at. Raises Rejected for one that has passed or is out of reach."""
    try:
        moment = rules.true_moment(clock.parse_moment(op.payload[name]), op.skew).astimezone(UTC)
    except OverflowError:
        raise Rejected.invalid(f"/{name}", "时间不对") from None
    if (fault := rules.time_fault(moment, op.received_at)) is not None:
        raise Rejected.invalid(f"/{name}", fault)
    return moment


def _event(order: Order, op: Op, source: str | None) -> None:
    db.session.add(
        OrderEvent(
            id=op.op_id,
            order_id=order.id,
            revision=order.revision,
            from_state=source,
            to_state=order.state,
            by=op.author.id,
            assignee_id=order.assignee_id if order.state in ("scheduled", "accepted") else None,
            at=rules.happened_at(op.recorded_at, op.skew, op.received_at),
            note=op.payload.get("note") or None,
        )
    )
    db.session.flush()


def _moved_on(reader: User, order: Order) -> str:
    last = _last(order)
    mover = accounts.get(last.by) if last else None
    if order.state == "cancelled" and mover is not None:
        return f"订单已被{'家属' if mover.role == 'family' else mover.name}取消"
    return f"订单已被他人更新，现在是“{_words(reader, order)}”"


def _words(reader: User, order: Order) -> str:
    return order.family_words if reader.role == "family" else order.state_words


def _last(order: Order) -> OrderEvent | None:
    """What made the order what it is now; what only came along with it does not count."""
    return next((e for e in reversed(queries.events(order.id)) if e.revision), None)


def _conflict(op: Op, order: Order, code: str, detail: str) -> Conflict:
    """Both sides: the order as it stands, and what this phone says."""
    last = _last(order)
    mover = accounts.get(last.by) if last else None
    current: dict[str, Any] = {
        "revision": order.revision,
        "state": order.state,
        "state_words": _words(op.author, order),
        "at": clock.local(order.updated_at).isoformat(timespec="seconds"),
        "by": last.by if last and last.by else SYSTEM,
        "by_name": mover.name if mover else "系统",
    }
    if last and last.note:
        current["note"] = last.note
    moved_on = code == "stale_revision" or not order.is_open
    if not moved_on or op.payload["to"] not in machine().field_work or not _may_report(op.author, order):
        return Conflict(code, detail, current)
    at = rules.happened_at(op.recorded_at, op.skew, op.received_at)
    current["kept"] = {
        "to": op.payload["to"],
        "state_words": rules.staff_words(op.payload["to"]),
        "at": clock.local(at).isoformat(timespec="seconds"),
    }
    order_id, source = order.id, order.state
    detail = f"{detail.rstrip('。')}；您做过的已记在订单上"
    return Conflict(code, detail, current, keep=lambda: _keep(op, order_id, source, at))


def _may_report(user: User, order: Order) -> bool:
    """Field work counts from whoever was given the order, or took it on when nobody was."""
    if user.role not in rules.PERFORMERS:
        return False
    return order.assignee_id in (user.id, None) or queries.worked_on(user, order.id) is not None


def _keep(op: Op, order_id: str, source: str, at: datetime) -> None:
    if db.session.get(OrderEvent, op.op_id) is not None:
        return  # sent again: it is on the order already
    db.session.add(
        OrderEvent(
            id=op.op_id,
            order_id=order_id,
            from_state=source,
            to_state=op.payload["to"],
            by=op.author.id,
            at=at,
            note=op.payload.get("note") or None,
            kept_only=True,
        )
    )
    order = db.session.get_one(Order, order_id)
    audit.note("order.keep", object_id=order_id, patient_id=order.patient_id, user=op.author)
    feed.touch(order.patient_id)
    announce.kept(order, op.author)


def _confirm_by_system(order: Order, now: datetime) -> None:
    payload = {"order_id": order.id, "to": "confirmed"}
    text = strictjson.canonical(payload)
    op_id = new_id()
    order.state, order.revision, order.updated_at = "confirmed", order.revision + 1, now
    db.session.add(
        OrderEvent(
            id=op_id, order_id=order.id, revision=order.revision, from_state="done", to_state="confirmed",
            by=None, at=now, note=f"满 {machine().auto_confirm_hours} 小时自动确认",
        )
    )  # fmt: skip
    made = bulk.draft(
        Revision,
        op_id=op_id,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        entity_kind="order",
        entity_id=order.id,
        revision=order.revision,
        kind="order.transition",
        author_id=SYSTEM,
        device_id="server",
        patient_id=order.patient_id,
        recorded_at=clock.local(now).isoformat(timespec="seconds"),
        received_at=now,
        skew_s=0,
        state="confirmed",
        replaces=None,
        payload=text,
    )
    feed.enter([made])
    audit.note("order.transition", object_id=order.id, patient_id=order.patient_id, result="ok:auto")
    db.session.flush()
