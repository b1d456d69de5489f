"""A lock between threads, or a few places, handed on in the order of asking; the urgent come first.

`threading.Lock` is not: a thread that releases it and asks again gets it before those who wait.
"""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    def __init__(self, places: int = 1) -> None:
        self._guard = threading.Lock()
        self._free = places
        self._waiting: deque[threading.Event] = deque()
        self._urgent: deque[threading.Event] = deque()

    def acquire(self, timeout_s: float, *, urgent: bool = False) -> tuple[bool, bool]:
        """(whether it was got within the time, whether it had to be waited for)."""
        line = self._urgent if urgent else self._waiting
        with self._guard:
            if self._free:
                self._free -= 1
                return True, False
            mine = threading.Event()
            line.append(mine)
        if mine.wait(timeout_s):
            return True, True
        with self._guard:
            if mine.is_set():  # handed over in the last moment
                return True, True
            line.remove(mine)
            return False, True

    def is_urgent(self) -> bool:
        """Whether somebody waits who should not have to. Asked often, and answered without waiting."""
        return bool(self._urgent)

    def release(self) -> None:
        """Hand it to whoever is urgent, or has waited longest."""
        with self._guard:
            if line := self._urgent or self._waiting:
                line.popleft().set()
            else:
                self._free += 1
