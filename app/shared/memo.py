"""Remembering what was made of a value that is no key of a dict, such as a list out of a rule table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")
MOST = 10_000  # tables hold hundreds; tests make up more


class Memo(Generic[Made]):
    """`make(value)`, made once for each object as long as it is remembered. Objects must not change."""

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make
        self._made: dict[int, tuple[Any, Made]] = {}  # the object itself is held, so its id stays its own

    def __call__(self, value: Any) -> Made:
        known = self._made.get(id(value))
        if known is not None:
            return known[1]
        if len(self._made) >= MOST:
            self._made.clear()
        made = self._make(value)
        self._made[id(value)] = (value, made)
        return made
