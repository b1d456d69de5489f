"""JSON as strictly as a medical record needs it.

`json.loads` of the standard library accepts NaN, duplicate keys, lone surrogates and 400-digit integers.
Here the text is parsed once, every such fault is kept with its place, and the caller decides what a fault
inside one operation means for that operation alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

MAX_INTEGER = 2**53
MAX_DEPTH = 16
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ODD_FIGURE = re.compile(rb"(?:^|[:,\[])-?(?:0\.0000|[0-9.]+e|[0-9]{16})")
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


class NotJson(ValueError):
    """The body is not JSON at all, or nested beyond any use."""


@dataclass(frozen=True)
class Fault:
    """Something in a JSON value that is refused; parsed in place of the value it spoils."""

    code: str


class _Duplicated(dict):
    """An object whose text named a key twice."""


MESSAGES = {
    "duplicate_key": "字段名重复",
    "not_a_number": "不是有效的数字",
    "number_too_large": "数字过大",
    "bad_text": "含有无法识别的字符",
    "too_deep": "层级过深",
}


def loads(raw: bytes) -> Any:
    """The value of UTF-8 JSON text, with `Fault`s in place of what may not be. Raises NotJson."""
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=lambda _: Fault("not_a_number"),
            parse_int=_integer,
            parse_float=_float,
        )
    except (ValueError, RecursionError) as error:
        raise NotJson("请求内容不是有效的 JSON") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _Duplicated(value)


def _integer(text: str) -> int | Fault:
    if len(text) > 20:
        return Fault("number_too_large")
    value = int(text)
    return value if abs(value) <= MAX_INTEGER else Fault("number_too_large")


def _float(text: str) -> float | Fault:
    value = float(text)
    return value if abs(value) <= 1e308 else Fault("number_too_large")


def faults(
    value: Any, pointer: str = "", depth: int = 1, inside: Callable[[Any], bool] = lambda key: True
) -> Iterator[dict[str, str]]:
    """Every fault inside `value` as {pointer, code, message}; nothing when it may be stored.

    Members of `value` itself for whose key `inside` is false are left to somebody else.
    """
    if isinstance(value, Fault):
        yield fault_at(pointer, value.code)
    elif isinstance(value, str):
        if not storable(value):
            yield fault_at(pointer, "bad_text")
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            yield fault_at(pointer, "too_deep")
            return
        if isinstance(value, _Duplicated):
            yield fault_at(pointer, "duplicate_key")
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(key, str) and not storable(key):
                yield fault_at(pointer, "bad_text")
            elif inside(key):
                yield from faults(item, f"{pointer}/{escape(key)}", depth + 1)


def fault_at(pointer: str, code: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": MESSAGES[code]}


def escape(key: object) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def storable(text: str) -> bool:
    """No U+0000 and no lone surrogate: PostgreSQL stores neither, UTF-8 has no word for the second."""
    return UNSTORABLE.search(text) is None


def sound(value: Any, depth: int = 1) -> bool:
    """Whether `faults` finds nothing; several times as fast, since it need not say where."""
    if isinstance(value, str):
        return UNSTORABLE.search(value) is None
    if isinstance(value, dict):
        if depth > MAX_DEPTH or isinstance(value, _Duplicated):
            return False
        for key in value:
            if isinstance(key, str) and UNSTORABLE.search(key) is not None:
                return False
        items: Iterable[Any] = value.values()
    elif isinstance(value, list):
        if depth > MAX_DEPTH:
            return False
        items = value
    else:
        return not isinstance(value, Fault)
    for item in items:
        if isinstance(item, str):
            if UNSTORABLE.search(item) is not None:
                return False
        elif not sound(item, depth + 1):
            return False
    return True


def canonical(value: Any, *, fractions: bool = True) -> str:
    """Sorted keys, no spaces: two operations are the same when this text is (SYNC rule 3.4).

    As the standard library writes it, for what was stored by it: orjson writes 1e-05 and the like otherwise,
    and knows no lone surrogates. `fractions`: False where there can be none, which saves looking for them.
    """
    try:
        made = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return _canonical(value)
    return _canonical(value) if fractions and ODD_FIGURE.search(made) else made.decode()


def canonical_around(value: dict[str, Any], key: str, text: str) -> str:
    """The same of an object whose member `key` is `text` already; no other member may hold an object."""
    around = canonical({**value, key: {}})
    return around.replace(f'"{key}":{{}}', f'"{key}":{text}', 1)
