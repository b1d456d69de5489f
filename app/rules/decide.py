"""Reads rule tables with three-valued logic: true, false, and None for "nobody knows".

Twin of static/js/rules/decide.js; here an expression becomes functions when it is first met. Both are held to
tests/contracts/decide.json.

An expression is a test ``[fact, operator, value]``, a group ``{"all": [...]}`` or ``{"any": [...]}``,
``{"not": x}`` (unknown stays unknown) or ``{"unless": x}`` (true unless x is known to be true).
A value is a literal or ``{"fact": name}``. Operators: lt le gt ge (numbers), is (same type, same
value), in (value is a list), has, has_any (the fact is a list), known (value is true or false).
A fact that is absent, null or of the wrong type is unknown: never low and never false.
"""

import operator as figures
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from app.shared.memo import Memo

NUMBERS = (int, float)
Facts = Mapping[str, Any]
Test = Callable[[Facts], bool | None]
type_of = {bool: "boolean", int: "number", float: "number", str: "string"}


def same(a: Any, b: Any) -> bool:
    """Equality without coercion: 1 is 1.0 but never true."""
    return type(a) in type_of and type_of.get(type(a)) == type_of.get(type(b)) and a == b


def holds(items: Iterable[Any], wanted: Any) -> bool:
    if isinstance(wanted, str):  # nothing but the same text is equal to a text
        return wanted in items
    return any(same(item, wanted) for item in items)


# operator: (type the fact must have, type the value must have, test)
OPERATORS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "lt": ("number", "number", figures.lt),
    "le": ("number", "number", figures.le),
    "gt": ("number", "number", figures.gt),
    "ge": ("number", "number", figures.ge),
    "is": ("scalar", "scalar", same),
    "in": ("scalar", "list", lambda a, b: holds(b, a)),
    "has": ("list", "scalar", holds),
    "has_any": ("list", "list", lambda a, b: any(holds(a, item) for item in b)),
}


def is_a(value: Any, kind: str) -> bool:
    if kind == "list":
        return isinstance(value, list)
    return type(value) in type_of if kind == "scalar" else type_of.get(type(value)) == kind


def _test(triple: list[Any]) -> Test:
    name, operator, value = triple
    if operator == "known":
        return lambda facts: (facts.get(name) is not None) == value
    fact_kind, value_kind, compare = OPERATORS[operator]
    if isinstance(value, dict):
        return _against_fact(name, operator, value["fact"])
    if not is_a(value, value_kind):
        return lambda facts: None
    if fact_kind == "number":
        return _of_number(name, compare, value)
    if fact_kind == "list":
        return _of_list(name, figures.contains if isinstance(value, str) else compare, value)
    if operator == "is":
        return _is(name, value)
    return lambda facts: compare(fact, value) if is_a(fact := facts.get(name), fact_kind) else None


def _against_fact(name: str, operator: str, other: str) -> Test:
    fact_kind, value_kind, compare = OPERATORS[operator]
    if fact_kind == value_kind == "number":
        return _of_two_numbers(name, compare, other)

    def test(facts: Facts) -> bool | None:
        fact, wanted = facts.get(name), facts.get(other)
        return compare(fact, wanted) if is_a(fact, fact_kind) and is_a(wanted, value_kind) else None

    return test


# Most tests of a table are one of those below, which do not go by the names of types.


def _of_number(name: str, compare: Callable[[Any, Any], bool], value: float) -> Test:
    def test(facts: Facts) -> bool | None:
        fact = facts.get(name)
        return compare(fact, value) if type(fact) in NUMBERS else None

    return test


def _of_two_numbers(name: str, compare: Callable[[Any, Any], bool], other: str) -> Test:
    def test(facts: Facts) -> bool | None:
        fact = facts.get(name)
        if type(fact) not in NUMBERS:
            return None
        wanted = facts.get(other)
        return compare(fact, wanted) if type(wanted) in NUMBERS else None

    return test


def _of_list(name: str, compare: Callable[[Any, Any], bool], value: Any) -> Test:
    def test(facts: Facts) -> bool | None:
        fact = facts.get(name)
        return compare(fact, value) if isinstance(fact, list) else None

    return test


def _is(name: str, value: Any) -> Test:
    kind = type_of[type(value)]

    def test(facts: Facts) -> bool | None:
        fact = facts.get(name)
        its_kind = type_of.get(type(fact))
        return None if its_kind is None else bool(its_kind == kind and fact == value)

    return test


def _compile(expression: Any, *, surely: bool = False) -> Test:
    """`surely`: only what is known to be true matters, so the rest is not read once it cannot be."""
    if isinstance(expression, list):
        return _test(expression)
    if "not" in expression:
        inner = _compile(expression["not"])
        return lambda facts: None if (result := inner(facts)) is None else not result
    if "unless" in expression:
        inner = _compile(expression["unless"], surely=True)
        return lambda facts: inner(facts) is not True
    stop = "any" in expression
    parts = [_compile(part, surely=surely) for part in expression["any" if stop else "all"]]
    if len(parts) == 1:
        return parts[0]
    return _all_surely(parts) if surely and not stop else _group(parts, stop=stop)


def _group(parts: list[Test], *, stop: bool) -> Test:
    def group(facts: Facts) -> bool | None:
        answer: bool | None = not stop
        for part in parts:
            result = part(facts)
            if result is stop:
                return stop
            answer = None if result is None else answer
        return answer

    return group


def _all_surely(parts: list[Test]) -> Test:
    def group(facts: Facts) -> bool:
        for part in parts:  # noqa: SIM110 - a generator for each row costs more than its tests
            if part(facts) is not True:
                return False
        return True

    return group


_compiled: Memo[Test] = Memo(_compile)
_compiled_surely: Memo[Test] = Memo(partial(_compile, surely=True))


def _begun(row: dict[str, Any]) -> tuple[Test, Test, dict[str, Any]]:
    """A row with the first thing it asks, where most rows end, and the rest."""
    parts = [row] if {"not", "unless", "any"} & row.keys() else row["all"]
    first, rest = ({"all": some} for some in (parts[:1], parts[1:]))
    return _compile(first, surely=True), _compile(rest, surely=True), row


_begun_rows: Memo[list[tuple[Test, Test, dict[str, Any]]]] = Memo(lambda rows: [_begun(row) for row in rows])


def evaluate(expression: Any, facts: Facts) -> bool | None:
    """True, False or None (unknown). Raises KeyError for an operator the twins do not have."""
    return _compiled(expression)(facts)


def surely(expression: Any, facts: Facts) -> bool:
    """Whether it is known to be true."""
    return _compiled_surely(expression)(facts) is True


def unknowns(expression: Any, facts: Facts) -> list[str]:
    """Names of the facts because of which the expression is unknown, in the order they are read."""
    if evaluate(expression, facts) is not None:
        return []
    if isinstance(expression, list):
        name, operator, value = expression
        if is_a(facts.get(name), OPERATORS[operator][0]) and isinstance(value, dict):
            return [str(value["fact"])]
        return [str(name)]
    parts = [expression["not"]] if "not" in expression else expression.get("any", expression.get("all"))
    return list(dict.fromkeys(name for part in parts for name in unknowns(part, facts)))


def matching(rows: list[dict[str, Any]], facts: Facts) -> list[dict[str, Any]]:
    """Every row whose condition is known to be true, in table order."""
    return [row for first, rest, row in _begun_rows(rows) if first(facts) is True and rest(facts) is True]


def decide(table: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """First row that applies: ``{then, row, missing}``.

    A row whose condition is unknown stops the search: then is None and missing names what to ask.
    No row at all: all three empty.
    """
    for row in table["rows"]:
        result = evaluate(row, facts)
        if result is not False:
            return {
                "then": row["then"] if result else None,
                "row": row["id"],
                "missing": unknowns(row, facts),
            }
    return {"then": None, "row": None, "missing": []}
