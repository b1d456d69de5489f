"""The little language of definition files: ["sbp", "ge", 180], all of a list, any, not.

A value nobody gave is unknown: every comparison with it is false, and `not` of that is true,
so a definition says `known` where it matters. Values beginning with $ name another value.
Twin: static/js/forms/conditions.js; here a condition becomes functions once, when its form is first used.
"""

from __future__ import annotations

import operator as figures
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

Known = Mapping[str, Any]  # values by name, None for what nobody gave
Test = Callable[[Known], bool]
NUMBERS = (int, float)


def is_number(value: Any) -> TypeGuard[float]:
    return type(value) in NUMBERS


def same(left: Any, right: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but neither is true nor "1"."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    return type(left) is type(right) and bool(left == right)


def one_of(codes: Iterable[Any]) -> Callable[[Any], bool]:
    """Whether a value is the `same` as any of these, which are texts, numbers or booleans."""
    by_type: dict[type, set[Any]] = {}
    for code in codes:
        for kind in NUMBERS if is_number(code) else (type(code),):
            by_type.setdefault(kind, set()).add(code)
    return lambda value: value in by_type.get(type(value), ())


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        if isinstance(left, str):
            return isinstance(right, str) and compare(left, right)
        return type(left) in NUMBERS and type(right) in NUMBERS and compare(left, right)

    return test


def _has_any(left: Any, right: Any) -> bool:
    return isinstance(left, list) and any(same(one, want) for one in left for want in right)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": _ordered(figures.lt),
    "le": _ordered(figures.le),
    "gt": _ordered(figures.gt),
    "ge": _ordered(figures.ge),
    "is": same,
    "in": lambda left, right: any(same(left, one) for one in right),
    "has_any": _has_any,
    "known": lambda left, _: left is not None,
    "unknown": lambda left, _: left is None,
    "filled": lambda left, _: isinstance(left, list) and len(left) > 0,
    "empty": lambda left, _: not (isinstance(left, list) and len(left) > 0),
}
# The same where the definition names a number, which most comparisons do.
OF_NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": figures.lt,
    "le": figures.le,
    "gt": figures.gt,
    "ge": figures.ge,
    "is": figures.eq,
}


def always(_: Known) -> bool:
    return True


def truth_of(condition: Any) -> Test:
    """Whether `condition` is true. A list of conditions means all of them; None always holds."""
    if condition is None:
        return always
    if isinstance(condition, dict):
        if "not" in condition:
            inner = truth_of(condition["not"])
            return lambda known: not inner(known)
        return _group(condition["any" if "any" in condition else "all"], stop="any" in condition)
    if condition and isinstance(condition[0], str):
        name, operator, *rest = condition
        return _comparison(name, operator, rest[0] if rest else None)
    return _group(condition, stop=False)


def _comparison(name: str, operator: str, right: Any) -> Test:
    if operator in OF_NUMBERS and is_number(right):
        return _with_number(name, OF_NUMBERS[operator], right)
    if operator == "in" and isinstance(right, list):
        listed = one_of(right)
        return lambda known: listed(known[name])
    if operator == "is" and isinstance(right, bool):
        return lambda known: known[name] is right
    compare = OPERATORS[operator]
    if isinstance(right, str) and right.startswith("$"):
        other = right[1:]
        return lambda known: compare(known[name], known[other])
    return lambda known: compare(known[name], right)


def _with_number(name: str, compare: Callable[[Any, Any], bool], right: float) -> Test:
    def test(known: Known) -> bool:
        left = known[name]
        return type(left) in NUMBERS and compare(left, right)

    return test


def _group(conditions: list[Any], *, stop: bool) -> Test:
    parts = [truth_of(one) for one in conditions]
    if len(parts) == 1:
        return parts[0]

    def group(known: Known) -> bool:
        for part in parts:
            if part(known) is stop:
                return stop
        return not stop

    return group
