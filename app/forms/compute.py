"""Values a form works out by itself: BMI, scores, targets, the emergency, the suggested class.

Twin: static/js/forms/compute.js. Decimal figures are worked in whole tenths, so that both
languages round half up to the same figure.
"""

from __future__ import annotations

from typing import Any

from app.forms import dates
from app.forms.conditions import OPERATORS, holds, is_number
from app.forms.definition import Definition, Field

Context = dict[str, Any]
DAYS = ("visited_on", "today", "birth_date", "previous_visit_on", "next_visit_on")


def tenths(value: float) -> int:
    return int(value * 10 + 0.5)


def bmi(weight_kg: float, height_cm: float) -> float:
    """Weight over height in metres squared, one decimal, half up. Source: forms.md §1."""
    weight, square = tenths(weight_kg), tenths(height_cm) ** 2
    return (2 * weight * 1_000_000 + square) // (2 * square) / 10


class Values:
    """Answers, computed values and the patient's context behind one lookup by name.

    Plain names are answers and computed values; names with @ come from `context`:
    {visited_on, today, birth_date, previous_visit_on, next_visit_on: ISO days, mode, sex,
    same_day_visit: bool, conditions: list or None, last: {key: {value, on}} or None}.
    """

    def __init__(self, form: Definition, answers: dict[str, Any], context: Context | None) -> None:
        self.form, self.answers, self.given = form, answers, context or {}
        self.known = {key: value for key, value in answers.items() if value is not None}
        self.context = dict(context or {})
        for name in DAYS:
            self.context[name] = dates.day(self.context.get(name))
        for field in form.computed.values():
            value = _compute(field, self)
            if value is not None:
                self.known[field["key"]] = value

    def __call__(self, name: str) -> Any:
        return self._of_context(name[1:]) if name.startswith("@") else self.known.get(name)

    def with_last(self, last: dict[str, Any]) -> Values:
        """The same answers beside other values of the time before."""
        return Values(self.form, self.answers, {**self.given, "last": last})

    def last(self, key: str) -> Any:
        return ((self.context.get("last") or {}).get(key) or {}).get("value")

    def conditions(self) -> list[str] | None:
        """Diagnoses on record or just answered, with those the form itself implies."""
        answered = self.known.get("conditions")
        recorded = answered if isinstance(answered, list) else self.context.get("conditions")
        implied = self.form.raw["assumes"]["conditions"]
        return implied if recorded is None else [*recorded, *implied]

    def _of_context(self, name: str) -> Any:
        head, _, key = name.partition(".")
        visited = self.context["visited_on"]
        match head:
            case "conditions":
                return self.conditions()
            case "history":
                return isinstance(self.context.get("last"), dict)
            case "age":
                return dates.age_on(self.context["birth_date"], visited)
            case "days_ago":
                return dates.days_between(visited, self.context["today"])
            case "days_to_next":
                return dates.days_between(visited, self.context["next_visit_on"])
            case "last":
                return self.last(key)
            case "days_since":
                on = ((self.context.get("last") or {}).get(key) or {}).get("on")
                return dates.days_between(dates.day(on), visited)
            case "days_since_date":
                return dates.days_between(dates.day(self.known.get(key)), visited)
            case "change" | "change_pct":
                return self._change(key, percent=head == "change_pct")
        return self.context.get(name)

    def _change(self, key: str, *, percent: bool) -> float | None:
        now, before = self.known.get(key), self.last(key)
        if not is_number(now) or not is_number(before) or before <= 0:
            return None
        difference = abs(tenths(now) - tenths(before))
        return difference * 100 / tenths(before) if percent else difference / 10


def _compute(field: Field, values: Values) -> Any:
    """One computed value, or None if what it needs is unknown. A value sent along stands in then."""
    key = field["key"]
    match field["fn"]:
        case "bmi":
            weight, height = (values(arg) for arg in field["args"])
            height = values.last("height") if height is None else height
            made: Any = bmi(weight, height) if is_number(weight) and is_number(height) else None
        case "sum" | "product":
            made = _fold(field, [values(arg) for arg in field["args"]])
        case "emergency":
            made = is_emergency(values.form, values, field["args"])
        case "same_as_last":
            made = _same_as_last(field["args"], values)
        case _:
            cases = (case[1] for case in field["cases"] if holds(case[0], values))
            made = next(cases, field["else"])
    return values.known.get(key) if made is None else made


def _fold(field: Field, parts: list[Any]) -> int | None:
    """No partial totals: one part missing and there is no sum."""
    if not all(is_number(part) for part in parts):
        return None
    if field["fn"] == "sum":
        return int(sum(parts))
    result = 1
    for part in parts:
        result *= part
    return int(result)


def is_emergency(form: Definition, values: Values, flag_keys: list[str]) -> bool:
    """Any soft limit of the level `emergency`, or any flag the doctor ticked. Source: forms.md §1.1."""
    if any(values(key) for key in flag_keys):
        return True
    return any(
        (limit := soft_limit(field, values.known.get(key), values)) is not None
        and limit["level"] == "emergency"
        for key, field in form.fields.items()
    )


def soft_limit(field: Field, value: Any, values: Values) -> Field | None:
    """The first soft limit the value crosses; a definition lists the gravest first."""
    if value is None:
        return None
    for limit in field.get("soft", ()):
        bound = limit["value"]
        if isinstance(bound, str) and bound.startswith("$"):
            bound = values(bound[1:])
        if OPERATORS[limit["op"]](value, bound) and holds(limit.get("when"), values):
            return dict(limit)
    return None


def _same_as_last(keys: list[str], values: Values) -> bool:
    """At least two figures to compare, and every one as it was: was it measured at all?"""
    pairs = [(values(key), values.last(key)) for key in keys]
    compared = [(now, before) for now, before in pairs if now is not None and before is not None]
    return len(compared) >= 2 and all(now == before for now, before in compared)
