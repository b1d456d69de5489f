"""Reads rule tables with three-valued logic: true, false, and None for "nobody knows".

Twin of static/js/rules/decide.js; here an expression becomes functions when it is first met. Both are held to
tests/contracts/decide.json.

An expression is a test ``[fact, operator, value]``, a group ``{"all": [...]}`` or ``{"any": [...]}``,
``{"not": x}`` (unknown stays unknown) or ``{"unless": x}`` (true unless x is known to be true).
A value is a literal or ``{"fact": name}``. Operators: lt le gt ge (numbers), is (same type, same
value), in (value is a list), has, has_any (the fact is a list), known (value is true or false).
A fact that is absent, null or of the wrong type is unknown: never low and never false.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.shared.memo import Memo

NUMBERS = (int, float)
Test = Callable[[Mapping[str, Any]], bool | None]
type_of = {bool: "boolean", int: "number", float: "number", str: "string"}


def same(a: Any, b: Any) -> bool:
    """Equality without coercion: 1 is 1.0 but never true."""
    return type(a) in type_of and type_of.get(type(a)) == type_of.get(type(b)) and a == b


def holds(items: Iterable[Any], wanted: Any) -> bool:
    return any(same(item, wanted) for item in items)


# operator: (type the fact must have, type the value must have, test)
OPERATORS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "lt": ("number", "number", lambda a, b: a < b),
    "le": ("number", "number", lambda a, b: a <= b),
    "gt": ("number", "number", lambda a, b: a > b),
    "ge": ("number", "number", lambda a, b: a >= b),
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
        return lambda facts: bool((facts.get(name) is not None) == value)
    fact_kind, value_kind, compare = OPERATORS[operator]
    if fact_kind == value_kind == "number":
        return _of_numbers(name, compare, value)
    if isinstance(value, dict):
        other = value["fact"]

        def against_fact(facts: Mapping[str, Any]) -> bool | None:
            fact, wanted = facts.get(name), facts.get(other)
            return compare(fact, wanted) if is_a(fact, fact_kind) and is_a(wanted, value_kind) else None

        return against_fact
    if not is_a(value, value_kind):
        return lambda facts: None

    def against_literal(facts: Mapping[str, Any]) -> bool | None:
        fact = facts.get(name)
        return compare(fact, value) if fact is not None and is_a(fact, fact_kind) else None

    return against_literal


def _of_numbers(name: str, compare: Callable[[Any, Any], bool], value: Any) -> Test:
    """Most tests of a table, and so without going by the names of types."""
    other = value["fact"] if isinstance(value, dict) else None

    def test(facts: Mapping[str, Any]) -> bool | None:
        fact = facts.get(name)
        if type(fact) not in NUMBERS:
            return None
        wanted = value if other is None else facts.get(other)
        return compare(fact, wanted) if type(wanted) in NUMBERS else None

    return test


def _compile(expression: Any) -> Test:
    if isinstance(expression, list):
        return _test(expression)
    if "not" in expression:
        inner = _compile(expression["not"])
        return lambda facts: None if (result := inner(facts)) is None else not result
    if "unless" in expression:
        inner = _compile(expression["unless"])
        return lambda facts: inner(facts) is not True
    stop = "any" in expression
    parts = [_compile(part) for part in expression["any" if stop else "all"]]

    def group(facts: Mapping[str, Any]) -> bool | None:
        answer: bool | None = not stop
        for part in parts:
            result = part(facts)
            if result is stop:
                return stop
            answer = None if result is None else answer
        return answer

    return group


_compiled = Memo(_compile)


def evaluate(expression: Any, facts: Mapping[str, Any]) -> bool | None:
    """True, False or None (unknown). Raises KeyError for an operator the twins do not have."""
    return _compiled(expression)(facts)


def unknowns(expression: Any, facts: Mapping[str, Any]) -> list[str]:
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


def matching(rows: Iterable[dict[str, Any]], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row whose condition is known to be true, in table order."""
    return [row for row in rows if evaluate(row, facts) is True]


def decide(table: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
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
