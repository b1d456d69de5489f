"""Who goes first among the threads of one process: whoever holds the feed's lock, for whom others wait.

Python runs one thread at a time. A push that is judged ahead would take turns with the one that is being
written under the lock, and so hold up every process. One push is judged ahead at a time, and it pauses
between two operations while another one is written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_PAUSE_S = 0.25  # then on: whoever writes may itself be waiting for something

_judging = threading.Lock()
_free = threading.Event()
_free.set()


@contextmanager
def ahead() -> Iterator[None]:
    """Around the judging of a push before the lock is taken."""
    with _judging:
        yield


def give_way() -> None:
    """Between two operations that are judged ahead."""
    if not _free.is_set():
        _free.wait(LONGEST_PAUSE_S)


@contextmanager
def first() -> Iterator[None]:
    """Around what is done under the lock."""
    _free.clear()
    try:
        yield
    finally:
        _free.set()
