"""One answer against its field: type, range, length, in words. Twin: static/js/forms/values.js."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from app.forms import dates
from app.forms.conditions import is_number, same
from app.forms.definition import Field

# Not str.strip(): the two languages disagree on what a space is.
BLANKS = " \t\r\n　\xa0"
DECIMALS = {"int": 0, "dec1": 1, "dec3": 3}
DECIMALS_ZH = {1: "一", 3: "三"}

Fault = tuple[str, str, str]  # pointer below the field ("" or "/0/drug_name"), code, message
Lookup = Callable[[str], Any]


def absent(value: Any) -> bool:
    """Nothing was answered: null, or text of spaces only. An empty list is an answer."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def plain(number: float) -> str:
    """A figure as people write it: 25 for 25.0, 25.3 for 25.3."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def faults(field: Field, value: Any, value_of: Lookup) -> Iterator[Fault]:
    """What is wrong with a value that is not absent; nothing if it may be kept."""
    kind = field["type"]
    if kind in DECIMALS:
        yield from _number(field, value)
    elif kind == "text":
        yield from _text(field, value)
    elif kind == "date":
        yield from _date(field, value, value_of)
    elif kind == "bool":
        if not isinstance(value, bool):
            yield "", "type", f"{field['zh']}只能是“是”或“否”。"
    elif kind == "enum":
        if not _is_option(field, value):
            yield "", "choice", f"{field['zh']}没有这个选项。"
    elif kind == "multi":
        yield from _multi(field, value)
    else:
        yield from _rows(field, value, value_of)


def _is_option(field: Field, value: Any) -> bool:
    return any(same(value, option["code"]) for option in field["options"])


def _number(field: Field, value: Any) -> Iterator[Fault]:
    zh, decimals = field["zh"], DECIMALS[field["type"]]
    words = "整数" if decimals == 0 else f"数字，最多{DECIMALS_ZH[decimals]}位小数"
    if not is_number(value) or (isinstance(value, float) and not math.isfinite(value)):
        yield "", "type", f"{zh}须为{words}。"
        return
    low, high = field.get("hard", {}).get("min"), field.get("hard", {}).get("max")
    if low is not None and not low <= value <= high:
        unit = field.get("unit")
        yield "", "range", f"{zh}须在 {plain(low)}–{plain(high)}{' ' + unit if unit else ''} 之间。"
    elif not is_decimal(value, decimals):
        yield "", "type", f"{zh}须为{words}。"


def is_decimal(value: float, decimals: int) -> bool:
    """Whether `value` (of the size of a measurement) has at most so many decimals."""
    scale = 10**decimals
    return bool(math.floor(value * scale + 0.5) / scale == value)


def _text(field: Field, value: Any) -> Iterator[Fault]:
    zh = field["zh"]
    if not isinstance(value, str):
        yield "", "type", f"{zh}须为文字。"
    elif any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
        yield "", "characters", f"{zh}里有不能保存的字符。"
    elif len(value) > field["max"]:
        yield "", "too_long", f"{zh}最多 {field['max']} 个字。"


def _date(field: Field, value: Any, value_of: Lookup) -> Iterator[Fault]:
    zh = field["zh"]
    if not isinstance(value, str) or dates.day(value) is None:
        yield "", "date", f"{zh}须为有效的日期。"
        return
    hard = field.get("hard", {})
    low, high = (value_of(hard[end]) if end in hard else None for end in ("min", "max"))
    if low is not None and value < low:
        yield "", "range", f"{zh}不能早于 {dates.spoken(low)}。"
    elif high is not None and value > high:
        yield "", "range", f"{zh}不能晚于 {dates.spoken(high)}。"


def _multi(field: Field, value: Any) -> Iterator[Fault]:
    zh = field["zh"]
    if not isinstance(value, list):
        yield "", "type", f"{zh}须为选项的列表。"
        return
    if not all(_is_option(field, one) for one in value):
        yield "", "choice", f"{zh}没有这个选项。"
    elif any(same(one, other) for place, one in enumerate(value) for other in value[:place]):
        yield "", "duplicate", f"{zh}有重复的选项。"
    elif (alone := alone_option(field, value)) and len(value) > 1:
        yield "", "excludes", f"选了“{alone['zh']}”就不能再选别的。"


def alone_option(field: Field, value: list[Any]) -> Field | None:
    """The chosen option that leaves no room for others, such as 无症状."""
    for option in field["options"]:
        if option.get("excludes") == "all" and any(same(option["code"], one) for one in value):
            return dict(option)
    return None


def _rows(field: Field, value: Any, value_of: Lookup) -> Iterator[Fault]:
    zh = field["zh"]
    if not isinstance(value, list):
        yield "", "type", f"{zh}须为列表。"
        return
    if len(value) > field["max_rows"]:
        yield "", "too_long", f"{zh}最多 {field['max_rows']} 行。"
        return
    for place, row in enumerate(value):
        if not isinstance(row, dict):
            yield f"/{place}", "type", f"{zh}第 {place + 1} 行看不懂。"
            continue
        for key in unknown_keys(row, {item["key"] for item in field["item"]}):
            yield f"/{place}/{escaped(key)}", "unknown_field", "表里没有这一项。"
        for item in field["item"]:
            cell = row.get(item["key"])
            if absent(cell):
                if item.get("required"):
                    yield (
                        f"/{place}/{item['key']}",
                        "required",
                        f"{zh}第 {place + 1} 行：请填写{item['zh']}。",
                    )
                continue
            for below, code, message in faults(item, cell, value_of):
                yield f"/{place}/{item['key']}{below}", code, f"{zh}第 {place + 1} 行：{message}"


def unknown_keys(given: dict[str, Any], known: set[str]) -> list[str]:
    """Keys the form does not have, in UTF-16 order as JavaScript sorts them."""
    strange = [key for key in given if key not in known]
    return sorted(strange, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
