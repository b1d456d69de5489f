"""Which forms a person is due for, and by which day. No Flask, no SQL, no clock.

Days are counted from the visit itself, never from its upload. Source: domain/grading.md §2 and §6,
docs/decisions (planning of visits).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from app.forms.definition import definition
from app.grading.rules import shipped_table
from app.rules.decide import matching

HYPERTENSION, DIABETES, ADL, GENERAL = "hypertension", "diabetes", "adl", "general"
FORM_OF_CONDITION = {"hypertension": HYPERTENSION, "diabetes_t2": DIABETES}
FORM_OF_DOMAIN = {"bp": HYPERTENSION, "glucose": DIABETES}  # whose reading calls for which form
FORM_OF_MISSING = {"adl": ADL, "conditions": GENERAL, "bp": GENERAL, "cognition": GENERAL,
                   "depression": GENERAL, "falls": GENERAL}  # fmt: skip
ORDER = (HYPERTENSION, DIABETES, ADL, GENERAL)
COMPLETE_DAYS = 30  # to fill in the minimum data: base interval of 待评估
FIRST_LABEL = "首次评估"
# These speak of silence. A visit put off is late by its own day, not by a rule that fires because of it.
SILENCE = frozenset({"DATA_STALE_BP", "DATA_STALE_FPG"})


@dataclass(frozen=True)
class Task:
    """One form to fill in by `due_on`. `why`: routine, codes of reasons, or `missing:` and what."""

    form: str
    label: str
    due_on: date
    why: str


def tasks(
    facts: Mapping[str, Any],
    grade: Mapping[str, Any],
    last_done: Mapping[str, date],
    registered_on: date,
    as_of: date,
    next_visit_on: Mapping[str, date] | None = None,
) -> list[Task]:
    """Everything this person is due for, at most one task a form, soonest first.

    `last_done` and `next_visit_on` are by form: the day it was last filled in, and the next day the
    clinician wrote in it, which can bring a date forward but not put it off. `grade` may name a colour
    that is `held` above the rules' own. An emergency that no visit stands behind is due on `as_of`;
    otherwise its follow-up is due as the table says, within 14 days.
    """
    found = _routine(facts, grade, last_done, registered_on, next_visit_on or {})
    if grade["emergency"] and not last_done:
        found = [Task(task.form, task.label, min(task.due_on, as_of), task.why) for task in found]
    for task in _missing(facts, grade, last_done, registered_on):
        found = _merged(found, task)
    return sorted(found, key=lambda task: (task.due_on, ORDER.index(task.form)))


def _routine(
    facts: Mapping[str, Any],
    grade: Mapping[str, Any],
    last_done: Mapping[str, date],
    registered_on: date,
    asked: Mapping[str, date],
) -> list[Task]:
    conditions = facts.get("conditions") or []
    forms = [form for code, form in FORM_OF_CONDITION.items() if code in conditions] or [GENERAL]
    reasons = _speaking(grade["reasons"])
    if not last_done:
        due = {form: registered_on + timedelta(days=COMPLETE_DAYS) for form in forms}
    else:
        due = _by_interval(forms, reasons, last_done, routine_days(conditions), _held_days(grade))
    due = {form: min(day, asked.get(form, day)) for form, day in due.items()}
    first = {GENERAL: FIRST_LABEL} if not last_done else {}
    return [
        Task(form, first.get(form, definition(form).zh), due[form], _codes(form, forms, reasons))
        for form in forms
    ]


@cache
def _places() -> dict[str, int]:
    """The place of every rule that speaks of what was found."""
    codes = [rule["code"] for rule in shipped_table()["rules"]]
    return {code: place for place, code in enumerate(codes) if code not in SILENCE}


def _speaking(codes: Iterable[str]) -> list[dict[str, Any]]:
    """Their rules, in the order of the table."""
    places, table = _places(), shipped_table()["rules"]
    return [table[place] for place in sorted({places[code] for code in codes if code in places})]


def _by_interval(
    forms: list[str],
    reasons: list[dict[str, Any]],
    last_done: Mapping[str, date],
    routine: int,
    held_days: int,
) -> dict[str, date]:
    """Each form by its own readings; then, if something else calls sooner, the form whose turn is next."""
    newest = max(last_done.values())
    due = {}
    for form in forms:
        own = [rule["due"] for rule in reasons if _speaks_for(rule, form, forms)]
        due[form] = last_done.get(form, newest) + timedelta(days=min([routine, *own]))
    sooner = newest + timedelta(days=min([routine, held_days, *(rule["due"] for rule in reasons)]))
    turn = min(due.values())
    return {form: sooner if day == turn and sooner < day else day for form, day in due.items()}


def routine_days(conditions: Iterable[str]) -> int:
    """Interval of a person whose values are all as they should be."""
    known = {"colour": "green", "conditions": list(conditions)}
    days: int = matching(shipped_table()["base_days"], known)[0]["then"]
    return days


def _held_days(grade: Mapping[str, Any]) -> int:
    """Base interval of a colour that stands above what the rules say, until a clinician lowers it."""
    return _base_days(grade.get("held") or "green")


@cache
def _base_days(colour: str) -> int:
    days: int = matching(shipped_table()["base_days"], {"colour": colour})[0]["then"]
    return days


def _speaks_for(rule: Mapping[str, Any], form: str, forms: list[str]) -> bool:
    return FORM_OF_DOMAIN.get(rule["domain"]) == form or forms == [form]


def _codes(form: str, forms: list[str], reasons: list[dict[str, Any]]) -> str:
    own = [rule["code"] for rule in reasons if _speaks_for(rule, form, forms)]
    return ",".join(own[:3]) or "routine"


def _missing(
    facts: Mapping[str, Any], grade: Mapping[str, Any], last_done: Mapping[str, date], registered_on: date
) -> list[Task]:
    wanted: dict[str, list[str]] = {}
    for key in grade["missing"]:
        form = FORM_OF_MISSING.get(key)
        if form is None or (key == "bp" and "hypertension" in (facts.get("conditions") or [])):
            continue  # the disease follow-up asks for it
        wanted.setdefault(form, []).append(key)
    found = []
    for form, keys in wanted.items():
        since = min(_missing_since(key, facts, registered_on) for key in keys)
        # Asked for a month ago without an answer: asked again a month later, not the day after.
        due_on = max(since, last_done.get(form, since)) + timedelta(days=COMPLETE_DAYS)
        label = FIRST_LABEL if form == GENERAL and not last_done else definition(form).zh
        found.append(Task(form, label, due_on, "missing:" + ",".join(keys)))
    return found


def _missing_since(key: str, facts: Mapping[str, Any], registered_on: date) -> date:
    """The day a fact grew too old, or that of registration if it never was there."""
    value = facts.get(key)
    newest = max(value, key=lambda one: str(one["date"])) if key == "bp" and value else value
    if not isinstance(newest, Mapping) or not newest.get("date"):
        return registered_on
    days = shipped_table()["windows"]["annual"] + 1
    return max(registered_on, date.fromisoformat(str(newest["date"])) + timedelta(days=days))


def _merged(found: list[Task], task: Task) -> list[Task]:
    """`task` beside the others; one form is filled in once, by the sooner day."""
    same = next((one for one in found if one.form == task.form), None)
    if same is None:
        return [*found, task]
    why = task.why if same.why == "routine" else f"{same.why};{task.why}"
    both = Task(task.form, same.label, min(same.due_on, task.due_on), why)
    return [both if one is same else one for one in found]


def not_into_the_past(new: Task, held_due_on: date | None, as_of: date) -> Task:
    """`new` as decided without a visit: what time changed may be due today, but was not due before.

    Without this a birthday or an assessment grown old would make somebody months overdue overnight.
    `held_due_on` is the day that stood for this form until now.
    """
    earliest = as_of if held_due_on is None else min(held_due_on, as_of)
    return Task(new.form, new.label, max(new.due_on, earliest), new.why)
