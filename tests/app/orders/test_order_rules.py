"""The table of §4 without a server: who may what, and the sums around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.models import ROLES
from app.orders import rules
from app.orders.machine import machine
from app.orders.rules import Actor

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
STATES = list(machine().states)
ACTIVE = {
    "submitted",
    "scheduled",
    "accepted",
    "en_route",
    "in_service",
    "done",
    "confirmed",
    "rejected",
    "cancelled",
}
# domain/services.md §4, written down a second time: from, to, who.
LEGAL = {
    ("submitted", "scheduled"): {"village", "dispatcher", "doctor", "nurse"},
    ("submitted", "rejected"): {"village", "dispatcher", "doctor"},
    ("scheduled", "scheduled"): {"village", "dispatcher"},
    ("scheduled", "accepted"): {"assignee"},
    ("accepted", "en_route"): {"assignee"},
    ("en_route", "in_service"): {"assignee"},
    ("in_service", "done"): {"assignee"},
    ("done", "confirmed"): {"family", "system"},
    ("submitted", "cancelled"): {"requester", "assignee"},
    ("scheduled", "cancelled"): {"requester", "assignee"},
    ("accepted", "cancelled"): {"requester", "assignee"},
    ("en_route", "cancelled"): {"requester", "assignee"},
}
actors = st.builds(
    Actor,
    role=st.sampled_from([*ROLES, "system"]),
    is_assignee=st.booleans(),
    is_requester=st.booleans(),
    assigned=st.just(True),
)


def may(source: str, target: str, actor: Actor) -> bool:
    who = LEGAL.get((source, target), set())
    performs = actor.is_assignee and actor.role in rules.PERFORMERS
    asked = actor.is_requester and actor.role in ("family", "village", "doctor", "nurse", "dispatcher")
    return actor.role in who or ("assignee" in who and performs) or ("requester" in who and asked)


def test_the_table_knows_every_state_and_opens_nine() -> None:
    assert {key for key, state in machine().states.items() if state.active} == ACTIVE
    assert len(STATES) == 18
    for transition in machine().transitions:
        assert {transition.source, transition.target} <= set(STATES)
        assert transition.grants and transition.button
        assert not transition.active or {transition.source, transition.target} <= ACTIVE


@given(st.sampled_from(STATES), st.sampled_from(STATES), actors)
def test_every_step_is_allowed_exactly_to_whom_the_source_names(
    source: str, target: str, actor: Actor
) -> None:
    given_all = {"note": "原因", "assignee_id": "somebody", "scheduled_at": "2026-06-02T09:00:00+08:00"}
    no = rules.check(source, target, actor, given_all)
    assert (no is None) == may(source, target, actor)
    if no is not None:
        assert no.code == ("forbidden" if (source, target) in LEGAL else "bad_transition")
    shown = {t.target for t in rules.allowed(source, actor)}
    assert (target in shown) == may(source, target, actor)


@pytest.mark.parametrize("role", ["village", "nurse", "doctor"])
def test_when_nobody_is_named_any_performer_of_the_place_may_take_it(role: str) -> None:
    assert rules.check("scheduled", "accepted", Actor(role, assigned=False), {}) is None
    assert rules.check("scheduled", "accepted", Actor(role, assigned=True), {}) is not None


def test_a_refusal_and_a_performers_cancelling_need_a_reason_of_more_than_spaces() -> None:
    for note in ("", "  ", "\u3000", None):
        no = rules.check("submitted", "rejected", Actor("village"), {"note": note})
        assert no is not None and (no.code, no.field) == ("invalid", "note")
        performer = Actor("provider", is_assignee=True, assigned=True)
        no = rules.check("accepted", "cancelled", performer, {"note": note})
        assert no is not None and no.field == "note"
    assert rules.check("accepted", "cancelled", Actor("family", is_requester=True), {}) is None


def test_cancelling_is_late_from_two_hours_before_the_agreed_time() -> None:
    assert not rules.is_late_cancel(None, NOW)
    assert not rules.is_late_cancel(NOW + timedelta(hours=2), NOW)
    assert rules.is_late_cancel(NOW + timedelta(hours=2, seconds=-1), NOW)
    assert rules.is_late_cancel(NOW - timedelta(days=1), NOW)


def test_nobody_comes_yesterday_or_in_a_year() -> None:
    assert rules.time_fault(NOW - timedelta(hours=24), NOW) is None
    assert rules.time_fault(NOW - timedelta(hours=24, seconds=1), NOW)
    assert rules.time_fault(NOW + timedelta(days=366), NOW) is None
    assert rules.time_fault(NOW + timedelta(days=367), NOW)


def test_a_clock_days_off_is_corrected_and_one_minutes_off_is_not() -> None:
    assert rules.true_moment(NOW, timedelta(minutes=7)) == NOW
    assert rules.true_moment(NOW, timedelta(days=1825)) == NOW + timedelta(days=1825)


def test_what_was_done_is_dated_by_the_servers_clock_and_never_after_it_arrived() -> None:
    assert rules.happened_at(NOW - timedelta(hours=3), timedelta(0), NOW) == NOW - timedelta(hours=3)
    assert rules.happened_at(NOW + timedelta(days=5), timedelta(0), NOW) == NOW
    assert rules.happened_at(NOW - timedelta(days=9000), timedelta(0), NOW) == NOW
    assert rules.happened_at(datetime.max.replace(tzinfo=UTC), timedelta(days=1), NOW) == NOW
