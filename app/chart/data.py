"""The data block of the patient page: what its scripts and the forms know of a person, as few bytes.

Twin: static/js/chart/data.js, which makes of it the facts of grading.md §3 and the values shown as 上次.
Everything recorded stands once: below the day it was recorded on, or in the table of readings on the page.
A day is named by the first row of the page's visits that is of it: 0 stands on every page, a date on few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from app.forms import engine
from app.grading import facts as grading_facts

Seen = dict[str, dict[str, Any]]  # ISO day -> code -> value
Last = dict[str, dict[str, dict[str, Any]]]  # form -> field -> {value, on}

# Codes whose newest value is shown beside a field, and the parts that fields are named after.
MEASURED = {
    "bp": {"sbp": "sbp", "dbp": "dbp"},
    "pulse": {"pulse": "bpm", "heart_rate": "bpm"},
    "temp": {"temperature": "c"},
    "spo2": {"spo2": "pct"},
    "fpg": {"fpg": "mmol_l"},
    "rbg": {"rbg": "mmol_l"},
    "weight": {"weight": ""},
    "height": {"height": ""},
    "bmi": {"bmi": ""},
    "hba1c": {"hba1c": ""},
}
# What differs most from person to person first: the rest of a line is then often somebody else's, too.
ORDER = (*MEASURED, "adl", "adherence", "red_flags", "adverse", "complication")
FIGURES = {
    "fpg": "mmol_l", "rbg": "mmol_l", "pulse": "bpm", "temp": "c", "spo2": "pct", "adl": "score",
    "adherence": "code",
}  # fmt: skip
BY_HAND = ("int", "dec1", "dec3")


def lean(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that any rule can still look at, counted from the newest record and not from today.

    So the page says the same tomorrow.
    """
    dated = [value for value in facts.values() if isinstance(value, dict)]
    readings = [one for code in grading_facts.READINGS for one in facts.get(code) or []]
    newest = max((one["date"] for one in [*dated, *readings]), default=facts["birth_date"])
    return grading_facts.needed(facts, date.fromisoformat(newest))


def seen(facts: Mapping[str, Any], latest: Mapping[str, tuple[Any, str]]) -> Seen:
    """Readings, dated facts and newest measures by day.

    `facts` of `lean`; `latest`: code -> (value, ISO day) of the newest observation.
    """
    found: Seen = {}

    def put(day: str, code: str, value: Any) -> None:
        found.setdefault(day, {}).setdefault(code, value)

    for code, value in facts.items():
        if code in grading_facts.READINGS:
            for reading in value:
                put(reading["date"], code, _bare(code, reading))
        elif isinstance(value, dict):
            put(value["date"], code, _bare(code, value))
    for code in MEASURED:
        if code in latest:
            value, day = latest[code]
            put(day, code, _bare(code, value) if isinstance(value, dict) else value)
    return {day: dict(sorted(found[day].items(), key=_place)) for day in sorted(found, reverse=True)}


def tabled(known: Seen, tables: Mapping[str, Sequence[tuple[date, str]]]) -> tuple[Seen, dict[str, int]]:
    """`known` without what the page's tables say already, and how many of their rows that is.

    `tables`: bp and fpg -> (day, words), newest first. Only the first rows count, up to one that says
    something else: the phone reads just as many.
    """
    left = {day: dict(values) for day, values in known.items()}
    read = {}
    for code, rows in tables.items():
        for at, (day, words) in enumerate(rows):
            if left.get(day.isoformat(), {}).get(code) != _figure(code, words):
                break
            del left[day.isoformat()][code]
            read[code] = at + 1
    return {day: values for day, values in left.items() if values}, read


def by_row(
    days: Sequence[date], seen: Seen, last: Mapping[str, Mapping[str, list[Any]]]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, list[Any]]]]:
    """`seen` and `last` (of `besides`) with the number of a row in place of its day. `days`: of the rows."""
    rows: dict[str, str] = {}
    for at, day in enumerate(days):
        rows.setdefault(day.isoformat(), str(at))
    named = {rows.get(day, day): values for day, values in seen.items()}
    before = {
        form: {key: [value, rows.get(on, on)] for key, (value, on) in fields.items()}
        for form, fields in last.items()
    }
    return named, before


def _figure(code: str, words: str) -> Any:
    """142/83 -> [142, 83], 7.8 -> 7.8"""
    figures = [float(part) for part in words.split("/")]
    return figures if code == "bp" else figures[0]


def _place(pair: tuple[str, Any]) -> tuple[int, str]:
    return (ORDER.index(pair[0]) if pair[0] in ORDER else len(ORDER), pair[0])


def _bare(code: str, value: Mapping[str, Any]) -> Any:
    """[sbp, dbp] of a pressure, the figure of what has but one, the fact without its date of the rest."""
    if code == "bp":
        return [value.get("sbp"), value.get("dbp")]
    parts = {key: part for key, part in value.items() if key != "date" and part is not None}
    figure = FIGURES.get(code, "")
    return parts[figure] if parts.keys() == {figure} else parts


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts without a date of their own, but for the birth date, which the block has already."""
    return {
        code: value
        for code, value in facts.items()
        if code not in grading_facts.READINGS and code != "birth_date" and not isinstance(value, dict)
    }


def besides(last: Last, known: Seen) -> dict[str, dict[str, list[Any]]]:
    """form -> field -> [value, day] that `known` does not tell, of the fields that show or copy a 上次."""
    measured = values_of(known)
    found: dict[str, dict[str, list[Any]]] = {}
    for form, values in last.items():
        fields = engine.all_definitions()[form].fields
        for key, one in values.items():
            if key in fields and _asked_again(fields[key]) and measured.get(key) != one:
                found.setdefault(form, {})[key] = [one["value"], one["on"]]
    return found


def _asked_again(field: Mapping[str, Any]) -> bool:
    """A stepper has its unit where others show 上次."""
    number = field["type"] in BY_HAND and field.get("widget") != "stepper"
    return number or bool(field.get("copy_last"))


def values_of(known: Seen) -> dict[str, dict[str, Any]]:
    """field -> {value, on}: the newest of everything measured. Twin: `measured` of data.js."""
    found: dict[str, dict[str, Any]] = {}
    for day in sorted(known, reverse=True):
        for code, value in known[day].items():
            for key, part in MEASURED.get(code, {}).items():
                figure = value[("sbp", "dbp").index(part)] if code == "bp" else value
                figure = figure.get(part) if isinstance(figure, dict) else figure
                if figure is not None:
                    found.setdefault(key, {"value": figure, "on": day})
    return found
