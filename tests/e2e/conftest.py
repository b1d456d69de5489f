"""Fixtures of the browser tests: a server of a test's own, and phones."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, expect

from tests.e2e.gate import Gate
from tests.e2e.world import Phone, Server, environment, make_demo, phones_for, serving

expect.set_options(timeout=15_000)  # a busy machine is slow, not wrong


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, demo_database: Path, demo_accounts: list[dict[str, Any]]
) -> Iterator[Server]:
    """A server of this test alone, on its own copy of the demo data."""
    yield from _serving_a_copy(tmp_path_factory, demo_database, demo_accounts)


@pytest.fixture(scope="module")
def file_server(
    tmp_path_factory: pytest.TempPathFactory, demo_database: Path, demo_accounts: list[dict[str, Any]]
) -> Iterator[Server]:
    """A server for all tests of a file."""
    yield from _serving_a_copy(tmp_path_factory, demo_database, demo_accounts)


def _serving_a_copy(
    folders: pytest.TempPathFactory, database: Path, accounts: list[dict[str, Any]]
) -> Iterator[Server]:
    folder = folders.mktemp("server")
    shutil.copy(database, folder / "nuanxun.db")
    with serving(folder) as running:
        running.accounts = deepcopy(accounts)  # the same in every copy
        yield running


@pytest.fixture(scope="session")
def demo_database(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A migrated SQLite file with the small demo in it, made once for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "demo"
    folder.mkdir(exist_ok=True)
    made = folder / "demo.db"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make_demo(folder / "growing.db").rename(made)
    return made


@pytest.fixture(scope="session")
def demo_accounts(demo_database: Path) -> list[dict[str, Any]]:
    """Who may sign in to the demo, as the command of the house tells it."""
    return Server("", environment(demo_database), demo_database.parent).accounts


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    standing = Gate(server.url)
    yield standing
    standing.open()
    standing.close()


@pytest.fixture
def through(gate: Gate, playwright: Playwright, tmp_path: Path) -> Iterator[Callable[[str], Phone]]:
    """through("name") is a phone whose every request passes the gate."""
    with phones_for(playwright, tmp_path, gate.url) as another:
        yield another


@pytest.fixture
def phone(playwright: Playwright, server: Server, tmp_path: Path) -> Iterator[Callable[[str], Phone]]:
    """phone("doctor's") is a new browser."""
    with phones_for(playwright, tmp_path, server.url) as another:
        yield another


# Each of these drives phones for minutes. `make e2e` runs them; the suite keeps to ten minutes without them.
LONG = {
    "test_accounts", "test_bad_lines", "test_canaries", "test_care", "test_carried", "test_devices",
    "test_lock", "test_locked", "test_lost_phone", "test_readlog", "test_sending", "test_shared_phone",
    "test_storms", "test_typed",
}  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = [item for item in items if item.path.stem in LONG and item.path.parent.name == "e2e"]
    if config.getoption("--long"):
        for item in long:
            item.add_marker(pytest.mark.timeout(3600))
    elif long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
