"""What an order may become, by whom; and the small sums around it. Plain values in, plain values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.orders.machine import Grant, Transition, machine
from app.shared.words import blank

PERFORMERS = ("provider", "village", "nurse", "doctor")
PAST_ALLOWED = timedelta(hours=24)
AHEAD_ALLOWED = timedelta(days=366)
WRONG_CLOCK = timedelta(hours=12)
NEED_WORDS = {"note": "请写明原因", "assignee_id": "请选择服务人员", "scheduled_at": "请选择上门时间"}


@dataclass(frozen=True)
class Actor:
    """Who asks, as far as the table cares. `assigned`: somebody (anybody) is named for the order."""

    role: str
    is_assignee: bool = False
    is_requester: bool = False
    assigned: bool = False


@dataclass(frozen=True)
class Refusal:
    """`bad_transition` (the states do not follow), `forbidden` (not by this person), `invalid` (`field`)."""

    code: str
    detail: str
    field: str = ""


def allowed(state: str, actor: Actor) -> list[Transition]:
    """What this person may do next, in the order of the table."""
    return [t for t in machine().transitions if t.active and t.source == state and grant_for(t, actor)]


def grant_for(transition: Transition, actor: Actor) -> Grant | None:
    """The first grant that covers the actor: cancelling one's own order, without a reason, is first."""
    return next((g for g in transition.grants if actor.role in g.roles and _stands(g, actor)), None)


def _stands(grant: Grant, actor: Actor) -> bool:
    if grant.as_ == "assignee":
        return actor.is_assignee
    if grant.as_ == "requester":
        return actor.is_requester
    if grant.as_ == "unassigned":
        return not actor.assigned
    return True


def check(state: str, target: str, actor: Actor, given: dict[str, object]) -> Refusal | None:
    """Why `state` may not become `target` now; None when it may. `given`: what the payload brings."""
    found = machine().find(state, target)
    if found is None or (state == target and not given.get("assignee_id")):
        return Refusal("bad_transition", f"订单现在是“{staff_words(state)}”，不能{_verb(target)}。")
    grant = grant_for(found, actor)
    if grant is None:
        return Refusal("forbidden", f"“{found.button}”不由您来做。")
    for name in grant.needs:
        if blank(str(given.get(name) or "")):
            return Refusal("invalid", NEED_WORDS[name], name)
    return None


def _verb(target: str) -> str:
    return f"改成“{staff_words(target)}”"


def staff_words(state: str) -> str:
    return machine().states[state].staff


def family_words(state: str) -> str:
    return machine().states[state].family


def is_late_cancel(scheduled_at: datetime | None, now: datetime) -> bool:
    """Cancelled less than two hours before somebody was to come (or after). Nobody named a time: never."""
    return scheduled_at is not None and scheduled_at - now < timedelta(hours=machine().late_cancel_hours)


def confirms_itself_before(now: datetime) -> datetime:
    """Orders done at or before this moment count as confirmed."""
    return now - timedelta(hours=machine().auto_confirm_hours)


def true_moment(stated: datetime, skew: timedelta) -> datetime:
    """What the person meant. A clock a few minutes off does not move "tomorrow at nine"; one that is
    days off (skew is server minus phone) made the page offer the wrong days."""
    return stated + skew if abs(skew) > WRONG_CLOCK else stated


def time_fault(moment: datetime, now: datetime) -> str | None:
    """Why nobody can come at `moment`, in words; None when it is a possible time."""
    if moment < now - PAST_ALLOWED:
        return "想要的时间已经过去，请重新选择"
    if moment > now + AHEAD_ALLOWED:
        return "时间太远，请选一年以内的日子"
    return None


def happened_at(recorded_at: datetime, skew: timedelta, received_at: datetime) -> datetime:
    """When something was done, by the server's clock: never after it arrived, and not before a year ago."""
    try:
        moment = recorded_at + skew
    except OverflowError:
        return received_at
    return received_at if received_at - moment > AHEAD_ALLOWED else min(moment, received_at)
