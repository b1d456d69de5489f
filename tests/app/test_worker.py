"""A worker that is at work leaves new connections to one that is idle, for a moment."""

from __future__ import annotations

import socket
from concurrent.futures import Future
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from app import worker
from app.worker import BREATH_S, GLANCE_S, Worker

THREADS, MOST = 2, 100


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: at[0])
    return at


@pytest.fixture
def accepting(clock: list[float]) -> Any:
    """A worker on a real socket; what it accepts waits in its pool until `finish` is called."""
    settings = Config()
    settings.set("threads", THREADS)
    settings.set("worker_connections", MOST)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Worker(1, 1, [listener], None, 30, settings, None)
        made.begun = []
        made.tpool = type(
            "Pool", (), {"submit": lambda _self, _do, conn: made.begun.append(conn) or Future()}
        )()
        yield made, listener
        for conn in made.begun:
            conn.close()
        made.tmp.close()


def call(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=10)


def test_it_waits_a_moment_while_it_is_at_work_and_longer_while_every_thread_is(accepting, clock) -> None:
    made, listener = accepting
    assert made.worker_connections == MOST
    phones = []
    for _ in range(THREADS):
        clock[0] += GLANCE_S
        assert made.worker_connections == MOST, "a thread is free: not for long"
        phones.append(call(listener))
        made.accept(listener)
        assert made.worker_connections == 0
    clock[0] += GLANCE_S
    assert made.worker_connections == 0
    clock[0] += BREATH_S
    assert made.worker_connections == MOST, "nobody waits for ever"
    phones.append(call(listener))
    made.accept(listener)
    assert made.worker_connections == 0
    for conn in made.begun[:2]:
        _finish(made, conn)
    clock[0] += GLANCE_S
    assert made.worker_connections == MOST, "a thread is free again"
    for phone in phones:
        phone.close()


def _finish(made: Worker, conn: TConn) -> None:
    done: Future[Any] = Future()
    done.set_result(False)
    made.finish_request(conn, done)
