"""As much of Playwright's Page, Locator and expect as the rounds use, over any Driver.

`expect` takes either kind, so that one helper in `rounds.py` fills a form in Chromium, Firefox and WebKit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from playwright.sync_api import expect as playwrights_expect

from tests.e2e.engines.driver import Driver, DriverError, patiently

ABOUT = """([css, text, index]) => {
  const plain = (words) => words.replace(/\\s+/g, ' ').trim();
  const fits = (node) => !text || plain(node.textContent).includes(text);
  const all = [...document.querySelectorAll(css)].filter(fits);
  const node = all.at(index);
  if (!node) return { count: all.length };
  const box = node.getBoundingClientRect();
  return {
    count: all.length,
    text: plain(node.textContent),
    shown: box.width > 0 && box.height > 0 && node.checkVisibility({ visibilityProperty: true }),
    attributes: Object.fromEntries([...node.attributes].map((each) => [each.name, each.value])),
  };
}"""


class Page:
    def __init__(self, driver: Driver, base: str) -> None:
        self.driver, self.base = driver, base
        self.evaluate = driver.evaluate
        self.fill = driver.fill
        self.click = driver.click
        self.reload = driver.reload
        self.inner_text = driver.text

    @property
    def url(self) -> str:
        return self.driver.url()

    def goto(self, path: str) -> None:
        self.driver.goto(self.base + path)

    def wait_for_url(self, good: Callable[[str], bool]) -> None:
        patiently(lambda: good(self.url), 20, lambda: f"still at {self.url}")

    @staticmethod
    def wait_for_timeout(milliseconds: float) -> None:
        time.sleep(milliseconds / 1000)

    def locator(self, css: str, has_text: str | None = None) -> Locator:
        return Locator(self.driver, css, has_text)


@dataclass(frozen=True)
class Locator:
    """Which element is meant; looked up anew each time. Of several it means the first."""

    driver: Driver
    css: str
    has_text: str | None = None
    index: int = 0

    @property
    def first(self) -> Locator:
        return self

    def nth(self, index: int) -> Locator:
        return replace(self, index=index)

    def about(self) -> dict[str, Any]:
        return self.driver.evaluate(ABOUT, [self.css, self.has_text, self.index])

    def click(self) -> None:
        self.driver.click(self.css, self.has_text, self.index)

    def fill(self, words: str) -> None:
        self.driver.fill(self.css, words, self.index)

    def count(self) -> int:
        return self.about()["count"]

    def is_visible(self) -> bool:
        return self.about().get("shown", False)

    def inner_text(self) -> str:
        return self.about()["text"]

    def get_attribute(self, name: str) -> str | None:
        return self.about().get("attributes", {}).get(name)

    def wait_for(self) -> None:
        expect(self).to_be_visible()


@dataclass(frozen=True)
class Expectation:
    it: Locator

    def to_contain_text(self, words: str, timeout: float = 15_000) -> None:
        self.wait(lambda seen: words in seen.get("text", ""), f"contains {words}", timeout)

    def not_to_contain_text(self, words: str, timeout: float = 15_000) -> None:
        self.wait(lambda seen: words not in seen.get("text", words), f"lacks {words}", timeout)

    def to_have_text(self, words: str) -> None:
        self.wait(lambda seen: seen.get("text") == words, f"is {words}")

    def to_have_attribute(self, name: str, value: str) -> None:
        self.wait(lambda seen: seen.get("attributes", {}).get(name) == value, f"has {name}={value}")

    def to_be_attached(self) -> None:
        self.wait(lambda seen: "text" in seen, "is there")

    def to_be_visible(self) -> None:
        self.wait(lambda seen: seen.get("shown", False), "is visible")

    def wait(self, good: Callable[[dict[str, Any]], bool], wish: str, timeout: float = 15_000) -> None:
        seen: dict[str, Any] = {}

        def holds() -> bool:
            try:
                seen.clear()
                seen.update(self.it.about())
            except DriverError as error:  # between two pages
                seen["trouble"] = str(error)
            return good(seen)

        def complaint() -> str:
            it = self.it
            return f"never {wish}: {it.css} {it.has_text or ''} {str(seen)[:400]} {it.driver.seen()}"

        patiently(holds, timeout / 1000, complaint)


def expect(it: Any) -> Any:
    return Expectation(it) if isinstance(it, Locator) else playwrights_expect(it)
