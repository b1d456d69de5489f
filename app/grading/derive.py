"""Facts the rule table speaks of, derived from what is recorded about a person.

Twin of static/js/grading/derive.js, but no reading is looked at that decides nothing. Whatever is absent,
null, in the future or of the wrong type becomes None, which the table reads as unknown. No clock, no
locale, no rounding.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import Any

from app.rules.decide import NUMBERS, matching, surely
from app.shared.memo import Memo

DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
TOO_LARGE = 1e9


def number(value: Any) -> int | float | None:
    """The number itself; None for booleans, strings, NaN and what no instrument can show."""
    return value if type(value) in NUMBERS and abs(value) < TOO_LARGE else None


def number_text(value: int | float) -> str:
    """As stored, without trailing zeros: 7.0 is 7, 16.70 is 16.7. Below 0.0001 is 0."""
    if abs(value) < 0.0001:
        return "0"
    return str(int(value)) if value == int(value) else repr(value)


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def codes(value: Any) -> list[str] | None:
    """Distinct codes in the order given; None when there are none. Numeric codes become text."""
    if not isinstance(value, list) or not value:
        return None
    found = [item if isinstance(item, str) else code_text(item) for item in value]
    return list(dict.fromkeys(item for item in found if item)) or None


def code_text(value: Any) -> str:
    known = number(value)
    return "" if known is None else number_text(known)


def day_number(value: Any) -> int | None:
    """Days since a fixed day for a calendar date YYYY-MM-DD; None for anything else."""
    return _day_number(value) if isinstance(value, str) else None


@lru_cache(maxsize=8192)
def _day_number(value: str) -> int | None:
    if not DATE.fullmatch(value):
        return None
    try:
        return date(int(value[:4]), int(value[5:7]), int(value[8:])).toordinal()
    except ValueError:
        return None


def days_since(value: Any, as_of: str) -> int | None:
    """Whole days from value to as_of; None when value lies after it: a future record is no record."""
    return _days_until(day_number(as_of), value)


def _days_until(now: int | None, value: Any) -> int | None:
    then = _day_number(value) if isinstance(value, str) else None
    return None if then is None or now is None or then > now else now - then


def age_on(birth_date: Any, as_of: str) -> int | None:
    """Full years. A 29 February birthday falls on 1 March in other years."""
    if days_since(birth_date, as_of) is None:
        return None
    years = int(as_of[:4]) - int(birth_date[:4])
    return years if as_of[5:] >= birth_date[5:] else years - 1


def recorded_conditions(value: Any) -> list[str] | None:
    """Distinct codes; [] is "recorded, none". None is "never recorded": also a list with no code in it."""
    if not isinstance(value, list):
        return None
    found = list(dict.fromkeys(item for item in value if isinstance(item, str) and item))
    return found if found or not value else None


def records(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def within(value: int | float | None, limits: list[float]) -> int | float | None:
    return value if value is not None and limits[0] <= value <= limits[1] else None


def bp_reading(item: dict[str, Any], as_of: str, table: Mapping[str, Any]) -> dict[str, Any] | None:
    """A plausible reading, or None. A half reading counts only when that half is an emergency."""
    days = days_since(item.get("date"), as_of)
    return None if days is None else _bp_of_day(days, item, table, named(table))


def _bp_of_day(
    days: int, item: dict[str, Any], table: Mapping[str, Any], names: dict[str, Any]
) -> dict[str, Any] | None:
    """`names`: `named(table)`, made once for many readings; it is written to."""
    sbp = within(number(item.get("sbp")), table["plausible"]["sbp"])
    dbp = within(number(item.get("dbp")), table["plausible"]["dbp"])
    complete = sbp is not None and dbp is not None
    if days > table["windows"]["bp_history"]:
        return None
    if sbp is not None and dbp is not None and dbp >= sbp:
        return None
    names["sbp"], names["dbp"] = sbp, dbp
    urgent = surely(table["keep_incomplete_bp"], names)
    if not complete and not urgent:
        return None
    return {"days": days, "sbp": sbp, "dbp": dbp, "complete": complete, "urgent": urgent}


def outranks(one: dict[str, Any], other: dict[str, Any], keys: tuple[str, ...]) -> bool:
    for key in keys:
        a, b = one[key] or 0, other[key] or 0
        if a != b:
            return bool(a > b)
    return False


def newest_first(items: Iterable[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """One item per day, newest day first. Of two on one day the higher by keys stands, in any order given."""
    by_day: dict[int, dict[str, Any]] = {}
    for item in items:
        held = by_day.get(item["days"])
        if held is None or outranks(item, held, keys):
            by_day[item["days"]] = item
    return sorted(by_day.values(), key=lambda item: item["days"])


def kept_bp(value: Any, as_of: str, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a day, newest first, down to the second complete one: older ones decide nothing."""
    names, complete = named(table), 0
    kept: list[dict[str, Any]] = []
    for days, item in _dated(records(value), as_of):
        if complete > 1 and days != kept[-1]["days"]:
            break
        reading = _bp_of_day(days, item, table, names)
        if reading is None:
            continue
        if kept and kept[-1]["days"] == days:
            # An emergency stands before a higher complete reading of the same day: 85/60 is not undone
            # by 150/90.
            if not outranks(reading, kept[-1], ("urgent", "sbp", "dbp")):
                continue
            complete -= kept.pop()["complete"]
        kept.append(reading)
        complete += reading["complete"]
    return kept


def _dated(items: list[dict[str, Any]], as_of: str) -> list[tuple[int, dict[str, Any]]]:
    """With their age in days, newest first; those of one day in the order given."""
    now = day_number(as_of)
    found = [(days, item) for item in items if (days := _days_until(now, item.get("date"))) is not None]
    return sorted(found, key=itemgetter(0))


def kept_glucose(value: Any, as_of: str, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = []
    for item in records(value):
        days = days_since(item.get("date"), as_of)
        mmol_l = within(number(item.get("mmol_l")), table["plausible"]["mmol_l"])
        if days is not None and mmol_l is not None:
            kept.append({"days": days, "mmol_l": mmol_l})
    return kept


def named(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table's own numbers and lists under the names its conditions use."""
    return dict(_named(table))


def _make_named(table: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for prefix, group in (("window", "windows"), ("limit", "limits"), ("list", "lists")):
        for key, value in table[group].items():
            facts[f"{prefix}.{key}"] = value
    return facts


_named = Memo(_make_named)


def put_bp(known: dict[str, Any], readings: list[dict[str, Any]]) -> None:
    """bp = newest kept reading; bp1, bp2 = the two newest complete ones."""
    complete = [reading for reading in readings if reading["complete"]]
    for name, source, place in (("bp", readings, 0), ("bp1", complete, 0), ("bp2", complete, 1)):
        if len(source) > place:
            for key in ("days", "sbp", "dbp"):
                known[f"{name}.{key}"] = source[place][key]


def put_glucose(known: dict[str, Any], fpg: list[dict[str, Any]], rbg: list[dict[str, Any]]) -> None:
    """glu = values of the newest glucose date; fpg1, fpg2 = highest of the two newest fasting days."""
    if not fpg and not rbg:
        return
    newest = min(item["days"] for item in fpg + rbg)
    fasting = [item["mmol_l"] for item in fpg if item["days"] == newest]
    random = [item["mmol_l"] for item in rbg if item["days"] == newest]
    known["glu.days"] = newest
    known["glu.max"] = max(fasting + random)
    known["glu.min"] = min(fasting + random)
    known["glu.fpg_max"] = max(fasting, default=None)
    known["glu.rbg_max"] = max(random, default=None)
    for name, item in zip(("fpg1", "fpg2"), newest_first(fpg, ("mmol_l",)), strict=False):
        known[f"{name}.days"] = item["days"]
        known[f"{name}.mmol_l"] = item["mmol_l"]


Part = tuple[str, str, Callable[[Any], Any] | None]  # its name, the field, what reads it; None: age in days
READERS: dict[str, Callable[[Any], Any] | None] = {
    "number": number,
    "flag": flag,
    "codes": codes,
    "days": None,
}


def _make_parts(records: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str, list[Part]]]:
    """Of each latest record: its name, the name of its age, and its fields."""
    return [
        (name, f"{name}.days", [(f"{name}.{field}", field, READERS[kind]) for field, kind in fields.items()])
        for name, fields in records.items()
    ]


_parts = Memo(_make_parts)


def put_records(
    known: dict[str, Any], facts: Mapping[str, Any], records: Mapping[str, Mapping[str, str]], as_of: str
) -> None:
    """Of each latest record its age in days and its fields, or nothing when its date is no past date."""
    now = day_number(as_of)
    for key, age, parts in _parts(records):
        record = facts.get(key)
        if not isinstance(record, dict):
            continue
        days = _days_until(now, record.get("date"))
        if days is None:
            continue
        known[age] = days
        for name, field, read in parts:
            value = record.get(field)
            known[name] = _days_until(now, value) if read is None else read(value)


def derive(facts: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Flat facts by the names used in the table. Raises ValueError when as_of is not a date."""
    as_of = facts.get("as_of") if isinstance(facts, Mapping) else None
    if not isinstance(as_of, str) or day_number(as_of) is None:
        raise ValueError("as_of must be a date YYYY-MM-DD")
    conditions = recorded_conditions(facts.get("conditions"))
    had = [code for code in table["lists"]["major_diseases"] if code in (conditions or [])]
    known = named(table)
    known["age"] = age_on(facts.get("birth_date"), as_of)
    known["conditions"] = conditions
    known["conditions_count"] = None if conditions is None else len(conditions)
    known["major_diseases"] = had
    known["tubes"] = codes(facts.get("tubes"))
    for name in table["flags"]:
        known[name] = flag(facts.get(name))
    put_bp(known, kept_bp(facts.get("bp"), as_of, table))
    put_glucose(
        known,
        kept_glucose(facts.get("fpg"), as_of, table),
        kept_glucose(facts.get("rbg"), as_of, table),
    )
    put_records(known, facts, table["records"], as_of)
    profile = table["bp_target_profiles"][table["bp_target_profile"]]
    known["bp.target_sbp"], known["bp.target_dbp"] = matching(profile, known)[0]["then"]
    return known
