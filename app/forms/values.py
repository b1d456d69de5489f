"""One answer against its field: type, range, length, in words. Twin: static/js/forms/values.js.

Here each field becomes a function once, with its limits and its words ready.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

from app.forms import dates
from app.forms.conditions import is_number, one_of, same
from app.forms.definition import Field
from app.shared.memo import Memo
from app.shared.strictjson import UNSTORABLE

# Not str.strip(): the two languages disagree on what a space is.
BLANKS = " \t\r\n　\xa0"
DECIMALS = {"int": 0, "dec1": 1, "dec3": 3}
DECIMALS_ZH = {1: "一", 3: "三"}

Fault = tuple[str, str, str]  # pointer below the field ("" or "/0/drug_name"), code, message
Faults = Iterable[Fault]
Lookup = Callable[[str], Any]
Finder = Callable[[Any, Lookup], Faults]  # of a value that is not absent; () if it may be kept


def absent(value: Any) -> bool:
    """Nothing was answered: null, or text of spaces only. An empty list is an answer."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def plain(number: float) -> str:
    """A figure as people write it: 25 for 25.0, 25.3 for 25.3."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def finder(field: Field) -> Finder:
    """What finds all that is wrong with values of this field."""
    kind = field["type"]
    if kind in DECIMALS:
        return _number(field)
    return {"text": _text, "date": _date, "bool": _bool, "enum": _enum, "multi": _multi, "list": _rows}[kind](
        field
    )


_finders = Memo(finder)


def faults(field: Field, value: Any, value_of: Lookup) -> Faults:
    """What is wrong with a value that is not absent; nothing if it may be kept."""
    return _finders(field)(value, value_of)


def _one(code: str, message: str) -> tuple[Fault]:
    return (("", code, message),)


def _number(field: Field) -> Finder:
    zh, unit, hard, decimals = field["zh"], field.get("unit"), field.get("hard"), DECIMALS[field["type"]]
    words = "整数" if decimals == 0 else f"数字，最多{DECIMALS_ZH[decimals]}位小数"
    mistyped = _one("type", f"{zh}须为{words}。")
    low, high, outside = -sys.float_info.max, sys.float_info.max, mistyped
    if hard:
        low, high = hard["min"], hard["max"]
        span = f"{plain(low)}–{plain(high)}{' ' + unit if unit else ''}"
        outside = _one("range", f"{zh}须在 {span} 之间。")

    def find(value: Any, _: Lookup) -> Faults:
        if not is_number(value) or (isinstance(value, float) and not math.isfinite(value)):
            return mistyped
        if not low <= value <= high:
            return outside
        whole = hard and type(value) is int
        return () if whole or is_decimal(value, decimals) else mistyped

    return find


def is_decimal(value: float, decimals: int) -> bool:
    """Whether `value` (of the size of a measurement) has at most so many decimals."""
    scale = 10**decimals
    return bool(math.floor(value * scale + 0.5) / scale == value)


def _text(field: Field) -> Finder:
    zh, most = field["zh"], field["max"]

    def find(value: Any, _: Lookup) -> Faults:
        if not isinstance(value, str):
            return _one("type", f"{zh}须为文字。")
        if UNSTORABLE.search(value):
            return _one("characters", f"{zh}里有不能保存的字符。")
        return _one("too_long", f"{zh}最多 {most} 个字。") if len(value) > most else ()

    return find


def _date(field: Field) -> Finder:
    zh, hard = field["zh"], field.get("hard", {})

    def find(value: Any, value_of: Lookup) -> Faults:
        if not isinstance(value, str) or dates.day(value) is None:
            return _one("date", f"{zh}须为有效的日期。")
        low, high = (value_of(hard[end]) if end in hard else None for end in ("min", "max"))
        if low is not None and value < low:
            return _one("range", f"{zh}不能早于 {dates.spoken(low)}。")
        if high is not None and value > high:
            return _one("range", f"{zh}不能晚于 {dates.spoken(high)}。")
        return ()

    return find


def _bool(field: Field) -> Finder:
    mistyped = _one("type", f"{field['zh']}只能是“是”或“否”。")
    return lambda value, _: () if isinstance(value, bool) else mistyped


def _enum(field: Field) -> Finder:
    is_option = one_of(option["code"] for option in field["options"])
    strange = _one("choice", f"{field['zh']}没有这个选项。")
    return lambda value, _: () if is_option(value) else strange


def _multi(field: Field) -> Finder:
    zh, is_option = field["zh"], one_of(option["code"] for option in field["options"])

    def find(value: Any, _: Lookup) -> Faults:
        if not isinstance(value, list):
            return _one("type", f"{zh}须为选项的列表。")
        if not all(map(is_option, value)):
            return _one("choice", f"{zh}没有这个选项。")
        if len(value) < 2:
            return ()
        if any(same(one, other) for place, one in enumerate(value) for other in value[:place]):
            return _one("duplicate", f"{zh}有重复的选项。")
        if alone := alone_option(field, value):
            return _one("excludes", f"选了“{alone['zh']}”就不能再选别的。")
        return ()

    return find


def alone_option(field: Field, value: list[Any]) -> Field | None:
    """The chosen option that leaves no room for others, such as 无症状."""
    for option in field["options"]:
        if option.get("excludes") == "all" and any(same(option["code"], one) for one in value):
            return dict(option)
    return None


def _rows(field: Field) -> Finder:
    zh, most = field["zh"], field["max_rows"]
    items = {item["key"]: (item, finder(item)) for item in field["item"]}

    def find(value: Any, value_of: Lookup) -> Faults:
        if not isinstance(value, list):
            return _one("type", f"{zh}须为列表。")
        if len(value) > most:
            return _one("too_long", f"{zh}最多 {most} 行。")
        return [fault for place, row in enumerate(value) for fault in in_row(place, row, value_of)]

    def in_row(place: int, row: Any, value_of: Lookup) -> Iterator[Fault]:
        if not isinstance(row, dict):
            yield f"/{place}", "type", f"{zh}第 {place + 1} 行看不懂。"
            return
        for key in unknown_keys(row, items):
            yield f"/{place}/{escaped(key)}", "unknown_field", "表里没有这一项。"
        for key, (item, find_in) in items.items():
            cell = row.get(key)
            if not absent(cell):
                for below, code, message in find_in(cell, value_of):
                    yield f"/{place}/{key}{below}", code, f"{zh}第 {place + 1} 行：{message}"
            elif item.get("required"):
                yield f"/{place}/{key}", "required", f"{zh}第 {place + 1} 行：请填写{item['zh']}。"

    return find


def unknown_keys(given: dict[str, Any], known: Container[str]) -> list[str]:
    """Keys the form does not have, in UTF-16 order as JavaScript sorts them."""
    strange = [key for key in given if key not in known]
    return sorted(strange, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
