"""What the trend charts say: readings of a year, that person's bands, one sentence. Pure.

The curve itself is drawn on the phone, from the table of readings (static/js/chart/trend.js): one place knows
how, whether a reading has been sent or not, and a page carries each reading once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from app.grading.derive import number_text
from app.grading.rules import shipped_table
from app.rules.decide import matching

T = TypeVar("T")
YEAR = timedelta(days=366)
MOST = 40  # readings drawn; more than a dot every few pixels says nothing


@dataclass(frozen=True)
class Band:
    """A stretch of values of one grade; `above` None is without end. Edges belong to the higher band."""

    colour: str
    above: float | None


@dataclass(frozen=True)
class Figure:
    """One curve: `key` sbp, dbp or fpg; `low` and `high` the least the axis shows; `bands` upwards, each
    colour:edge, the last one without."""

    key: str
    word: str
    low: float
    high: float
    bands: str


@dataclass(frozen=True)
class Trend:
    """A card with a headline figure, a sentence, its curves and the readings behind them, newest first."""

    key: str
    word: str
    newest: str
    unit: str
    sentence: str
    figures: tuple[Figure, ...]
    rows: tuple[tuple[date, str], ...]
    events: tuple[tuple[date, str], ...]


def bp_target(conditions: Iterable[str] | None, age: int | None) -> tuple[int, int]:
    """The pressure this person should stay below, by the profile the district uses."""
    table = shipped_table()
    known = {"conditions": None if conditions is None else list(conditions), "age": age}
    sbp, dbp = matching(table["bp_target_profiles"][table["bp_target_profile"]], known)[0]["then"]
    return sbp, dbp


def blood_pressure(
    readings: Sequence[tuple[date, Mapping[str, Any]]],
    target: tuple[int, int],
    events: Sequence[tuple[date, str]] = (),
) -> Trend | None:
    """None without a complete reading. `readings` are (day, {sbp, dbp}), oldest first."""
    whole = [(day, one) for day, one in readings if one.get("sbp") and one.get("dbp")]
    whole = _recent(_one_a_day(whole))
    if not whole:
        return None
    limits = shipped_table()["limits"]
    systolic = [Band("red", limits["bp_low_sbp"]), *_bands(target[0], limits["bp_emergency_sbp"])]
    diastolic = _bands(target[1], limits["bp_emergency_dbp"])
    words = [(day, f"{one['sbp']:g}/{one['dbp']:g}") for day, one in whole]
    said = sentence([(day, one["sbp"]) for day, one in whole], words, step=10)
    figures = (
        Figure("sbp", "收缩压", target[0] - 36, 200, _edges(systolic, 0)),
        Figure("dbp", "舒张压", target[1] - 36, 120, _edges(diastolic, 0)),
    )
    return _card("bp", "血压", "mmHg", said, figures, words, events)


def _bands(target: float, urgent: float) -> list[Band]:
    return [Band("green", target), Band("yellow", urgent), Band("red", None)]


def fasting_glucose(
    readings: Sequence[tuple[date, float]], diabetic: bool, events: Sequence[tuple[date, str]] = ()
) -> Trend | None:
    found = _recent(_one_a_day(readings))
    if not found:
        return None
    target = shipped_table()["limits"]["fpg_target"]
    low, high = (3.9, 13.9) if diabetic else (2.8, 16.7)  # grading.md §4 rules 4, 5, 12
    bands = [Band("red", low), Band("green", target), Band("yellow", high), Band("red", None)]
    words = [(day, number_text(value)) for day, value in found]
    said = sentence(found, words, step=1)
    figures = (Figure("fpg", "空腹血糖", 3.5, 10, _edges(bands, 1)),)
    return _card("fpg", "空腹血糖", "mmol/L", said, figures, words, events)


def sentence(points: Sequence[tuple[date, float]], words: Sequence[tuple[date, str]], step: float) -> str:
    """上次 162/94，近一年一路上升。 `step`: the least difference worth speaking of."""
    if len(points) == 1:
        return "目前只有这一次测量。"
    days = (points[-1][0] - points[0][0]).days
    span = "近一年" if days > 300 else f"近 {max(1, round(days / 30))} 个月"
    return f"上次 {words[-2][1]}，{span}{direction([value for _, value in points], step)}。"


def direction(values: Sequence[float], step: float) -> str:
    change = values[-1] - values[0]
    moves = [b - a for a, b in pairwise(values)]
    if abs(change) >= step:
        word = "上升" if change > 0 else "下降"
        steady = all(move * change >= 0 or abs(move) < step / 2 for move in moves)
        return f"{'一路' if steady and len(values) > 2 else '总体'}{word}"
    return "平稳" if max(values) - min(values) < 2 * step else "有起伏"


def medicine_events(visits: Iterable[tuple[date, str, Mapping[str, Any]]]) -> list[tuple[date, str]]:
    """加药 where a form names a drug it did not name before, 转诊 where somebody was referred.

    `visits` are (day, form, answers), oldest first.
    """
    found: list[tuple[date, str]] = []
    before: dict[str, set[str]] = {}
    for day, form, answers in visits:
        drugs = {str(row.get("drug_name")) for row in answers.get("meds") or [] if isinstance(row, Mapping)}
        if form in before and drugs - before[form] and before[form]:
            found.append((day, "加药"))
        before[form] = drugs or before.get(form, set())
        if answers.get("referral") is True:
            found.append((day, "转诊"))
    return found


def _card(
    key: str,
    word: str,
    unit: str,
    said: str,
    figures: tuple[Figure, ...],
    words: Sequence[tuple[date, str]],
    events: Sequence[tuple[date, str]],
) -> Trend:
    first, last = words[0][0], words[-1][0]
    shown = tuple(event for event in events if first <= event[0] <= last)
    return Trend(key, word, words[-1][1], unit, said, figures, tuple(words[::-1]), shown)


def _edges(bands: Iterable[Band], decimals: int) -> str:
    return ",".join(
        f"{band.colour}:{'' if band.above is None else f'{band.above:.{decimals}f}'}" for band in bands
    )


def _one_a_day(readings: Sequence[tuple[date, T]]) -> list[tuple[date, T]]:
    """The last of each day, oldest first."""
    return sorted(dict(readings).items(), key=lambda pair: pair[0])


def _recent(readings: list[tuple[date, T]]) -> list[tuple[date, T]]:
    """The year that ends with the newest reading, so that the page says the same tomorrow."""
    return [pair for pair in readings if pair[0] > readings[-1][0] - YEAR][-MOST:]
