"""What a browser posts, turned into typed answers: the way without JavaScript.

Twin: fromStrings in static/js/forms/collect.js.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.forms.conditions import same
from app.forms.definition import Definition, Field
from app.forms.values import BLANKS, DECIMALS

_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
_HALF_WIDTH = str.maketrans("０１２３４５６７８９．－＋", "0123456789.-+")


def parse_html(form: Definition, posted: Any) -> dict[str, Any]:
    """Answers out of a MultiDict (or a dict of lists of strings).

    What cannot be read, such as 12x for a number, stays the text it is: `check` then says so
    at the field and the page can show it again. Names the form does not have are left alone.
    """
    lists = _as_lists(posted)
    answers: dict[str, Any] = {}
    for key, field in form.fields.items():
        if field["type"] == "list":
            if rows := _rows(field, lists):
                answers[key] = rows
            continue
        if "choices" in field:
            answers.update(_choice(field, lists.get(key, [])))
            continue
        value = typed(field, lists.get(key, []))
        if value is not None and key not in answers:
            answers[key] = value
    return answers


def typed(field: Field, texts: list[str]) -> Any:
    """One field's posted texts as its answer; None for nothing."""
    if field["type"] == "multi":
        chosen = [_code(field, text) for text in texts if text != ""]
        return chosen if chosen or field.get("empty_ok") else None
    text = texts[-1] if texts else ""
    if not text.strip(BLANKS):
        return None
    if field["type"] in DECIMALS:
        return _number(text)
    if field["type"] in ("enum", "bool"):
        return _code(field, text)
    return text.strip(BLANKS) if field["type"] == "date" else text.replace("\r\n", "\n")


def _number(text: str) -> Any:
    figure = text.strip(BLANKS).translate(_HALF_WIDTH)
    if not _NUMBER.fullmatch(figure):
        return text
    number = float(figure)
    return int(number) if number.is_integer() else number


def code_text(code: Any) -> str:
    """A code as it stands in the value attribute of its radio button."""
    return {True: "true", False: "false"}[code] if isinstance(code, bool) else str(code)


def _code(field: Field, text: str) -> Any:
    return next((o["code"] for o in field["options"] if code_text(o["code"]) == text), text)


def _choice(field: Field, texts: list[str]) -> dict[str, Any]:
    """A button that answers two fields at once: 已处置 is no referral and what was done instead."""
    if not texts or not texts[-1]:
        return {}
    for choice in field["choices"]:
        if choice["value"] == texts[-1]:
            return dict(choice["answers"])
    return {field["key"]: texts[-1]}


def choice_of(field: Field, answers: Mapping[str, Any]) -> str | None:
    """The button that stands for these answers: the one that agrees with most of them."""
    fitting = [c for c in field["choices"] if all(same(answers.get(k), v) for k, v in c["answers"].items())]
    return max(fitting, key=lambda c: len(c["answers"]))["value"] if fitting else None


def _rows(field: Field, lists: dict[str, list[str]]) -> list[dict[str, Any]]:
    pattern = re.compile(rf"{re.escape(field['key'])}-([0-9]{{1,3}})-")
    places = sorted({int(match[1]) for name in lists if (match := pattern.match(name))})
    rows = []
    for place in places:
        row = {}
        for item in field["item"]:
            value = typed(item, lists.get(f"{field['key']}-{place}-{item['key']}", []))
            if value is not None:
                row[item["key"]] = value
        if row:
            rows.append(row)
    return rows


def _as_lists(posted: Any) -> dict[str, list[str]]:
    if hasattr(posted, "getlist"):
        return {name: posted.getlist(name) for name in posted}
    return {name: [texts] if isinstance(texts, str) else list(texts) for name, texts in posted.items()}
