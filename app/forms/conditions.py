"""The little language of definition files: ["sbp", "ge", 180], all of a list, any, not.

A value nobody gave is unknown: every comparison with it is false, and `not` of that is true,
so a definition says `known` where it matters. Values beginning with $ name another value.
Twin: static/js/forms/conditions.js; here a condition becomes functions when first met.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from app.shared.memo import Memo

Lookup = Callable[[str], Any]


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Any, right: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but neither is true nor "1"."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        if is_number(left) and is_number(right):
            return compare(left, right)
        return isinstance(left, str) and isinstance(right, str) and compare(left, right)

    return test


def _has_any(left: Any, right: Any) -> bool:
    return isinstance(left, list) and any(same(one, want) for one in left for want in right)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": _ordered(lambda left, right: left < right),
    "le": _ordered(lambda left, right: left <= right),
    "gt": _ordered(lambda left, right: left > right),
    "ge": _ordered(lambda left, right: left >= right),
    "is": same,
    "in": lambda left, right: any(same(left, one) for one in right),
    "has_any": _has_any,
    "known": lambda left, _: left is not None,
    "unknown": lambda left, _: left is None,
    "filled": lambda left, _: isinstance(left, list) and len(left) > 0,
    "empty": lambda left, _: not (isinstance(left, list) and len(left) > 0),
}


def holds(condition: Any, value_of: Lookup) -> bool:
    """Whether `condition` is true. A list of conditions means all of them; None always holds."""
    return condition is None or _compiled(condition)(value_of)


def _compile(condition: Any) -> Callable[[Lookup], bool]:
    if condition is None:
        return lambda value_of: True
    if isinstance(condition, dict):
        if "not" in condition:
            inner = _compile(condition["not"])
            return lambda value_of: not inner(value_of)
        return _group(condition["any" if "any" in condition else "all"], stop="any" in condition)
    if condition and isinstance(condition[0], str):
        name, operator, *rest = condition
        compare, right = OPERATORS[operator], rest[0] if rest else None
        if isinstance(right, str) and right.startswith("$"):
            other = right[1:]
            return lambda value_of: compare(value_of(name), value_of(other))
        return lambda value_of: compare(value_of(name), right)
    return _group(condition, stop=False)


def _group(conditions: list[Any], *, stop: bool) -> Callable[[Lookup], bool]:
    parts = [_compile(one) for one in conditions]
    if len(parts) == 1:
        return parts[0]

    def group(value_of: Lookup) -> bool:
        for part in parts:
            if part(value_of) is stop:
                return stop
        return not stop

    return group


_compiled = Memo(_compile)
