"""The first release, with fifty records waiting, is replaced by the present program at the same address."""

from __future__ import annotations

import random
import shutil
from contextlib import nullcontext
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e import rounds
from tests.e2e.builds import unpack
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, add, patients_on, save_visit
from tests.e2e.world import Phone, Server, environment, make_demo, serving, until

PENDING = 50
BY_HAND = 2
ASKED = "() => Boolean(document.getElementById('notice-update'))"
STAY = "() => { window.stillHere = true; }"
STAYED = "() => window.stillHere === true"
STILL_MS = 1000
SHELLS = "async () => (await caches.keys()).filter((name) => name.startsWith('shell-'))"
REPLACED = """async (shell) => {
  const shells = (await caches.keys()).filter((name) => name.startsWith('shell-'));
  return Boolean(navigator.serviceWorker.controller) && shells.length === 1 && shells[0] !== shell;
}"""
KILLED_EVERY = 4  # in one round of so many the browser is killed once 更新 is pressed


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Each round is a new phone of the old build, with a database that is upgraded as an operator does it."""
    draw = random.Random(seed)
    figures = Figures("updates", rounds=count)
    tree = unpack("first", ground.folder / "first")
    demo = make_demo(_new(ground.folder / "first-demo") / "nuanxun.db", tree)
    account = Server("", environment(demo), demo.parent, tree).account("doctor")
    for n in range(count):
        folder = _new(ground.folder / f"update-{n}")
        shutil.copy(demo, folder / "nuanxun.db")
        phone = ground.phone(f"updates-{seed}-{n}")
        with serving(folder, tree) as old:
            ground.gate.point_to(old.url)
            ground.gate.open()
            phone.sign_in(account)
            killed = n % KILLED_EVERY == KILLED_EVERY - 1
            if killed:
                phone.rest()
            book = Book(Figures("one update"), old, account["id"])
            _record(ground, phone.page, book, f"updates {seed} {n}", draw)
        _update(ground, phone, book, folder, draw, killed=killed)
        figures.absorb(book.close())
        phone.close()
    ground.gate.point_to(ground.server.url)
    return figures


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _record(ground: Ground, page: Page, book: Book, mark: str, draw: random.Random) -> None:
    """Fifty visits without a line, a few of them by hand."""
    people = patients_on(page)
    marks = [f"{mark} {k}" for k in range(PENDING)]
    ground.gate.turn("shut")
    for by_hand in marks[:BY_HAND]:
        save_visit(page, draw.choice(people), by_hand)
    add(page, draw.choice(people), marks[BY_HAND:])
    book.promise(*marks)
    book.look(page)


def _update(
    ground: Ground, phone: Phone, book: Book, folder: Path, draw: random.Random, *, killed: bool
) -> None:
    Server("", environment(folder / "nuanxun.db"), folder).flask("db", "upgrade")
    with serving(folder) as new:
        ground.gate.point_to(new.url)
        ground.gate.at_push = lambda _stage: True  # so that all of it still waits when the new one takes over
        ground.gate.open()
        phone.page.goto("/today")
        rounds.ready(phone.page)
        [shell] = phone.page.evaluate(SHELLS)
        phone.page.evaluate(STAY)
        until(phone.page, ASKED, seconds=60)
        _nothing_moves(phone, book)
        with phone.page.expect_navigation() if not killed else nullcontext():
            phone.page.click("#notice-update button")
        if killed:
            phone.page.wait_for_timeout(draw.uniform(0, 300))
            phone.kill()
            phone.open()
            phone.wake()
            book.figures.more("killed as well")
        until(phone.page, REPLACED, shell, seconds=60)
        phone.wake()
        book.look(phone.page)
        ground.gate.at_push = None
        book.send_all(phone.page)


def _nothing_moves(phone: Phone, book: Book) -> None:
    """Until the person says so the old program goes on, in this tab and in others."""
    other = phone.context.new_page()
    patient = patients_on(phone.page)[0]
    for path in ("/outbox", f"/patients/{patient}", "/visits/new/adl"):
        answer = other.goto(path)
        if not answer or answer.status != 200 or not other.locator("#main").inner_text().strip():
            book.figures.blame("wrong_states", f"{path} does not open while a new version waits")
    other.close()
    phone.page.wait_for_timeout(STILL_MS)
    if not phone.page.evaluate(STAYED):
        book.figures.blame("wrong_states", "the page was loaded again under somebody's hands")
    book.look(phone.page)
