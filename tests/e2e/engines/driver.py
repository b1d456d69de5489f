"""A browser with its profile in a folder. Engines differ in how they start and how one speaks to them."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Error

WEB_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name the standard gives a reference to an element
NOT_YET = (
    "no such element",
    "stale element reference",
    "element not interactable",
    "element click intercepted",
    "move target out of bounds",
)
STARTING = 60.0  # seconds; a busy machine is slow, not broken

# The source of a function, its argument, and a promise turned into an answer. No eval: the CSP forbids it.
CALL = """const done = arguments[arguments.length - 1];
(async (argument) => (%s)(argument))(arguments[0])
  .then((value) => done({ value }), (error) => done({ error: String(error) }));"""

FIND = """([css, text, index]) => {
  const words = (node) => node.textContent.replace(/\\s+/g, ' ').trim();
  const fits = (node) => text === null || words(node).includes(text);
  const all = [...document.querySelectorAll(css)].filter(fits);
  return all.at(index) || null;
}"""

# Bring an element under the thumb, away from bars that stick to the edges, and say whether it holds still:
# a sheet that is sliding up would be tapped beside.
REACH = """(node) => new Promise((done) => {
  node.scrollIntoView({ block: 'center' });
  const place = () => JSON.stringify(node.getBoundingClientRect());
  const before = place();
  requestAnimationFrame(() => requestAnimationFrame(() => done(place() === before && !node.disabled)));
})"""


class DriverError(Error):
    """What the engine refused, by the name WebDriver gives it."""

    name: str = ""  # Playwright's own is a property that nobody can set

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Driver(ABC):
    """One running browser. `open` starts it on a profile, `close` ends it in order, `kill` pulls the plug."""

    process: subprocess.Popen[bytes]

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        profile.mkdir(parents=True, exist_ok=True)

    @classmethod
    def open(cls, profile: Path, url: str) -> Driver:
        browser = cls(profile)
        try:
            browser.start()
            browser.goto(url)
        except Exception:
            with suppress(AttributeError):  # it may not have come far enough to have all its parts
                browser.kill()
            raise
        return browser

    @classmethod
    @abstractmethod
    def lacks(cls) -> list[str]:
        """What this machine would need to run the engine, in words to print."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def command(self, name: str, **parameters: Any) -> Any:
        """One WebDriver command by its name in the standard, e.g. ElementClick(id=...)."""

    @abstractmethod
    def close(self) -> None: ...

    def kill(self) -> None:
        """End the browser as a dying battery does: nothing is flushed, nobody is told."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)

    # -- what a test does -----------------------------------------------------------------------------

    def goto(self, url: str) -> None:
        self.command("Navigate", url=url)

    def reload(self) -> None:
        """As a person reloads. The drivers' own Refresh passes by the worker in Firefox."""
        self.evaluate("() => { window.leaving = true; setTimeout(() => location.reload()); }")
        self.until("() => !window.leaving && document.readyState === 'complete'")

    def url(self) -> str:
        return self.command("GetCurrentURL")

    def evaluate(self, source: str, argument: Any = None) -> Any:
        """Call a function, given as source, in the page. Promises are awaited."""
        answer = self.command("ExecuteAsyncScript", script=CALL % source, args=[argument])
        if answer is None:  # the page went away while it was thinking
            raise DriverError("javascript error", "the page navigated away")
        if "error" in answer:
            raise DriverError("javascript error", answer["error"])
        return answer.get("value")

    def until(self, source: str, argument: Any = None, seconds: float = 20) -> None:
        """Wait until the function says true. A page on its way out cannot answer: the next one is asked."""
        trouble = ""

        def holds() -> bool:
            nonlocal trouble
            try:
                return bool(self.evaluate(source, argument))
            except DriverError as error:
                trouble = str(error)
                return False

        patiently(
            holds, seconds, lambda: f"still not true: {source} {argument or ''} {trouble} {self.seen()}"
        )

    def click(self, css: str, text: str | None = None, index: int = 0) -> None:
        """A real tap, once the element is there, visible and at rest."""
        self.on(css, text, index, lambda node: self.command("ElementClick", id=node))

    def fill(self, css: str, words: str, index: int = 0) -> None:
        """Type over whatever the field holds."""

        def type_over(node: str) -> None:
            self.command("ElementClear", id=node)
            self.command("ElementSendKeys", id=node, text=words)

        self.on(css, None, index, type_over)

    def text(self, css: str) -> str:
        return self.evaluate("(css) => document.querySelector(css).innerText", css)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("TakeScreenshot", full=False)))

    def seen(self) -> str:
        """A picture of what stood there when a test gave up, for whoever reads why."""
        path = self.profile.with_suffix(".png")
        with suppress(DriverError, OSError):
            self.screenshot(path)
        return f"at {path}"

    def on(self, css: str, text: str | None, index: int, work: Callable[[str], None]) -> None:
        """Do something to an element; again, while it is not there or not ready."""
        trouble = "not there"

        def done() -> bool:
            nonlocal trouble
            try:
                found = self.evaluate(FIND, [css, text, index])
                if found is None or not self.evaluate(REACH, found):
                    return False
                work(found[WEB_ELEMENT])
                return True
            except DriverError as error:
                if error.name not in NOT_YET:
                    raise
                trouble = str(error)
                return False

        patiently(done, 15, lambda: f"{css} {text or ''}: {trouble} {self.seen()}")


def patiently(holds: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
    stop = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < stop, complaint()
        time.sleep(0.05)  # another process works; it has no way to call us


def excused(engine: type[Driver]) -> str:
    """Why a test may be left out here, or nothing. Root on Debian has no excuse: it can install it."""
    lacks = engine.lacks()
    if not lacks or (os.geteuid() == 0 and on_debian()):
        return ""
    return f"{engine.__name__}: no {', no '.join(lacks)} here; tools/engines.sh says how to get it"


def on_debian() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and "\nID=debian\n" in "\n" + release.read_text()


def which(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)
