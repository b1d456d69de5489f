"""The order pages of the visit pack."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from flask import render_template
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.orders import desk_page, new_page, pages, queries, tracking
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent
from app.pwa.registry import PackPage, rev
from app.shared import clock, scope_table
from app.sync import feed
from app.sync.models import Touch


def pack_pages(user: User) -> Iterable[PackPage]:
    """The order pages somebody needs without a network."""
    if scope_table.may(user.role, "order") and user.role != "dispatcher":
        seq = new_page.newest(user)
        yield _pack("/orders/new", seq, "orders/new.html", partial(new_page.new_context, user))
    if not scope_table.may(user.role, "perform"):
        return
    seq = pages.newest(user)
    if scope_table.may(user.role, "desk"):
        yield _pack("/desk", seq, "orders/desk.html", partial(desk_page.desk_context, user))
    yield _pack("/orders", seq, "orders/list.html", partial(pages.list_context, user))
    orders = queries.for_user(user, ended_since=clock.now() - pages.RECENT)
    if user.role in ("doctor", "nurse"):
        orders = [o for o in orders if o.assignee_id == user.id]
    elif scope_table.may(user.role, "desk"):
        orders = [o for o in orders if o.is_open]
    touched = feed.touched({o.patient_id for o in orders})
    for order in orders:
        seq = touched.get(order.patient_id, 0)
        yield _pack(
            f"/orders/{order.id}", seq, "orders/show.html", partial(tracking.order_context, user, order)
        )


def gone_since(user: User, since: int) -> Iterable[str]:
    """Orders that may have left the pack: ended, or given to somebody else."""
    about = select(Touch.patient_id).where(Touch.seq > since)
    seen = queries.condition(user)
    if user.role == "provider":
        named = select(OrderEvent.order_id).where(OrderEvent.assignee_id == user.id)
        seen = Order.id.in_(named)
    ended = Order.state.not_in(machine().open_states())
    statement = select(Order.id).where(seen, Order.patient_id.in_(about) | ended)
    found = {*db.session.scalars(statement.limit(2000))}
    departed = feed.departures(user, since)
    if departed:
        found |= {*db.session.scalars(select(Order.id).where(Order.patient_id.in_(departed)).limit(2000))}
    return [f"/orders/{order_id}" for order_id in sorted(found)]


def _pack(url: str, seq: int, template: str, context: Any) -> PackPage:
    return PackPage(url, seq, lambda: render_template(template, page_rev=rev(seq), **context()))
