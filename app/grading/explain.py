"""Words for a grade, from the same table. Twin: static/js/grading/explain.js.

The family is given plain advice and never the reasons of §8 (安宁, 轻生, 认知): their family text is null.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.grading.derive import derive, number, number_text
from app.grading.rules import shipped_table
from app.shared.memo import Memo

PLACEHOLDER = re.compile(r"\{([a-z0-9_.]+)(?:\|([a-z0-9_]+))?\}")


def label(table: Mapping[str, Any], group: str, code: str) -> str:
    """The code's Chinese label; a code the table does not know is shown as it is."""
    text: str = table["labels"].get(group, {}).get(code, code)
    return text


def worded(value: Any, group: str, table: Mapping[str, Any]) -> str:
    if isinstance(value, list):
        return "、".join(worded(item, group, table) for item in value)
    known = number(value)
    text = value if isinstance(value, str) else "—" if known is None else number_text(known)
    return label(table, group, text) if group else text


def filled(template: str, known: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    """``{fact}`` becomes the fact as stored, ``{fact|group}`` its label; an unknown fact is a dash."""
    return PLACEHOLDER.sub(lambda found: worded(known.get(found[1]), found[2] or "", table), template)


def _named(rules: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["code"]: rule for rule in rules}


_by_code = Memo(_named)


def explain(
    facts: Mapping[str, Any], result: Mapping[str, Any], table: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """``{code, colour, emergency, text, family}`` for each reason of result, in its order.

    facts: those the grade was made from. A code of another table version is shown as the bare code.
    """
    table = shipped_table() if table is None else table
    return in_words(derive(facts, table), result, table)


def in_words(
    known: Mapping[str, Any], result: Mapping[str, Any], table: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The same from what `derive` made of the facts."""
    by_code = _by_code(table["rules"])
    reasons = []
    for code in result["reasons"]:
        rule = by_code.get(code, {"colour": None, "emergency": False, "text": code, "family": None})
        reasons.append(
            {
                "code": code,
                "colour": rule["colour"],
                "emergency": rule["emergency"],
                "text": filled(rule["text"], known, table),
                "family": rule["family"] and filled(rule["family"], known, table),
            }
        )
    return reasons


def missing_text(key: str, table: Mapping[str, Any] | None = None) -> str:
    return label(shipped_table() if table is None else table, "missing", key)


def colour_words(result: Mapping[str, Any], table: Mapping[str, Any] | None = None) -> dict[str, str]:
    """``{word, meaning, family, shape}``: 红/黄/绿/待评估, what it means, the family's headline, the shape.

    An emergency has words of its own. Accepts a grade, or any mapping with colour and emergency.
    """
    table = shipped_table() if table is None else table
    words: dict[str, str] = table["colours"]["emergency" if result["emergency"] else result["colour"]]
    return words
