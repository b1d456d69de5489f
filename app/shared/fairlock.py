"""A lock between threads that is handed on in the order of asking.

`threading.Lock` is not: a thread that releases it and asks again gets it before those who wait.
"""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, timeout_s: float) -> tuple[bool, bool]:
        """(whether it was got within the time, whether it had to be waited for)."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True, False
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout_s):
            return True, True
        with self._guard:
            if mine.is_set():  # handed over in the last moment
                return True, True
            self._waiting.remove(mine)
            return False, True

    def release(self) -> None:
        """Hand it to whoever has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
