"""A visit in words: every answered field by section, and what one revision changed against the last. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.encounters.models import MODES
from app.forms import dates
from app.forms.definition import Definition, Field, rows_of
from app.forms.html import code_text
from app.forms.values import plain

Line = tuple[str, str]  # label, value in words
HEADER = (("visited_on", "随访日期"), ("mode", "随访方式"), ("next_visit_on", "下次随访"))
NOTHING = "未填"


def sections(form: Definition, answers: Mapping[str, Any]) -> list[tuple[str, list[Line]]]:
    """(title, lines) of each section that has an answer, in the order of the screen."""
    found = []
    for section in form.layout:
        lines = [
            (_label(form, key), words(_field(form, key), answers[key]))
            for key in rows_of(section)
            if _given(answers.get(key))
        ]
        if lines:
            found.append((section.get("zh", ""), lines))
    return found


def words(field: Field, value: Any) -> str:
    """One answer as people read it: labels for codes, figures with their unit, days as 6月8日."""
    if field["type"] == "list" and isinstance(value, list):
        return "；".join(_row(field, row) for row in value) or "无"
    if field["type"] == "multi" and isinstance(value, list):
        return "、".join(_option(field, one) for one in value) or "无"
    if field["type"] in ("enum", "bool"):
        return _option(field, value)
    if field["type"] == "date" and dates.day(value):
        return f"{value[:4]}年{dates.spoken(value)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    labelled = field.get("labels", {}).get(plain(value))
    unit = field.get("unit")
    return labelled or (f"{plain(value)} {unit}" if unit else plain(value))


def changes(
    form: Definition, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """(label, before, after) of what differs between the payloads of two revisions."""
    found = []
    for key, label in HEADER:
        was, now = _header(key, before), _header(key, after)
        if was != now:
            found.append((label, was or NOTHING, now or NOTHING))
    old_answers, new_answers = before.get("answers") or {}, after.get("answers") or {}
    for key in [*form.fields, *form.computed]:
        old, new = old_answers.get(key), new_answers.get(key)
        if old != new and (_given(old) or _given(new)):
            field = _field(form, key)
            told = [words(field, one) if _given(one) else NOTHING for one in (old, new)]
            found.append((_label(form, key), told[0], told[1]))
    return found


def _header(key: str, payload: Mapping[str, Any]) -> str:
    if key == "mode":
        return MODES.get(str(payload.get("mode")), "")
    value = payload.get("visited_at", "") if key == "visited_on" else payload.get(key)
    day = str(value or "")[:10]
    return f"{day[:4]}年{dates.spoken(day)}" if dates.day(day) else ""


def _row(field: Field, row: Mapping[str, Any]) -> str:
    return " ".join(_cells(field, row))


def _cells(field: Field, row: Mapping[str, Any]) -> Iterator[str]:
    for item in field["item"]:
        if not _given(row.get(item["key"])):
            continue
        if item["key"] == "times_per_day":
            yield f"每日 {row[item['key']]} 次"
        else:
            yield words(item, row[item["key"]])


def _option(field: Field, code: Any) -> str:
    for option in field.get("options", ()):
        if code_text(option["code"]) == code_text(code):
            return str(option["zh"])
    return str(code)


def _field(form: Definition, key: str) -> Field:
    return form.fields.get(key) or form.computed[key]


def _label(form: Definition, key: str) -> str:
    return str(_field(form, key)["zh"])


def _given(value: Any) -> bool:
    return value is not None and value != ""
