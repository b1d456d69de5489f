"""The process that serves: gunicorn's threaded worker, which leaves connections to whoever is idle."""

from __future__ import annotations

import gc
import socket
import sys
import time
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# How long a thread may keep others waiting. Each statement of a push under the write lock could cost it the
# usual 5 ms of Python, when others of its process have something to work out.
SWITCH_S = 0.0005
# Objects made before the garbage collector looks for cycles: a push makes thousands, and hardly any cycle.
GARBAGE = (20_000, 20, 100)


BREATH_S = 0.02
GLANCE_S = 0.005  # long enough for a process that waits to wake up and accept


class Worker(ThreadWorker):
    """Whoever wakes first would accept all connections of a crowd and keep them, while others are idle.

    So a worker that has something to do takes a breath after each connection it accepts, a longer one when
    all its threads have: one that is idle is then quicker. Otherwise a phone that sends on several
    connections would often find one process at work and one idle. It does not stop: who keeps a connection
    would go before who waits for one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._busy, self._accepted_at = 0, 0.0
        super().__init__(*args, **kwargs)

    @property
    def worker_connections(self) -> int:
        """How many it may hold now; gunicorn asks at each turn of its loop."""
        breath = BREATH_S if self._busy >= self.cfg.threads else GLANCE_S if self._busy else 0
        return 0 if time.monotonic() < self._accepted_at + breath else self._most

    @worker_connections.setter
    def worker_connections(self, most: int) -> None:
        self._most = most

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(timeout if self._accepting else min(timeout, GLANCE_S))

    def accept(self, listener: socket.socket) -> None:
        self._accepted_at = time.monotonic()
        super().accept(listener)

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
