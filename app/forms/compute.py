"""Values a form works out by itself: BMI, scores, targets, the emergency, the suggested class.

Twin: static/js/forms/compute.js. Decimal figures are worked in whole tenths, so that both
languages round half up to the same figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from app.forms import dates
from app.forms.conditions import NUMBERS, OF_NUMBERS, OPERATORS, Test, is_number, truth_of
from app.forms.definition import Definition, Field
from app.shared.memo import Memo

Context = dict[str, Any]
DAYS = {
    f"@{name}": name for name in ("visited_on", "today", "birth_date", "previous_visit_on", "next_visit_on")
}


def tenths(value: float) -> int:
    return int(value * 10 + 0.5)


def bmi(weight_kg: float, height_cm: float) -> float:
    """Weight over height in metres squared, one decimal, half up. Source: forms.md §1."""
    weight, square = tenths(weight_kg), tenths(height_cm) ** 2
    return (2 * weight * 1_000_000 + square) // (2 * square) / 10


class Values(dict[str, Any]):
    """Answers, computed values and the patient's context behind one lookup by name: `values["sbp"]`.

    None for what nobody gave (so not `get`, which does not know the context). Plain names are answers and
    computed values; names with @ come from `context`, worked out when first asked for:
    {visited_on, today, birth_date, previous_visit_on, next_visit_on: ISO days, mode, sex,
    same_day_visit: bool, conditions: list or None, last: {key: {value, on}} or None}.
    """

    def __init__(self, form: Definition, answers: dict[str, Any], context: Context | None) -> None:
        blank, makers = _prepared(form)
        super().__init__(blank)
        self.update(answers)
        self.form, self.answers, self.given = form, answers, context or {}
        for name, given in DAYS.items():
            self[name] = dates.day(self.given.get(given))
        for key, make in makers:
            made = make(self)
            if made is not None:  # else a value sent along stands
                self[key] = made

    def __missing__(self, name: str) -> Any:
        if not name.startswith("@"):
            return None
        head, _, key = name[1:].partition(".")
        if head in OF_ANSWERS:
            return OF_ANSWERS[head](self, key)
        self[name] = value = self._of_context(head, key)
        return value

    def with_last(self, last: dict[str, Any]) -> Values:
        """The same answers beside other values of the time before."""
        return Values(self.form, self.answers, {**self.given, "last": last})

    def last(self, key: str) -> Any:
        return self._before(key).get("value")

    def _before(self, key: str) -> dict[str, Any]:
        return (self.given.get("last") or {}).get(key) or {}

    def _of_context(self, head: str, key: str) -> Any:
        match head:
            case "history":
                return isinstance(self.given.get("last"), dict)
            case "age":
                return dates.age_on(self["@birth_date"], self["@visited_on"])
            case "days_ago":
                return dates.days_between(self["@visited_on"], self["@today"])
            case "days_to_next":
                return dates.days_between(self["@visited_on"], self["@next_visit_on"])
            case "last":
                return self.last(key)
            case "days_since":
                return dates.days_between(dates.day(self._before(key).get("on")), self["@visited_on"])
        return self.given.get(head)


def _conditions(values: Values, _: str) -> list[str] | None:
    """Diagnoses on record or just answered, with those the form itself implies."""
    answered = values["conditions"]
    recorded = answered if isinstance(answered, list) else values.given.get("conditions")
    implied: list[str] = values.form.raw["assumes"]["conditions"]
    return implied if recorded is None else [*recorded, *implied]


def _days_since_date(values: Values, key: str) -> int | None:
    return dates.days_between(dates.day(values[key]), values["@visited_on"])


def _change(values: Values, key: str, *, percent: bool = False) -> float | None:
    now, before = values[key], values.last(key)
    if not is_number(now) or not is_number(before) or before <= 0:
        return None
    difference = abs(tenths(now) - tenths(before))
    return difference * 100 / tenths(before) if percent else difference / 10


# What depends on answers too, and is not kept: a value may be asked for before others are computed.
OF_ANSWERS: dict[str, Callable[[Values, str], Any]] = {
    "conditions": _conditions,
    "days_since_date": _days_since_date,
    "change": _change,
    "change_pct": partial(_change, percent=True),
}

Make = Callable[[Values], Any]


def _prepare(form: Definition) -> tuple[dict[str, None], list[tuple[str, Make]]]:
    """Every name of the form without a value, and how each computed value is made, in their order."""
    makers = [(key, _maker(form, field)) for key, field in form.computed.items()]
    return dict.fromkeys([*form.fields, *form.computed]), makers


_prepared = Memo(_prepare)


def _maker(form: Definition, field: Field) -> Make:
    """Makes one computed value, or None if what it needs is unknown."""
    match field["fn"]:
        case "bmi":
            return _bmi(*field["args"])
        case "sum" | "product":
            return _fold(field["args"], sum if field["fn"] == "sum" else math.prod)
        case "emergency":
            return _emergency(form, field["args"])
        case "same_as_last":
            return _same_as_last(field["args"])
    return _choose([(truth_of(condition), value) for condition, value in field["cases"]], field["else"])


def _bmi(weight_key: str, height_key: str) -> Make:
    def make(values: Values) -> float | None:
        weight, height = values[weight_key], values[height_key]
        height = values.last("height") if height is None else height
        return bmi(weight, height) if is_number(weight) and is_number(height) else None

    return make


def _fold(keys: list[str], fold: Callable[[list[Any]], Any]) -> Make:
    """No partial totals: one part missing and there is no sum."""

    def make(values: Values) -> int | None:
        parts = [values[key] for key in keys]
        return int(fold(parts)) if all(map(is_number, parts)) else None

    return make


def _choose(cases: list[tuple[Test, Any]], otherwise: Any) -> Make:
    def make(values: Values) -> Any:
        for holds, value in cases:
            if holds(values):
                return value
        return otherwise

    return make


def _emergency(form: Definition, flag_keys: list[str]) -> Make:
    """Any soft limit of the level `emergency`, or any flag the doctor ticked. Source: forms.md §1.1."""
    limited = [(key, soft_limit(field)) for key, field in form.fields.items() if _is_grave(field)]

    def make(values: Values) -> bool:
        for key in flag_keys:
            if values[key]:
                return True
        for key, crossed in limited:
            limit = crossed(values[key], values)
            if limit is not None and limit["level"] == "emergency":
                return True
        return False

    return make


def _is_grave(field: Field) -> bool:
    return any(limit["level"] == "emergency" for limit in field.get("soft", ()))


def soft_limit(field: Field) -> Callable[[Any, Values], Field | None]:
    """Finds the first soft limit a value crosses; a definition lists the gravest first."""
    soft = field.get("soft", ())
    of_numbers = all(is_number(limit["value"]) for limit in soft)
    operators = OF_NUMBERS if of_numbers else OPERATORS
    limits = [(operators[limit["op"]], limit["value"], truth_of(limit.get("when")), limit) for limit in soft]

    def crossed(value: Any, values: Values) -> Field | None:
        if value is None or (of_numbers and type(value) not in NUMBERS):
            return None
        for compare, bound, holds, limit in limits:
            if compare(value, bound) and holds(values):
                return limit
        return None

    return crossed


def _same_as_last(keys: list[str]) -> Make:
    """At least two figures to compare, and every one as it was: was it measured at all?"""

    def make(values: Values) -> bool:
        if not values.given.get("last"):
            return False
        pairs = [(values[key], values.last(key)) for key in keys]
        compared = [(now, before) for now, before in pairs if now is not None and before is not None]
        return len(compared) >= 2 and all(now == before for now, before in compared)

    return make
