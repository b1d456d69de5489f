"""What a visit says to grading, to the trend charts and in one line of history.

Shapes of facts: domain/grading.md §3. Twin: static/js/forms/facts.js.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from operator import itemgetter
from typing import Any

from app.forms.check import Findings, read, worded
from app.forms.compute import Context, Values
from app.forms.conditions import truth_of
from app.forms.definition import Definition
from app.shared.memo import Memo

READINGS = ("bp", "fpg", "rbg")  # kept as a list, one per day
PLAIN = ("conditions", "lives_alone")  # no date of their own: the latest word counts
DAY_OF = itemgetter("date")


def trusted(form: Definition, answers: Any, context: Context | None) -> Values:
    """Answers without the values that cannot be right, so that a half-typed form may be graded."""
    return read(form, answers if isinstance(answers, dict) else {}, context, Findings())[0]


def facts_from(
    form: Definition, answers: Any, on: date | str, context: Context | None = None
) -> dict[str, Any]:
    """Facts of this one visit; readings come as lists of one."""
    values = trusted(form, answers, context)
    on = on.isoformat() if isinstance(on, date) else on
    made: dict[str, Any] = {}
    for rule, value_in in _yields(form):
        if "fact" not in rule or (value := value_in(values)) is None:
            continue
        if rule["kind"] == "reading":
            made[rule["fact"]] = [{"date": on, **value}]
        elif rule["kind"] == "latest":
            made[rule["fact"]] = {"date": on, **value}
        else:
            made[rule["fact"]] = value
    return made


def merge_facts(facts: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`facts` with those of one more visit; neither argument is changed.

    Readings: the new one replaces that of the same day; newest first. Dated facts: the newer
    wins, and on the same day the new one. Undated ones: the new one.
    """
    merged = dict(facts)
    for key, value in new.items():
        _merge(merged, key, value)
    return merged


def _merge(merged: dict[str, Any], key: str, value: Any) -> None:
    old = merged.get(key)
    if key in READINGS:
        days = {reading["date"] for reading in value}
        kept = [reading for reading in old or [] if reading["date"] not in days]
        merged[key] = sorted([*value, *kept], key=DAY_OF, reverse=True)
    elif not (isinstance(old, dict) and isinstance(value, dict) and old["date"] > value["date"]):
        merged[key] = value


def observations(form: Definition, answers: Any, context: Context | None = None) -> list[dict[str, Any]]:
    """[{code, value, unit}] of a visit; measures may have `on`, the day they were taken.

    A fact of one figure (fpg, pulse, adl, …) is that figure; others are the fact without its date.
    """
    return observations_of(trusted(form, answers, context))


def observations_of(values: Values) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for rule, value_in in _yields(values.form):
        value = value_in(values)
        if value is None:
            continue
        row = {
            "code": rule.get("measure") or rule["fact"],
            "value": _bare(value),
            "unit": rule.get("unit", ""),
        }
        if "on" in rule and values[rule["on"]] is not None:
            row["on"] = values[rule["on"]]
        rows.append(row)
    return rows


FIGURES = {
    "adherence": "code",
    "fpg": "mmol_l",
    "rbg": "mmol_l",
    "pulse": "bpm",
    "temp": "c",
    "spo2": "pct",
    "adl": "score",
}
FACTS = frozenset(
    [*READINGS, *PLAIN, *FIGURES, "red_flags", "adverse", "complication", "falls", "cognition", "depression"]
)


def facts_of_observations(
    rows: Iterable[tuple[str, Any, date | str]], before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The way back: grading facts of stored observations (code, value, on), in any order.

    `before`: the facts of older ones, which these are added to; it is not changed.
    """
    facts = dict(before or {})
    known = [(str(on), code, value) for code, value, on in rows if code in FACTS]
    for on, code, value in sorted(known, key=itemgetter(0)):
        if code not in PLAIN:
            value = {
                "date": on,
                **(value if isinstance(value, dict) else {FIGURES.get(code, "value"): value}),
            }
        _merge(facts, code, [value] if code in READINGS else value)
    return facts


def summary(form: Definition, answers: Any) -> str:
    """One line for the history: 186/104, 空腹血糖 7.8, 12 分 中度依赖; empty if nothing fits."""
    return summary_of(trusted(form, answers, None))


def summary_of(values: Values) -> str:
    form = values.form
    if (lost := values["lost_reason"]) is not None:
        options = {option["code"]: option["zh"] for option in form.fields["lost_reason"]["options"]}
        return f"未随访到，{options[lost]}"
    for line in form.raw["summary"]:
        if all(values[key] is not None for key in line["needs"]):
            return worded(line["zh"], values)
    return ""


ValueIn = Callable[[Values], Any]


def _prepare(form: Definition) -> list[tuple[dict[str, Any], ValueIn]]:
    """What a form yields, with how each is read out of a visit."""
    return [(rule, itemgetter(rule["value"]) if "measure" in rule else _fact(rule)) for rule in form.yields]


_yields = Memo(_prepare)


def _fact(rule: dict[str, Any]) -> ValueIn:
    if rule["kind"] == "conditions":
        return lambda values: _conditions(rule, values)
    needs = rule["needs"]
    read_out = itemgetter(rule["fields"]["value"]) if rule["kind"] == "plain" else _parts(rule["fields"])

    def fact(values: Values) -> Any:
        for key in needs:
            if values[key] is None:
                return None
        return read_out(values)

    return fact


def _parts(fields: dict[str, Any]) -> ValueIn:
    """The parts of a fact by name, in this order; one with `only_if` is there when true."""
    parts = [
        (name, _part(source), isinstance(source, dict) and "only_if" in source)
        for name, source in fields.items()
    ]

    def read_out(values: Values) -> dict[str, Any]:
        made = {}
        for name, part_in, only_if_true in parts:
            part = part_in(values)
            if part or not only_if_true:
                made[name] = part
        return made

    return read_out


def _part(source: str | dict[str, Any]) -> ValueIn:
    if isinstance(source, str):
        return itemgetter(source)
    if "const" in source:
        return lambda _: source["const"]
    return truth_of(source["cond"] if "cond" in source else source["only_if"])


def _conditions(rule: dict[str, Any], values: Values) -> list[str] | None:
    """Codes of diagnoses; 无 is an empty list; what was written freely counts as other_1, other_2 …"""
    codes, other = values[rule["fields"]["codes"]], values[rule["fields"]["other"]]
    if codes is None and other is None:
        return None
    written = [name for name in re.split(r"[、，,；;]", other or "") if name.strip(" \t\r\n　\xa0")]
    return [code for code in codes or [] if code != "none"] + [f"other_{n + 1}" for n in range(len(written))]


def _bare(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        return only if isinstance(only, int | float) and not isinstance(only, bool) else value
    return value
