"""The grade of a person: 红黄绿 by the table static/rules/grading.json. Twin: static/js/grading/grade.js.

No Flask, no database, no clock: the same facts and the same table give the same grade for ever.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.grading.derive import derive
from app.rules.decide import matching
from app.shared.memo import Memo

TABLE_FILE = Path(__file__).resolve().parents[2] / "static" / "rules" / "grading.json"


@cache
def shipped_table() -> dict[str, Any]:
    """The table that ships with the application, read once. Copy it before changing anything."""
    table: dict[str, Any] = json.loads(TABLE_FILE.read_text(encoding="utf-8"))
    return table


def reported(rules: list[dict[str, Any]], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Fired rules by number, only the first of each domain."""
    first: dict[str, dict[str, Any]] = {}
    for rule in matching(_by_number(rules), known):
        first.setdefault(rule["domain"], rule)
    return list(first.values())


def _sorted(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rules, key=lambda rule: int(rule["number"]))


_by_number = Memo(_sorted)


def colour_of(reasons: list[dict[str, Any]], missing: list[str], table: Mapping[str, Any]) -> str:
    colours = [rule["colour"] for rule in reasons]
    if "red" in colours:
        return "red"
    if "yellow" in colours:
        return "yellow"
    return "unrated" if any(key in missing for key in table["blocks_green"]) else "green"


def grade(facts: Mapping[str, Any], table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``{colour, emergency, reasons, missing, due_in_days}`` for one person on the day ``as_of``.

    facts: JSON shapes, dates as YYYY-MM-DD strings, units mmHg, mmol/L, ℃, %, years. Keys absent, null
    or of the wrong type count as missing, never as normal. Raises ValueError when as_of is not a date.
    """
    table = shipped_table() if table is None else table
    return graded(derive(facts, table), table)


def graded(known: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The same from what `derive` made of the facts."""
    reasons = reported(table["rules"], known)
    missing = [row["key"] for row in matching(table["missing"], known)]
    colour = colour_of(reasons, missing, table)
    base = matching(table["base_days"], {**known, "colour": colour})[0]["then"]
    return {
        "colour": colour,
        "emergency": any(rule["emergency"] for rule in reasons),
        "reasons": [rule["code"] for rule in reasons],
        "missing": missing,
        "due_in_days": min([base, *(rule["due"] for rule in reasons)]),
    }
