"""What the desk shows: all orders that wait at a place, as cards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from app.accounts import service as accounts
from app.accounts.models import User
from app.orders import queries, rules, words
from app.orders.models import Order
from app.orders.pages import ROLE_WORDS, ops_of, wanted_words, words_block
from app.orders.service import actor_of
from app.orders.tracking import chain
from app.orgs import service as orgs
from app.patients import identity
from app.patients.models import Patient
from app.shared import clock

WAIT_LIMIT_HOURS = 24
DESK_TABS = (
    ("submitted", "待受理"), ("unassigned", "待排班"), ("running", "进行中"), ("done", "待确认"),
)  # fmt: skip


def desk_context(user: User, tab: str = "submitted") -> dict[str, Any]:
    orders = queries.waiting_at(user)
    known = queries.patients(orders)
    places = orgs.names({p.village_code for p in known.values()})
    names = accounts.names({o.assignee_id for o in orders if o.assignee_id})
    now = clock.now()
    cards = [_card(user, o, known[o.patient_id], places, names, now) for o in orders]
    counts = {key: sum(c["tab"] == key for c in cards) for key, _ in DESK_TABS}
    return {
        "tab": "desk",
        "place": queries.place_name(user.place_code),
        "tabs": DESK_TABS,
        "current": tab if tab in counts else "submitted",
        "counts": counts,
        "cards": cards,
        "limit_hours": WAIT_LIMIT_HOURS,
        "ops": ops_of(orders),
        "words": words_block(user),
        "role_words": ROLE_WORDS,
        "initials": identity.initials,
        "age_on": identity.age_on,
        "today": clock.today(),
    }


def _card(
    user: User, order: Order, patient: Patient, places: dict[str, str], names: dict[str, str], now: datetime
) -> dict[str, Any]:
    actor = actor_of(user, order)
    may = {t.target: t for t in rules.allowed(order.state, actor)}
    ahead = chain(user, order)
    return {
        "order": order,
        "patient": patient,
        "village": places.get(patient.village_code, ""),
        "tab": desk_tab(order),
        "wanted": wanted_words(order.wanted_at),
        "agreed": words.when_words(order.scheduled_at) if order.scheduled_at else "",
        "performer": names.get(order.assignee_id or "", ""),
        "since": clock.local(order.updated_at).isoformat(timespec="seconds"),
        "since_words": words.stamp(order.updated_at),
        "late": order.state == "submitted" and now - order.updated_at > timedelta(hours=WAIT_LIMIT_HOURS),
        "may": may,
        "ahead": ahead[0] if ahead else None,
        "performers": queries.performers_for(patient) if "scheduled" in may else [],
        "when_input": clock.local(order.when_at).strftime("%Y-%m-%dT%H:%M"),
    }


def desk_tab(order: Order) -> str:
    if order.state == "scheduled" and order.assignee_id is None:
        return "unassigned"
    return order.state if order.state in ("submitted", "done") else "running"
