"""One build of the program gives way to another on a phone where records wait and a form is half typed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import rounds
from tests.e2e.storms.book import Book
from tests.e2e.storms.ground import Ground, add, patients_on, save_visit
from tests.e2e.storms.halftyped import HERE, STILL_HERE, HalfTyped
from tests.e2e.world import Phone, Server, serving, until

PENDING = 50
BY_HAND = 2
ASKED = "() => document.querySelector('#notice-update button')?.textContent.trim() === '更新'"
STILL_MS = 1000
PRESS_MS = 300  # a kill at the press comes within
SHELLS = "async () => (await caches.keys()).filter((name) => name.startsWith('shell-'))"
REPLACED = """async (shell) => {
  const shells = (await caches.keys()).filter((name) => name.startsWith('shell-'));
  return Boolean(navigator.serviceWorker.controller) && shells.length === 1 && shells[0] !== shell;
}"""


@dataclass
class Replacing:
    """One phone of the old build, with what was recorded and typed on it."""

    ground: Ground
    phone: Phone
    book: Book
    draw: random.Random
    mark: str
    half: HalfTyped
    shell: str

    def offer(self) -> None:
        """The new build answers; nothing moves until the person says so, in this tab or in others."""
        page = self.phone.page
        page.goto("/today")
        rounds.ready(page)
        page.evaluate(HERE)
        until(page, ASKED, seconds=60)
        other = self.phone.context.new_page()
        patient = patients_on(page)[0]
        for path in ("/outbox", f"/patients/{patient}", "/visits/new/adl"):
            answer = other.goto(path)
            if not answer or answer.status != 200 or not other.locator("#main").inner_text().strip():
                self.blame(f"{path} does not open while a new version waits")
        other.close()
        page.wait_for_timeout(STILL_MS)
        if not page.evaluate(STILL_HERE):
            self.blame("the page was loaded again under somebody's hands")
        self.half.must_stand(self.book)
        self.book.look(page)

    def press(self) -> None:
        with self.phone.page.expect_navigation():
            self.phone.page.click("#notice-update button")

    def press_and_die(self) -> None:
        self.phone.page.click("#notice-update button")
        self.phone.page.wait_for_timeout(self.draw.uniform(0, PRESS_MS))
        self.phone.kill()
        self.phone.open()
        self.book.figures.more("killed at the press")

    def settle(self) -> None:
        """The new build is in charge, and everything is still there."""
        self.phone.wake()
        until(self.phone.page, REPLACED, self.shell, seconds=60)
        self.phone.wake()
        self.book.look(self.phone.page)

    def type_on_and_reload(self) -> None:
        """The other tab still runs the old build: it stands until its person wants the new one."""
        self.half.must_stand(self.book)
        self.half.type("慢慢的")
        self.half.reload(self.book)

    def send(self) -> None:
        self.ground.gate.at_push = None
        self.book.send_all(self.phone.page)

    def blame(self, words: str) -> None:
        self.book.figures.blame("wrong_states", words)


@contextmanager
def new_build(ground: Ground, folder: Path) -> Iterator[Server]:
    """In the place of the old one. Pushes do not get through at first, so that all of it still waits when the
    new one takes over."""
    with serving(folder) as new:
        ground.gate.point_to(new.url)
        ground.gate.at_push = lambda _stage: True
        ground.gate.open()
        yield new


def prepare(ground: Ground, phone: Phone, book: Book, draw: random.Random, mark: str) -> Replacing:
    """Fifty visits without a line, a few of them by hand, and one only begun."""
    page = phone.page
    people = patients_on(page)
    marks = [f"{mark} {k}" for k in range(PENDING)]
    ground.gate.turn("shut")
    for by_hand in marks[:BY_HAND]:
        save_visit(page, draw.choice(people), by_hand)
    add(page, draw.choice(people), marks[BY_HAND:])
    book.promise(*marks)
    book.look(page)
    half = HalfTyped(phone, draw.choice(people), mark)
    [shell] = page.evaluate(SHELLS)
    return Replacing(ground, phone, book, draw, mark, half, shell)
