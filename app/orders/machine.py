"""The life of an order as one table: machine.json, from domain/services.md §4. Read once, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("machine.json")


@dataclass(frozen=True)
class State:
    """`staff` and `family` are its names for those who work and those who wait; `ended`: nothing follows
    that a family waits for. An inactive state belongs to a later part of §4 and is never entered."""

    key: str
    staff: str
    family: str
    active: bool
    ended: bool


@dataclass(frozen=True)
class Grant:
    """Who may make a transition: these roles, and only as `as_` (assignee, requester, unassigned) if given.

    `needs` names payload fields that must not be blank.
    """

    roles: frozenset[str]
    as_: str | None
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Transition:
    source: str
    target: str
    active: bool
    button: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True)
class Machine:
    states: dict[str, State]
    transitions: tuple[Transition, ...]
    field_work: frozenset[str]
    auto_confirm_hours: int
    late_cancel_hours: int

    def find(self, source: str, target: str) -> Transition | None:
        """The active transition between two states, None when §4 has none (or not yet)."""
        for one in self.transitions:
            if one.active and (one.source, one.target) == (source, target):
                return one
        return None

    def open_states(self) -> list[str]:
        """States in which somebody still has something to do."""
        return [s.key for s in self.states.values() if s.active and not s.ended]


@cache
def machine() -> Machine:
    raw = json.loads(FILE.read_text("utf-8"))
    return Machine(
        states={s["key"]: State(**s) for s in raw["states"]},
        transitions=tuple(_transition(t) for t in raw["transitions"]),
        field_work=frozenset(raw["field_work"]),
        auto_confirm_hours=raw["auto_confirm_hours"],
        late_cancel_hours=raw["late_cancel_hours"],
    )


def _transition(raw: dict[str, Any]) -> Transition:
    grants = tuple(Grant(frozenset(g["roles"]), g["as"], tuple(g["needs"])) for g in raw["grants"])
    return Transition(raw["from"], raw["to"], raw["active"], raw["button"], grants)
