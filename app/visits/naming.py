"""How a visit is called in an address below its patient: 20261112-adl, the second of that day 20261112-adl-2.

Every row of a patient page says day and form already; the end of an id would be one more thing that differs
from page to page. Twin: static/js/chart/visits.js. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from app.encounters.models import Visit

NAME = re.compile(r"(\d{4})(\d\d)(\d\d)-([a-z_]{1,30})(?:-([1-9]\d?))?", re.ASCII)


@dataclass(frozen=True)
class Name:
    """`nth` counts the visits of one day and form by their hour, those that stand before cancelled ones."""

    day: date
    form: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.day:%Y%m%d}-{self.form}{f'-{self.nth}' if self.nth > 1 else ''}"


def read(text: str) -> Name | None:
    found = NAME.fullmatch(text)
    if found is None:
        return None
    year, month, day, form, nth = found.groups()
    try:
        return Name(date(int(year), int(month), int(day)), form, int(nth or 1))
    except ValueError:  # no such day
        return None


def places(visits: Iterable[Visit]) -> dict[str, int]:
    """Id -> which of its day and form; `visits` are those of one person that stand, oldest first."""
    met: Counter[tuple[date, str]] = Counter()
    found = {}
    for visit in visits:
        met[visit.visited_on, visit.form] += 1
        found[visit.id] = met[visit.visited_on, visit.form]
    return found
