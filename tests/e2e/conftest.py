"""A real server (gunicorn, SQLite, demo data) and real phones (Chromium with a profile on disk)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


expect.set_options(timeout=15_000)  # a busy machine is slow, not wrong


@dataclass
class Server:
    """A running system: its address, its demo accounts, and a way to ask its database."""

    url: str
    env: dict[str, str]
    folder: Path

    def flask(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def accounts(self) -> list[dict[str, Any]]:
        return json.loads(self.flask("demo", "accounts", "--json"))

    def account(self, role: str, number: int = 0) -> dict[str, Any]:
        return [a for a in self.accounts if a["role"] == role][number]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, demo_database: Path) -> Iterator[Server]:
    """A server of this test alone, on its own copy of the demo data."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(demo_database, folder / "nuanxun.db")
    port = free_port()
    env = environment(folder / "nuanxun.db")
    log = (folder / "server.log").open("w")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    running = Server(f"http://127.0.0.1:{port}", env, folder)
    wait_for(running.url)
    yield running
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=20)
    log.close()


@pytest.fixture(scope="session")
def demo_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with the small demo in it, made once."""
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    maker = Server("", environment(path), path.parent)
    maker.flask("db", "upgrade")
    maker.flask("demo", "reset", "--small", "--yes")
    return path


def environment(database: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SECRET_KEY": "a secret that only the browser tests know",
        "DATABASE_URL": f"sqlite:///{database}",
        "DEMO": "1",
    }


def wait_for(url: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)  # a process is starting; nothing to await


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def until(page: Page, script: str, argument: Any = None, seconds: float = 20) -> None:
    """Wait until `script` says true. Asked from outside: the page's CSP forbids a waiting eval inside."""
    stop = time.monotonic() + seconds
    while not _says(page, script, argument):
        assert time.monotonic() < stop, f"still not true: {script}"
        page.wait_for_timeout(50)


PIN = "246813"


LOCK_ASKS = "(words) => (document.querySelector('[data-lock=ask]')?.textContent || '').includes(words)"
LOCK_GONE = (
    "() => !document.querySelector('[data-page=unlock]') && 'ready' in document.documentElement.dataset"
)
LOCK_TAKES = "() => Boolean(document.querySelector('[data-page=unlock]:not([hidden]) [data-digit]:enabled'))"


def set_pin(page: Page) -> None:
    """The first sign-in on a phone asks for a new PIN, twice."""
    page.wait_for_url(lambda url: "/unlock" in url)
    press(page, PIN)
    until(page, LOCK_ASKS, "再输一次")
    press(page, PIN)
    until(page, LOCK_GONE)


def unlock(page: Page) -> None:
    """The unlock page stands under whatever address was asked for, and gives way to it."""
    press(page, PIN)
    until(page, LOCK_GONE)


def press(page: Page, digits: str) -> None:
    until(page, LOCK_TAKES)
    for digit in digits:
        page.locator(f'[data-digit="{digit}"]').click()


def _says(page: Page, script: str, argument: Any) -> bool:
    try:
        return bool(page.evaluate(script, argument))
    except Exception as error:
        if "context" in str(error).lower() or "navigat" in str(error).lower():
            return False  # the page was left while it was asked
        raise


class Phone:
    """A browser with its profile on disk, so that it can be closed and opened again."""

    def __init__(self, playwright: Playwright, folder: Path, url: str) -> None:
        self.playwright, self.folder, self.url = playwright, folder, url
        self.context: BrowserContext
        self.page: Page
        self.open()

    def open(self) -> None:
        self.context = self.playwright.chromium.launch_persistent_context(
            str(self.folder),
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            headless=True,
            args=FLAGS,
            viewport=PHONE,  # type: ignore[arg-type]
            has_touch=True,
            is_mobile=True,
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            base_url=self.url,
        )
        self.context.set_default_timeout(15_000)
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()

    def close(self) -> None:
        self.context.close()

    def reopen(self) -> Page:
        """Close the browser and open it again on the same profile."""
        self.close()
        self.open()
        return self.page

    def offline(self, off: bool = True) -> None:
        self.context.set_offline(off)

    def sign_in(self, account: dict[str, Any]) -> None:
        """Sign in and wait until the worker is in charge and the visit pack is on the phone."""
        self.page.goto("/sign-in")
        self.page.fill("#username", account["username"])
        self.page.fill("#password", account["password"])
        self.page.click("#sign-in button[type=submit]")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)
        set_pin(self.page)
        self.wait_for_pack()

    def unlock(self, path: str = "/") -> None:
        """After the browser was started anew: the page that was asked for comes once the PIN was given."""
        self.page.goto(path)
        unlock(self.page)

    def wait_for_pack(self) -> None:
        until(self.page, "() => Boolean(navigator.serviceWorker && navigator.serviceWorker.controller)")
        until(self.page, PACK_IS_HERE)

    def outbox(self) -> list[dict[str, Any]]:
        return self.page.evaluate(READ_OUTBOX)


READ_OUTBOX = """async () => {
  const outbox = await import('/static/js/offline/outbox.js');
  return outbox.all(document.body.dataset.user);
}"""

PACK_IS_HERE = """async () => {
  const pages = await import('/static/js/offline/pages.js');
  const meta = await pages.meta();
  return Boolean(meta && meta.cursor);
}"""


@contextmanager
def phones_for(playwright: Playwright, folder: Path, url: str) -> Iterator[Callable[..., Phone]]:
    """A maker of phones at this address; all are closed at the end."""
    phones: list[Phone] = []

    def another(name: str, address: str = url) -> Phone:
        phones.append(Phone(playwright, folder / name, address))
        return phones[-1]

    yield another
    for each in phones:
        each.close()


@pytest.fixture
def phone(playwright: Playwright, server: Server, tmp_path: Path) -> Iterator[Callable[[str], Phone]]:
    """phone("doctor's") is a new browser."""
    with phones_for(playwright, tmp_path, server.url) as another:
        yield another
