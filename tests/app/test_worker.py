"""A crowd of connections is shared out among the workers."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.drive import _migrate
from tests.faults.server import PAUSE_S, Server

THREADS = 4  # of `flask serve`
UNFINISHED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path / 'workers.db'}"
    _migrate(url)
    server = Server(url, tmp_path / "server.log")
    server.start()
    yield server
    server.kill()


def connections_of(pid: int, port: int) -> int:
    """Established connections to `port` that this process holds."""
    mine = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        link = os.readlink(entry)
        if link.startswith("socket:["):
            mine.add(link[8:-1])
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for f in lines if f[1].endswith(f":{port:04X}") and f[3] == "01" and f[9] in mine)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="asks Linux who holds which connection")
def test_no_worker_takes_more_connections_than_it_can_begin_with(server: Server) -> None:
    phones = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(2 * THREADS)]
    for phone in phones:
        phone.sendall(UNFINISHED)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        held = [connections_of(pid, server.port) for pid in server.worker_pids()]
        if sum(held) == len(phones):
            break
        time.sleep(PAUSE_S)
    assert held == [THREADS, THREADS]
    for phone in phones:
        phone.sendall(b"\r\n")
        assert phone.recv(12) == b"HTTP/1.1 200"
        phone.close()
