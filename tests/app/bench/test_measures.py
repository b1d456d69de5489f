"""Every measure goes through, in the smallest size. What it measured is nobody's business here.

But for one push, servers are threads of this process: starting gunicorn takes longer than all the rest.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from bench import bare, link, measure, phones, table
from bench.__main__ import run
from bench.grounds import Grounds
from bench.measure import Options, Row
from bench.phones import database
from tests.faults.server import SECRET

BROWSER = {"first_load", "save", "offline_open"}  # seen through by the browser tests
STATE = {"load": 1.5, "at": "2026-01-02 03:04"}


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_args: Any) -> None: ...


@contextmanager
def answering(app: Any) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(url: str, _folder: Path, _workers: int = 2) -> Iterator[Any]:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with answering(app) as port:
        yield SimpleNamespace(
            port=port, process=SimpleNamespace(pid=os.getpid()), worker_pids=lambda: [os.getpid()]
        )
    with database(url):
        pass  # leaves nothing open


@contextmanager
def served(*, file: Path | None = None, workers: int = 2) -> Iterator[int]:
    with answering(bare.bare(file)) as port:
        yield port


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    found = Grounds(tmp_path_factory.mktemp("grounds"), quick=True)
    yield found
    found.close()


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "serving", serving)
    monkeypatch.setattr(bare, "served", served)
    monkeypatch.setattr(link, "WEAK", link.Kind(0.01, 8e6, 8e6))


def rows(name: str, grounds: Grounds, folder: Path, **settings: str) -> list[Row]:
    options = Options(grounds, quick=True, settings=settings)
    return [row for row, _state in run(name, folder, options)]


@pytest.mark.parametrize("name", [name for name in measure.names() if name not in BROWSER])
def test_every_measure_goes_through(name: str, grounds: Grounds, tmp_path: Path, near: None) -> None:
    assert "sqlite" in measure.databases_of(measure.find(name))
    found = rows(name, grounds, tmp_path)
    assert found
    for row in found:
        assert row.figures, row.case
        assert table.line(name, "sqlite", row, STATE).count("|") == len(table.COLUMNS) + 1
    assert not any(tmp_path.iterdir()), "a measure leaves nothing behind"


def test_a_swarm_meets_the_real_server_and_loses_nothing(grounds: Grounds, tmp_path: Path) -> None:
    [row] = rows("push", grounds, tmp_path)
    assert row.figures["records"] == 12
    assert row.figures["server_cpu_s"] > 0


def test_what_was_not_stored_is_no_figure(
    grounds: Grounds, tmp_path: Path, near: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(_ops: Any, *_more: Any) -> list[bytes]:
        return []

    monkeypatch.setattr(phones, "bodies", lose)
    with pytest.raises(AssertionError, match="not answered for"):
        rows("push", grounds, tmp_path)


def test_the_weak_line_is_as_slow_as_it_says(grounds: Grounds) -> None:
    """Not faster: how much slower it may be is the machine's affair."""
    kind = link.Kind(rtt_s=0.1, down_bits_per_s=8 * 40_000, up_bits_per_s=8e6)
    with answering(bare.bare(None)) as port, link.weak(port, kind) as line:
        began = time.monotonic()
        answer = phones.Caller(line.port).ask("GET", "/page?bytes=8000")
        took = time.monotonic() - began
    assert answer.status == 200
    assert line.received > len(answer.raw) > 6000
    assert took >= 0.2 + len(answer.raw) / 40_000, (
        "a handshake, a round trip, and the bytes one after another"
    )


def test_the_table_keeps_other_rows_and_replaces_its_own(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{table.BEGIN}\n{table.END}\nafter\n")
    write: Callable[[str, int], None] = lambda name, value: table.write(  # noqa: E731
        [table.line(name, "sqlite", Row("one", {"seconds": value}), STATE)], page
    )
    write("push", 1)
    write("pack", 2)
    write("push", 3)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert text.count("| push |") == 1 and "seconds 3" in text and "| pack |" in text
    assert text.count("| measure |") == 1


def test_units_are_told_after_the_figure() -> None:
    said = table.words({"records_per_s": 78.12, "p50_ms": 3, "wire_bytes": 12345, "left": None})
    assert said == "records/s 78.12, p50 3 ms, wire 12,345 bytes"
