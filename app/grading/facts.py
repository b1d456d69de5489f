"""What is recorded about a person, as the facts that grading.md §3 speaks of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any

from app.forms.engine import FACTS, PLAIN, facts_of_observations
from app.grading import derive
from app.grading.rules import shipped_table

READINGS = ("bp", "fpg", "rbg")
DATED = FACTS.difference(PLAIN)
Said = tuple[str, Any, date]  # code, value, day


def build(patient: Mapping[str, Any], observed: Iterable[Said], as_of: date) -> dict[str, Any]:
    """Facts with ISO dates and `as_of`, ready for `rules.grade`.

    `patient`: birth_date, conditions, conditions_on, lives_alone, hospice, home_bed_open, tubes.
    `observed`: oldest first; of two records of one kind and day the later stands. What lies after `as_of`
    is left out, so that a past day is graded as it was. Readings older than the longest window are
    left out too: no rule looks at them.
    Conditions: the newer of the register's and the last visit's word; null is "never recorded".
    """
    known = [said for said in observed if said[2] <= as_of]
    seen_on = max((on for code, _, on in known if code == "conditions"), default=None)
    return _completed(facts_of_observations(known), patient, seen_on, as_of)


def extended(
    before: Mapping[str, Any],
    newer: Iterable[Said],
    newest: Mapping[str, tuple[Any, date]],
    patient: Mapping[str, Any],
    as_of: date,
) -> dict[str, Any]:
    """What `build` would make, from the facts it made `before` and what was observed after all of those.

    `newest`: of what has no date of its own (PLAIN) the newest observation, `newer` included.
    """
    facts = {code: value for code, value in before.items() if code in DATED}
    facts |= {code: newest[code][0] for code in PLAIN if code in newest}
    facts = facts_of_observations((said for said in newer if said[0] not in PLAIN), facts)
    return _completed(facts, patient, newest["conditions"][1] if "conditions" in newest else None, as_of)


def _completed(
    facts: dict[str, Any], patient: Mapping[str, Any], seen_on: date | None, as_of: date
) -> dict[str, Any]:
    """`facts` of what was observed, and the register's. `seen_on`: the last visit to name conditions."""
    oldest = (as_of - timedelta(days=longest_window())).isoformat()
    for code in READINGS:
        if code in facts:
            facts[code] = [reading for reading in facts[code] if reading["date"] >= oldest]
    registered_on = patient.get("conditions_on")
    if seen_on is None or (registered_on is not None and registered_on >= seen_on):
        facts["conditions"] = patient.get("conditions")
    if patient.get("lives_alone") is not None:
        facts["lives_alone"] = patient["lives_alone"]
    facts["hospice"] = bool(patient.get("hospice"))
    facts["home_bed_open"] = bool(patient.get("home_bed_open"))
    facts["tubes"] = list(patient.get("tubes") or [])
    facts["birth_date"] = patient["birth_date"].isoformat()
    facts["as_of"] = as_of.isoformat()
    return facts


@cache
def longest_window() -> int:
    """Days after which no rule of the table looks at a record any more."""
    return int(max(shipped_table()["windows"].values()))


NEWEST = 4  # complete readings kept: two decide; visits still on a phone may replace two more of their days
READING_FACTS = {"bp": ("bp", "bp1", "bp2"), "fpg": ("glu", "fpg1", "fpg2"), "rbg": ("glu",)}


def needed(facts: Mapping[str, Any], as_of: date) -> dict[str, Any]:
    """`facts` without what no rule can look at any more, on `as_of` or later.

    The grade stays the same on every day from `as_of` on, and with newer or older visits merged in.
    """
    table = shipped_table()
    kept = dict(facts)
    for code in READINGS:
        if code in kept:
            kept[code] = _newest(code, kept[code], as_of, table)
    for code in table["records"]:
        record = kept.get(code)
        if isinstance(record, dict) and _age(record, as_of) > window_of(code):
            del kept[code]
    for code in ("hospice", "home_bed_open"):
        if kept.get(code) is False:
            del kept[code]
    if not kept.get("tubes"):
        kept.pop("tubes", None)
    return kept


def _newest(
    code: str, readings: Iterable[dict[str, Any]], as_of: date, table: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Newest first, down to the fourth complete one; half readings between them count as emergencies."""
    today, found, complete = as_of.isoformat(), [], 0
    for reading in sorted(readings, key=lambda one: str(one["date"]), reverse=True):
        if code == "bp":
            known = derive.bp_reading(reading, today, table)
        else:
            known = next(iter(derive.kept_glucose([reading], today, table)), None)
        if known is None:
            continue
        if known["days"] > window_of(code) or complete == NEWEST:
            break
        found.append(reading)
        complete += known.get("complete", True)
    return found


def _age(record: Mapping[str, Any], as_of: date) -> int:
    return (as_of - date.fromisoformat(record["date"])).days


@cache
def window_of(code: str) -> int:
    """Days for which any rule of the table looks at this fact."""
    table = shipped_table()
    names = tuple(f"{name}.days" for name in READING_FACTS.get(code, (code,)))
    found = [*_limits([*table["rules"], *table["missing"]], names)]
    return int(max(table["windows"][name.removeprefix("window.")] for name in found))


def _limits(expression: Any, names: tuple[str, ...]) -> Iterable[str]:
    """Names of the windows that bound these facts anywhere in the table's conditions."""
    if isinstance(expression, dict):
        for key in ("all", "any", "not", "unless"):
            yield from _limits(expression.get(key), names)
    elif isinstance(expression, list) and len(expression) == 3 and expression[0] in names:
        yield str(expression[2]["fact"])
    elif isinstance(expression, list):
        for part in expression:
            yield from _limits(part, names)
