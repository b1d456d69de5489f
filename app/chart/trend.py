"""What the trend charts say: readings of a year, that person's bands, one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from app.chart.svg import Band, trend
from app.grading.derive import number_text
from app.grading.rules import shipped_table
from app.rules.decide import matching

T = TypeVar("T")
YEAR = timedelta(days=366)
MOST = 40  # readings drawn; more than a dot every few pixels says nothing
TABLE = 20


@dataclass(frozen=True)
class Figure:
    """One drawn curve: `key` sbp, dbp or fpg."""

    key: str
    word: str
    svg: str


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
        _figure("sbp", "收缩压", whole, systolic, target[0] - 36, 200, events),
        _figure("dbp", "舒张压", whole, diastolic, target[1] - 36, 120, events),
    )
    return Trend("bp", "血压", words[-1][1], "mmHg", said, figures, tuple(words[::-1][:TABLE]))


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
    whole = [(day, {"fpg": value}) for day, value in found]
    figures = (_figure("fpg", "空腹血糖", whole, bands, 3.5, 10, events),)
    return Trend("fpg", "空腹血糖", words[-1][1], "mmol/L", said, figures, tuple(words[::-1][:TABLE]))


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


def _figure(
    key: str,
    word: str,
    whole: Sequence[tuple[date, Mapping[str, Any]]],
    bands: Sequence[Band],
    low: float,
    high: float,
    events: Sequence[tuple[date, str]],
) -> Figure:
    points = [(day, float(one[key])) for day, one in whole]
    decimals = 1 if key == "fpg" else 0
    said = "said-fpg" if key == "fpg" else "said-bp"
    drawn = trend(
        points, bands, low=low, high=high, events=events, title=word, described_by=said, decimals=decimals
    )
    return Figure(key, word, drawn)


def _one_a_day(readings: Sequence[tuple[date, T]]) -> list[tuple[date, T]]:
    """The last of each day, oldest first."""
    return sorted(dict(readings).items(), key=lambda pair: pair[0])


def _recent(readings: list[tuple[date, T]]) -> list[tuple[date, T]]:
    """The year that ends with the newest reading, so that the page says the same tomorrow."""
    return [pair for pair in readings if pair[0] > readings[-1][0] - YEAR][-MOST:]
