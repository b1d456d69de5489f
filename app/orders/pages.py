"""What the pages show: one context per page, used by the route and by the visit pack alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import render_template
from sqlalchemy import func, select

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.orders import queries, rules, words
from app.orders.catalogue import catalogue
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent
from app.orders.service import actor_of
from app.orgs import service as orgs
from app.patients import identity, scope
from app.patients import service as patients
from app.patients.models import Patient
from app.pwa.registry import PackPage, rev
from app.shared import clock, scope_table
from app.sync import feed
from app.sync.models import Touch

RECENT = timedelta(days=30)
WAIT_LIMIT_HOURS = 24
FAR_AHEAD_DAYS = 7  # of a family's calendar; staff plan further
STAFF_AHEAD_DAYS = 60
STEPS = ("submitted", "scheduled", "en_route", "in_service", "done")
AT_STEP = {
    "submitted": 0,
    "scheduled": 1,
    "accepted": 1,
    "en_route": 2,
    "in_service": 3,
    "done": 4,
    "confirmed": 5,
}
DESK_TABS = (
    ("submitted", "待受理"), ("unassigned", "待排班"), ("running", "进行中"), ("done", "待确认"),
)  # fmt: skip
ROLE_WORDS = {"nurse": "护士", "doctor": "医生", "village": "村医"}


def newest(user: User) -> int:
    """The newest feed number about anybody for whom `user` sees an order."""
    about = select(Order.patient_id).where(queries.condition(user))
    touched = db.session.scalar(select(func.max(Touch.seq)).where(Touch.patient_id.in_(about))) or 0
    return max(touched, feed.left_at(user))


def newest_for_new(user: User) -> int:
    """The same for the page of the catalogue, which names a family's own people."""
    if user.role != "family":
        return 0
    people = [patient.id for _, patient in patients.links_of(user)]
    return max([feed.left_at(user), *feed.touched(people).values()])


# ---- /orders/new


def new_context(
    user: User, patient: Patient | None = None, chosen: dict[str, str] | None = None
) -> dict[str, Any]:
    """The catalogue and the form. A family finds its people here, staff the one they came from."""
    links = patients.links_of(user, "order") if user.role == "family" else []
    people = [_person(user, p, link.relation) for link, p in links]
    if patient is not None and user.role != "family":
        people = [_person(user, patient, "")]
    tomorrow = clock.today() + timedelta(days=1)
    ahead = FAR_AHEAD_DAYS if user.role == "family" else STAFF_AHEAD_DAYS
    first = patient.id if patient is not None else people[0]["id"] if people else ""
    return {
        "tab": "new-order",
        "lines": catalogue().offered(),
        "categories": catalogue().categories,
        "people": people,
        "first": first,
        "whom": next((p for p in people if p["id"] == first), None),
        "chosen": chosen or {},
        "tomorrow": tomorrow,
        "tomorrow_words": f"{tomorrow.month}月{tomorrow.day}日",
        "half_days": [(f"明天{word}", f"{tomorrow.isoformat()}T{hour}:00+08:00") for word, hour in HALF_DAYS],
        "today": clock.today(),
        "last_day": clock.today() + timedelta(days=ahead),
        "far_ahead_days": ahead,
        "initials": identity.initials,
    }


HALF_DAYS = (("上午", "09:00"), ("下午", "14:00"))


def _person(user: User, patient: Patient, relation: str) -> dict[str, str]:
    """Whom the order is for, and where to call and go: what the form is filled with beforehand."""
    own = user.phone if user.role == "family" else None
    return {
        "id": patient.id,
        "name": patient.name,
        "called": relation or patient.name,
        "phone": own or patient.phone or patient.contact_phone or "",
        "address": patient.address or queries.place_name(patient.village_code),
    }


def found(user: User, text: str) -> list[Patient]:
    """People of one's scope whose name or pinyin begins so; for staff who came without a person."""
    text = text.strip()
    if not text:
        return []
    statement = (
        select(Patient)
        .where(
            scope.condition(user, "order"),
            Patient.ended_on.is_(None),
            Patient.name.startswith(text, autoescape=True)
            | Patient.name_py.startswith(text.lower(), autoescape=True),
        )
        .order_by(Patient.name_py, Patient.id)
        .limit(30)
    )
    return list(db.session.scalars(statement))


# ---- /orders


def list_context(user: User) -> dict[str, Any]:
    orders = queries.for_user(user, ended_since=clock.now() - RECENT)
    return {
        "tab": "orders",
        "rows": [row(user, order, people) for people in [_people(user, orders)] for order in orders],
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


def _people(user: User, orders: list[Order]) -> dict[str, dict[str, str]]:
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


# ---- /orders/<id>


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


def order_context(user: User, order: Order) -> dict[str, Any]:
    patient = queries.patients([order])[order.patient_id]
    events = queries.events(order.id)
    actor = actor_of(user, order)
    may = {t.target: t for t in rules.allowed(order.state, actor)}
    performer = accounts.get(order.assignee_id)
    people = _people(user, [order])
    is_family = user.role == "family"
    cancel = rules.grant_for(may["cancelled"], actor) if "cancelled" in may else None
    return {
        "tab": "desk" if scope_table.may(user.role, "desk") else "orders",
        "order": order,
        "line": order.line,
        "patient": patient,
        "called": people[patient.id]["called"],
        "place": people[patient.id]["place"],
        "is_family": is_family,
        "kicker": kicker(order) if is_family else order.state_words,
        "day": words.day_words(clock.local_date(order.when_at)),
        "hour": f"{words.half_words(order.when_at)} {words.hour_words(order.when_at)}"
        if order.scheduled_at
        else words.half_words(order.when_at),
        "when_iso": clock.local(order.when_at).isoformat(timespec="minutes"),
        "wanted": wanted_words(order.wanted_at),
        "steps": steps(order, events, order.line.performer_words),
        "performer": performer,
        "performer_word": performer_word(order, performer),
        "clinic": queries.clinic_phone(patient),
        "may": may,
        "chain": chain(user, order),
        "cancel_needs_note": bool(cancel and "note" in cancel.needs),
        "performers": queries.performers_for(patient) if {"scheduled"} & may.keys() else [],
        "history": history(order, events, is_family),
        "rating": queries.rating(order.id),
        "late": rules.is_late_cancel(order.scheduled_at, clock.now()),
        "data": ops_of([order])[0] | {"step_of": AT_STEP, "may": may_from(actor)},
        "role_words": ROLE_WORDS,
        "words": words_block(user),
    }


def may_from(actor: rules.Actor) -> dict[str, dict[str, str]]:
    """What this person may do from each state, in words: a phone may learn that the order stands elsewhere
    than its page says."""
    states = [s.key for s in machine().states.values() if s.active]
    found = {state: {t.target: t.button for t in rules.allowed(state, actor)} for state in states}
    return {state: may for state, may in found.items() if may}


def performer_word(order: Order, performer: User | None) -> str:
    if performer is None:
        return ""
    return ROLE_WORDS.get(performer.role, order.line.performer_words.split("或")[0])


def kicker(order: Order) -> str:
    said = {"submitted": "已提交，等着排时间", "accepted": "已接单，到时上门", "done": "做完了，等您确认"}
    return said.get(order.state, order.family_words)


def steps(order: Order, events: list[OrderEvent], who: str) -> list[dict[str, str]]:
    """The way of an order as the family sees it, ending where it was stopped if it was."""
    moved = {e.to_state: words.stamp(e.at) for e in events if not e.kept_only}
    stopped = order.state not in AT_STEP
    last = next((e for e in reversed(events) if e.from_state in AT_STEP and not e.kept_only), None)
    at = AT_STEP[(last.from_state if stopped and last else order.state) or "submitted"]
    names = {
        "submitted": "已提交",
        "scheduled": "已预约",
        "en_route": f"{who.split('或')[0]}出发",
        "in_service": "正在服务",
        "done": "做完了，您来确认" if order.state != "confirmed" else "做完了，已确认",
    }
    found = []
    for place, state in enumerate(STEPS):
        if stopped and place > at:
            break
        how = "done" if place < at or stopped else "now" if place == at else "later"
        found.append({"text": names[state], "state": how, "time": moved.get(state, "")})
    if stopped:
        time = moved.get(order.state, "")
        found.append({"text": order.family_words, "state": "stopped", "time": time})
    return found


def history(order: Order, events: list[OrderEvent], family: bool) -> list[dict[str, str]]:
    """Every event with who and why, newest first. Relatives read who came, not who typed."""
    names = accounts.names({e.by for e in events if e.by})
    found = []
    for event in reversed(events):
        state = rules.family_words(event.to_state) if family else rules.staff_words(event.to_state)
        who = names.get(event.by or "", "系统")
        found.append(
            {
                "id": event.id,
                "text": f"现场记录：{state}（晚到，未改订单）" if event.kept_only else state,
                "who": who,
                "at": words.stamp(event.at),
                "iso": clock.local(event.at).isoformat(timespec="seconds"),
                "note": event.note or "",
            }
        )
    return found


def chain(user: User, order: Order) -> list[dict[str, Any]]:
    """The performer's way from here on, step by step: offline, one step follows another without an answer."""
    found: list[dict[str, Any]] = []
    state, assigned = order.state, actor_of(user, order)
    while True:
        ahead = next((t for t in rules.allowed(state, assigned) if t.target in FORWARD), None)
        if ahead is None:
            return found
        found.append({"source": state, "target": ahead.target, "button": ahead.button})
        state = ahead.target
        assigned = rules.Actor(user.role, is_assignee=True, is_requester=assigned.is_requester, assigned=True)


FORWARD = ("accepted", "en_route", "in_service", "done")


# ---- /desk


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


# ---- the visit pack


def pack_pages(user: User) -> Iterable[PackPage]:
    """The order pages somebody needs without a network."""
    if scope_table.may(user.role, "order") and user.role != "dispatcher":
        seq = newest_for_new(user)
        yield _pack("/orders/new", seq, "orders/new.html", partial(new_context, user))
    if not scope_table.may(user.role, "perform"):
        return
    seq = newest(user)
    if scope_table.may(user.role, "desk"):
        yield _pack("/desk", seq, "orders/desk.html", partial(desk_context, user))
    yield _pack("/orders", seq, "orders/list.html", partial(list_context, user))
    orders = queries.for_user(user, ended_since=clock.now() - RECENT)
    if user.role in ("doctor", "nurse"):
        orders = [o for o in orders if o.assignee_id == user.id]
    elif scope_table.may(user.role, "desk"):
        orders = [o for o in orders if o.is_open]
    touched = feed.touched({o.patient_id for o in orders})
    for order in orders:
        seq = touched.get(order.patient_id, 0)
        yield _pack(f"/orders/{order.id}", seq, "orders/show.html", partial(order_context, user, order))


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
