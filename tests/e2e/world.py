"""A real server (gunicorn, SQLite, demo data) and real phones (Chromium with a profile on disk).

Plain functions and classes: the fixtures of conftest.py and the storms run by hand use the same ones.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@dataclass
class Server:
    """A running system: its address, its demo accounts, and a way to ask its database.

    `tree` is the checkout it runs from: ours, or an older build unpacked elsewhere.
    """

    url: str
    env: dict[str, str]
    folder: Path
    tree: Path = ROOT

    def flask(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        done = subprocess.run(
            command, cwd=self.tree, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @cached_property
    def accounts(self) -> list[dict[str, Any]]:
        return json.loads(self.flask("demo", "accounts", "--json"))

    def account(self, role: str, number: int = 0) -> dict[str, Any]:
        return [a for a in self.accounts if a["role"] == role][number]

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Straight from the file, past the program that is being judged."""
        with self._file() as file:
            return file.execute(sql, values).fetchall()

    def change(self, sql: str, *values: Any) -> int:
        """What an operator or the passing of time would do. Returns how many rows it touched."""
        with self._file() as file:
            return file.execute(sql, values).rowcount

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        file = sqlite3.connect(self.folder / "nuanxun.db", timeout=20)
        try:
            with file:
                yield file
        finally:
            file.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, tree: Path = ROOT, port: int = 0) -> Iterator[Server]:
    """Serve `folder`/nuanxun.db with the program in `tree` until the block ends."""
    port = port or free_port()
    env = environment(folder / "nuanxun.db")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--port", str(port), "--workers", "1"]
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=tree, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        running = Server(f"http://127.0.0.1:{port}", env, folder, tree)
        wait_for(running.url)
        yield running
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def make_demo(path: Path, tree: Path = ROOT, *, small: bool = True) -> Path:
    """A migrated SQLite file with the demo in it, made by the program in `tree`."""
    maker = Server("", environment(path), path.parent, tree)
    maker.flask("db", "upgrade")
    maker.flask("demo", "reset", *(["--small"] if small else []), "--yes")
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


def until(page: Page, script: str, argument: Any = None, seconds: float = 20) -> None:
    """Wait until `script` says true. Asked from outside: the page's CSP forbids a waiting eval inside."""
    stop = time.monotonic() + seconds
    while not _says(page, script, argument):
        assert time.monotonic() < stop, f"still not true: {script}"
        page.wait_for_timeout(50)


def _says(page: Page, script: str, argument: Any) -> bool:
    try:
        return bool(page.evaluate(script, argument))
    except Error as error:
        if "context was destroyed" not in str(error) and "navigat" not in str(error):
            raise
        return False  # the page is just leaving


PIN = "246813"
LOCK_ASKS = "(words) => (document.querySelector('[data-lock=ask]')?.textContent || '').includes(words)"
LOCK_GONE = "() => Boolean(document.querySelector('html[data-ready]:not(:has([data-page=unlock]))'))"
LOCK_TAKES = "() => Boolean(document.querySelector('[data-page=unlock]:not([hidden]) [data-digit]:enabled'))"
# What a person meets on coming to a page: the page, or the lock in its place.
READY_OR_LOCKED = (
    "() => Boolean(document.querySelector('html[data-ready]:not(:has([data-page=unlock][hidden]))'))"
)


LOCKED = "() => Boolean(document.querySelector('[data-page=unlock]'))"


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


def pass_lock(page: Page) -> None:
    """Past the lock, whether a PIN is to be set, to be given, or nothing at all."""
    until(page, READY_OR_LOCKED)
    if page.evaluate(LOCKED):
        until(page, LOCK_TAKES)
        first = page.evaluate(LOCK_ASKS, "设一个")
        (set_pin if first else unlock)(page)


class Phone:
    """A browser with its profile on disk, so that it can be closed or killed, and opened again."""

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

    def browser_pid(self) -> int:
        """The browser's own process, which leads a process group of its own."""
        wanted = f"--user-data-dir={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # gone meanwhile
            if wanted in words and not any(word.startswith(b"--type=") for word in words):
                pid = int(entry.name)
                if os.getpgid(pid) == pid:
                    return pid
        raise AssertionError(f"no browser runs on {self.folder}")

    def kill(self, pid: int | None = None) -> None:
        """SIGKILL for every process of the browser, as when the system or the battery ends it."""
        group = pid or self.browser_pid()
        os.killpg(group, signal.SIGKILL)
        self.gone(group)

    def gone(self, group: int) -> None:
        """Wait until a killed browser is no more, so that its profile may be opened again."""
        stop = time.monotonic() + 20
        while _alive(group):
            assert time.monotonic() < stop, f"process group {group} outlives SIGKILL"
            time.sleep(0.01)  # another process is dying; nothing to await
        with suppress(Error):  # it went with its browser
            self.context.close()

    def offline(self, off: bool = True) -> None:
        self.context.set_offline(off)

    def sign_in(self, account: dict[str, Any]) -> None:
        """Sign in and wait until the worker is in charge and the visit pack is on the phone."""
        self.page.goto("/sign-in")
        until(self.page, READY_OR_LOCKED)  # before that the form does not know this browser's name
        self.page.fill("#username", account["username"])
        self.page.fill("#password", account["password"])
        self.page.click("#sign-in button[type=submit]")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)
        pass_lock(self.page)  # there is none in the first release
        self.wait_for_pack(account["id"])

    def unlock(self, path: str = "/") -> None:
        """After the browser was started anew: the page that was asked for comes once the PIN was given."""
        self.page.goto(path)
        unlock(self.page)

    def wake(self, path: str = "/outbox") -> None:
        """Go to a page of somebody signed in, after the browser was opened again."""
        self.page.goto(path)
        pass_lock(self.page)

    def rest(self) -> None:
        """Close and open once. Chromium writes cookies down every 30 s: a kill before that would sign the
        person out as well, and that is another story."""
        self.close()
        self.open()
        self.wake()

    def wait_for_pack(self, user_id: str | None = None) -> None:
        until(self.page, "() => Boolean(navigator.serviceWorker && navigator.serviceWorker.controller)")
        until(self.page, PACK_IS_HERE, user_id)
        until(self.page, SHELL_IS_HERE, seconds=60)

    def background_sync(self) -> None:
        """The browser wakes the worker because the line is back."""
        session = self.context.new_cdp_session(self.page)
        known: list[dict[str, Any]] = []
        session.on("ServiceWorker.workerRegistrationUpdated", lambda e: known.extend(e["registrations"]))
        session.send("ServiceWorker.enable")
        for _ in range(100):
            if known:
                break
            self.page.wait_for_timeout(50)
        event = {"registrationId": known[0]["registrationId"], "tag": "push", "lastChance": True}
        session.send("ServiceWorker.dispatchSyncEvent", {"origin": self.url, **event})

    def outbox(self) -> list[dict[str, Any]]:
        return self.page.evaluate(READ_OUTBOX)


def _alive(group: int) -> bool:
    """Does any process of this group still run? One that nobody has buried yet does not."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX" and int(fields[2]) == group:
            return True
    return False


READ_OUTBOX = """async () => {
  const outbox = await import('/static/js/offline/outbox.js');
  return outbox.all(document.body.dataset.user);
}"""

PACK_IS_HERE = """async (user) => {
  const pages = await import('/static/js/offline/pages.js');
  const meta = await pages.meta();
  return Boolean(meta && meta.cursor && (!user || meta.user === user));
}"""


# Every file that the worker names as ours: only then may the line go.
SHELL_IS_HERE = """async () => {
  const text = async (path) => (await fetch(path)).text();
  const known = (await text('/sw.js')).match(/^const \\$_sw_precache=(.*);$/m);
  const names = await caches.keys();
  const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  const have = new Set(kept.flat().map((request) => new URL(request.url).pathname));
  // A file of its own in earlier releases.
  const shell = JSON.parse(known?.[1] || (await text('/sw/precache.js')).match(/SHELL = (.*);/)[1]);
  const paths = Array.isArray(shell) ? shell : Object.keys(shell.SHELL || shell); // a list in the first
  return paths.every((path) => have.has(path));
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
