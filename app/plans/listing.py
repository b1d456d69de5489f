"""What a list page shows for a set of filters: counts, bands of rows. Twin: static/js/plans/rows.js."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.plans.queries import DONE, LATE, LATER, NOTHING, TODAY, Row, ordered, soon

STATES = {"todo": "待访", "late": "逾期", "done": "已访", "all": "全部"}
COLOURS = {"red": "红", "yellow": "黄", "green": "绿", "unrated": "待评"}
SORTS = {"urgency": "紧急程度", "due": "到期", "village": "村"}
BAND_WORDS = {LATE: "逾期", TODAY: "今天", LATER: "以后", DONE: "已访", NOTHING: "没有安排"}
FOUND = "找到"
WEEKDAYS = "一二三四五六日"
DEFAULTS = {"today": ("todo", "urgency"), "patients": ("all", "village")}


@dataclass(frozen=True)
class Choice:
    """The filters of a list. `state` is one of STATES, `grade` one of COLOURS or empty."""

    state: str
    sort: str
    grade: str = ""
    town: str = ""
    village: str = ""
    q: str = ""


def choice(place: str, args: Mapping[str, str]) -> Choice:
    """Filters of a query string; what is not among the choices counts as not said."""
    state, sort = DEFAULTS[place]
    asked = {name: args.get(name, "")[:50] for name in ("state", "sort", "grade", "town", "village", "q")}
    return Choice(
        state=asked["state"] if asked["state"] in STATES else state,
        sort=asked["sort"] if asked["sort"] in SORTS else sort,
        grade=asked["grade"] if asked["grade"] in COLOURS else "",
        town=asked["town"],
        village=asked["village"],
        q=asked["q"].strip(),
    )


def matches(row: Row, text: str) -> bool:
    """Name, pinyin initials, village, or the last digits of the phone."""
    wanted = "".join(text.split()).lower()
    if not wanted:
        return True
    if wanted.isascii() and wanted.isdigit():
        return bool(row.phone4) and (row.phone4.endswith(wanted) or wanted.endswith(row.phone4))
    return wanted in row.name.lower() or row.py.startswith(wanted) or wanted in row.village


def narrowed(rows: list[Row], chosen: Choice) -> list[Row]:
    """Rows of the chosen town, village and grade."""
    return [
        row for row in rows
        if chosen.grade in ("", row.colour)
        and chosen.town in ("", row.town_code)
        and chosen.village in ("", row.village_code)
    ]  # fmt: skip


def state_counts(rows: list[Row], today: date) -> dict[str, int]:
    bands = [row.band(today) for row in rows]
    late, now = bands.count(LATE), bands.count(TODAY)
    return {"todo": late + now, "late": late, "done": bands.count(DONE), "all": len(rows)}


def bands(rows: list[Row], chosen: Choice, today: date) -> list[dict[str, Any]]:
    """[{word, rows}] of what the filters leave. A search looks at everybody, whatever the filters."""
    if chosen.q:
        hits = ordered([row for row in rows if matches(row, chosen.q)], "urgency", today)
        return [{"word": FOUND, "rows": hits}] if hits else []
    found = [row for row in narrowed(rows, chosen) if _in_state(row, chosen.state, today)]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in ordered(found, chosen.sort, today):
        band = row.band(today)
        key = (row.village_code, row.village) if chosen.sort == "village" else (band, BAND_WORDS[band])
        groups.setdefault(key, []).append(row)
    return [{"word": word, "rows": group} for (_, word), group in groups.items()]


def _in_state(row: Row, state: str, today: date) -> bool:
    band = row.band(today)
    if state == "todo":
        return band in (LATE, TODAY) or (band == LATER and soon(row, today))
    return state == "all" or band == state


def capped(found: list[dict[str, Any]], room: int) -> tuple[list[dict[str, Any]], int]:
    """The bands with only the first `room` rows, and how many people were left out.

    Each keeps its own `count`. The script of the page draws the rest from the index.
    """
    kept, total = [], sum(len(band["rows"]) for band in found)
    for band in found:
        part = band["rows"][: max(0, room)]
        room -= len(part)
        if part:
            kept.append({**band, "rows": part, "count": len(band["rows"])})
    return kept, total - sum(len(band["rows"]) for band in kept)


def when(row: Row, today: date) -> str:
    """The right column: what the heading does not say already."""
    if row.due_on is None or row.due_on == today:
        return ""
    days = (today - row.due_on).days
    return f"逾期 {days} 天" if days > 0 and row.band(today) != DONE else day_words(row.due_on, today)


def day_words(day: date, today: date) -> str:
    """6月12日, with the weekday where somebody plans by it."""
    words = f"{day.month}月{day.day}日"
    if day.year != today.year:
        return f"{day.year}年{words}"
    near = 0 < (day - today).days < 8
    return f"{words} 周{WEEKDAYS[day.weekday()]}" if near else words
