"""What is recorded about a person, as the facts that grading.md §3 speaks of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from app.forms.engine import facts_of_observations
from app.grading.rules import shipped_table

READINGS = ("bp", "fpg", "rbg")
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
    facts = facts_of_observations(known)
    oldest = (as_of - timedelta(days=longest_window())).isoformat()
    for code in READINGS:
        if code in facts:
            facts[code] = [reading for reading in facts[code] if reading["date"] >= oldest]
    seen_on = max((on for code, _, on in known if code == "conditions"), default=None)
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


def longest_window() -> int:
    """Days after which no rule of the table looks at a record any more."""
    return int(max(shipped_table()["windows"].values()))
