"""What the page of one order shows: where it stands, what may be done, and how it came so far."""

from __future__ import annotations

from typing import Any

from app.accounts import service as accounts
from app.accounts.models import User
from app.orders import queries, rules, words
from app.orders.machine import machine
from app.orders.models import Order, OrderEvent
from app.orders.pages import ROLE_WORDS, ops_of, people_of, wanted_words, words_block
from app.orders.service import actor_of
from app.shared import clock, scope_table

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


def order_context(user: User, order: Order) -> dict[str, Any]:
    patient = queries.patients([order])[order.patient_id]
    events = queries.events(order.id)
    actor = actor_of(user, order)
    may = {t.target: t for t in rules.allowed(order.state, actor)}
    performer = accounts.get(order.assignee_id)
    people = people_of(user, [order])
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
