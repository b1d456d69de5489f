"""A grade in a relative's words. The words of each reason are those of the grading table; a reason that is
not for relatives (安宁, 轻生, 认知: domain/grading.md §8) has none there, and leaves no trace here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

BADGES = {"red": "重点关照", "yellow": "需要关注", "green": "情况平稳", "unrated": "等待检查"}
EMERGENCY_BADGE = "情况紧急"
CLAUSE = re.compile(r"[，；。]")
WHEN = re.compile(r"(周|天|月)内|近期|尽快|立即|马上")
# Which figure belongs to which reasons, by the first letters of the code.
FIGURES = {"BP_": ("bp",), "GLU_": ("fpg", "rbg")}


@dataclass(frozen=True)
class Story:
    """`badge`: two to four words; `headline`: clauses, one to a line; `advice`: sentences that follow."""

    badge: str
    headline: tuple[str, ...]
    advice: str
    figure: tuple[str, ...]  # codes of the observation that may be named, newest wins; () for none


def story(colour: str, emergency: bool, words: Sequence[Mapping[str, Any]], general: str) -> Story:
    """What the relative reads. `words`: the reasons as {code, family}; `general`: the table's own words
    for the colour, used where no reason may be told."""
    badge = EMERGENCY_BADGE if emergency else BADGES[colour]
    told = next((reason for reason in words if reason.get("family")), None)
    if told is None:
        return Story(badge, tuple(clauses(general)), "", ())
    figure = next((codes for start, codes in FIGURES.items() if told["code"].startswith(start)), ())
    if emergency:
        return Story(badge, tuple(clauses(general)), told["family"], figure)
    headline, advice = headline_of(told["family"])
    return Story(badge, headline, advice, figure)


# What is kept from a relative, in their words; `orders` last, since its button is missing visibly.
WITHHELD = {
    "state": "看身体情况", "readings": "看血压、血糖的数值", "readers": "看谁看过档案", "orders": "代点服务",
}  # fmt: skip


def withheld(called: str, agreed: Collection[str]) -> str:
    """妈妈没有同意您看血压、血糖的数值。 Empty when nothing is kept from them.

    A copy of the whole record is not named: nobody misses it before asking for it.
    """
    missing = [key for key in WITHHELD if key not in agreed]
    if "state" in missing and "readings" in missing:
        missing.remove("readings")
    return f"{called}没有同意您{'，也没有同意'.join(WITHHELD[key] for key in missing)}。" if missing else ""


def headline_of(text: str) -> tuple[tuple[str, ...], str]:
    """The finding and when something must happen as the headline; what to do meanwhile as the advice.

    血压偏高，请按时服药、少吃盐，两周内复查。 -> (血压偏高, 两周内复查), 请按时服药、少吃盐。
    """
    parts = clauses(text)
    first, rest = parts[0], parts[1:]
    when = next((part for part in reversed(rest) if WHEN.search(part)), None)
    if when is None or len(when) > 14:
        return (first,), sentence(rest)
    others = [part for part in rest if part is not when]
    return (first, when.removeprefix("请")), sentence(others)


def clauses(text: str) -> list[str]:
    return [part for part in CLAUSE.split(text) if part]


def sentence(parts: Sequence[str]) -> str:
    return "，".join(parts) + "。" if parts else ""


def figure_of(codes: Sequence[str], rows: Iterable[Any]) -> tuple[date, str] | None:
    """(day, figure) of the newest complete reading of `codes` among observation rows; None without one."""
    for row in sorted(rows, key=lambda r: r.observed_on, reverse=True):
        if row.code not in codes:
            continue
        if isinstance(row.value, dict) and row.value.get("sbp") and row.value.get("dbp"):
            return row.observed_on, f"{row.value['sbp']:g}/{row.value['dbp']:g}"
        if row.number is not None:
            return row.observed_on, f"{row.number:g}"
    return None
