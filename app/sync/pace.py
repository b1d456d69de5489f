"""Who goes first among the pushes of one process.

Python runs one thread at a time, and threads that wrestle for it waste a third of the processor. So one push
is worked on at a time. It lets go while it waits for the feed's lock or for the disk; whoever has got the
lock, for whom other processes wait, goes before those that are only judged ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from app.shared.fairlock import FairLock

LONGEST_WAIT_S = 10.0  # then on, in turn or not: whoever has it may be waiting for something itself

AT_ONCE = 2  # one is judged ahead while one waits for the lock; what more were judged would be old by then

_places = FairLock(AT_ONCE)
_turn = FairLock()
_has_turn: ContextVar[bool] = ContextVar("has_turn", default=False)


@contextmanager
def working() -> Iterator[None]:
    """Around all that a push has to work out."""
    placed, _ = _places.acquire(LONGEST_WAIT_S)
    _take()
    try:
        yield
    finally:
        _let_go()
        if placed:
            _places.release()


@contextmanager
def aside() -> Iterator[None]:
    """Around what is only waiting: others work meanwhile, and afterwards this push goes before them."""
    had = _let_go()
    try:
        yield
    finally:
        if had:
            _take(urgent=True)


def give_way() -> None:
    """Between two operations that are judged ahead: to whoever holds the feed's lock."""
    if _turn.is_urgent() and _let_go():
        _take()


def _take(*, urgent: bool = False) -> None:
    _has_turn.set(_turn.acquire(LONGEST_WAIT_S, urgent=urgent)[0])


def _let_go() -> bool:
    """Whether it was ours."""
    had = _has_turn.get()
    if had:
        _has_turn.set(False)
        _turn.release()
    return had
