"""The process that serves: gunicorn's threaded worker, which takes on no more than it can begin with."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# How long a thread may keep others waiting. Each statement of a push under the write lock could cost it the
# usual 5 ms of Python, when others of its process have something to work out.
SWITCH_S = 0.0005
# Objects made before the garbage collector looks for cycles: a push makes thousands, and hardly any cycle.
GARBAGE = (20_000, 20, 100)


class Worker(ThreadWorker):
    """Whoever wakes first would accept all connections of a crowd and keep them, while others are idle."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._busy = 0
        super().__init__(*args, **kwargs)

    @property
    def worker_connections(self) -> int:
        """None more while every thread has something to do; gunicorn asks at each turn of its loop."""
        return self._most if self._busy < self.cfg.threads else 0

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most = most

    def enqueue_req(self, conn: TConn) -> None:
        self._busy += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        self._busy -= 1
        super().finish_request(conn, fs)


def settle_in() -> None:
    """In a worker that is about to serve: what has been loaded stays, and need not be looked at again."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.set_threshold(*GARBAGE)
