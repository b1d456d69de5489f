"""The browser is killed around saving, sending and unlocking; the same profile is opened again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error

from tests.e2e.engines.driver import patiently
from tests.e2e.storms.book import Book, mark_of
from tests.e2e.storms.drafts import typed_and_killed
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import (
    Ground,
    fill_form,
    open_form,
    patients_on,
    press_send,
    save_visit,
    strip,
)
from tests.e2e.world import LOCK_TAKES, PIN, Phone, press, unlock, until

# rested: some seconds after the last letter. typing: among the letters, before anything was saved. click:
# from just before the press to well after. said: once the screen said it. came: the push is on its way. done:
# the server has it, the phone has not heard. unlocking: from the last digit of the PIN to well after.
MOMENTS = ("rested", "came", "said", "click", "unlocking", "typing", "done")
AFTER_CLICK_S = 0.4
RESTED_S = (3, 6)  # a draft is on the disk by then, all of it
MOST_LOST_S = 5.0  # of typed text; or a single field
AFTER_PIN_S = 1.5
LEFT_LOCKED = 0.4  # so often nobody gives the PIN at first, where something waits
UPLOADED_S = 90  # behind the lock: a held record's ten seconds, the next minute's turn, a busy machine
NONE_HERE_ONLY = "() => !document.querySelector('#strip .strip-words').textContent.includes('仅在本机')"


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Kill `count` times. The line is open or shut at random, so that sending goes on in some rounds."""
    draw = random.Random(seed)
    figures = Figures("kills", rounds=count)
    phone = ground.phone(f"kills-{seed}")
    account = ground.server.account("doctor")
    phone.sign_in(account)
    people = patients_on(phone.page)
    phone.rest()
    book = Book(figures, ground.server, account["id"])
    order = [MOMENTS[n % len(MOMENTS)] for n in range(count)]
    draw.shuffle(order)
    for n, moment in enumerate(order):
        mark = f"kills {seed} {n}"
        ground.gate.turn(draw.choice(("open", "shut")))
        ROUNDS[moment](ground, phone, book, draw, people[n % len(people)], mark)
        figures.more(f"at {moment}")
        ground.gate.at_push = None
        ground.gate.turn(draw.choice(("open", "shut")))
        phone.open()
        first = not figures.also.get("uploaded behind the lock")
        if book.unsent() and (first or draw.random() < LEFT_LOCKED):
            _left_locked(ground, phone, book)
        phone.wake()
        book.look(phone.page)
    ground.gate.open()
    book.send_all(phone.page)
    return book.close()


def _left_locked(ground: Ground, phone: Phone, book: Book) -> None:
    """Nobody gives the PIN. With a line, what was sealed goes all the same; then its receipts are there."""
    ground.gate.open()
    phone.page.goto("/outbox")
    until(phone.page, LOCK_TAKES)
    waited = book.unsent()
    try:
        patiently(lambda: not book.unsent(), UPLOADED_S, lambda: f"not uploaded: {book.unsent()}")
        until(phone.page, NONE_HERE_ONLY)
    except AssertionError as error:
        book.figures.blame("wrong_states", f"behind the lock: {error}, the strip says {strip(phone.page)}")
    unlock(phone.page)
    there = {mark_of(record): record["state"] for record in book.look(phone.page)}
    for mark in waited:
        if there.get(mark) != "done":
            book.figures.blame(
                "wrong_states", f"{mark} was uploaded behind the lock and is {there.get(mark)}"
            )
    book.figures.more("uploaded behind the lock", len(waited))


def _killed_while_typing(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    gone, seconds = typed_and_killed(ground, phone, draw, patient, rest_ms=0)
    book.figures.most("s of typing lost at most", seconds)
    if seconds > MOST_LOST_S and len(gone) > 1:
        book.figures.blame("lost", f"{mark}: {seconds:.1f} s of typing in {gone}")


def _killed_when_rested(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    gone, _ = typed_and_killed(ground, phone, draw, patient, rest_ms=1000 * draw.uniform(*RESTED_S))
    if gone:
        book.figures.blame("lost", f"{mark}: {gone}, though nobody typed for {RESTED_S[0]} s")


def _killed_around_the_click(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    page = phone.page
    open_form(page, patient)
    fill_form(page, mark)
    book.tried.add(mark)
    group = phone.browser_pid()
    blow = threading.Timer(draw.uniform(0, AFTER_CLICK_S), os.killpg, (group, signal.SIGKILL))
    blow.start()
    try:
        page.locator("#save-button").click()
        while "已保存在本机" not in page.locator("#saved-title").inner_text():
            pass
        book.promise(mark)
    except Error:
        pass  # it died before it said so
    blow.join()
    phone.gone(group)


def _killed_once_it_said_so(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    save_visit(phone.page, patient, mark)
    book.promise(mark)
    phone.kill()


def _killed_while_unlocking(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    """What waits is closed under the new seal key, and sent, just when the PIN was given."""
    save_visit(phone.page, patient, mark)
    book.promise(mark)
    phone.kill()
    ground.gate.turn(draw.choice(("open", "shut")))
    phone.open()
    phone.page.goto("/outbox")
    press(phone.page, PIN[:-1])
    group = phone.browser_pid()
    blow = threading.Timer(draw.uniform(0, AFTER_PIN_S), os.killpg, (group, signal.SIGKILL))
    blow.start()
    with suppress(Error):  # it may die under the thumb
        phone.page.locator(f'[data-digit="{PIN[-1]}"]').click()
    blow.join()
    phone.gone(group)


def _killed_while_pushing(
    stage: str,
) -> Callable[[Ground, Phone, Book, random.Random, str, str], None]:
    def round_(
        ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
    ) -> None:
        save_visit(phone.page, patient, mark)
        book.promise(mark)
        group = phone.browser_pid()
        struck = threading.Event()

        def strike(now: str) -> bool:
            if now == stage and not struck.is_set():
                struck.set()
                time.sleep(draw.uniform(0, 0.05))  # where in its waiting the phone is hit
                os.killpg(group, signal.SIGKILL)
            return False

        ground.gate.at_push = strike
        ground.gate.open()
        try:
            press_send(phone.page)
        except Error as error:
            assert struck.is_set(), error
        assert struck.is_set(), "nothing was pushed"
        phone.gone(group)

    return round_


ROUNDS: dict[str, Callable[[Ground, Phone, Book, random.Random, str, str], None]] = {
    "rested": _killed_when_rested,
    "typing": _killed_while_typing,
    "unlocking": _killed_while_unlocking,
    "click": _killed_around_the_click,
    "said": _killed_once_it_said_so,
    "came": _killed_while_pushing("came"),
    "done": _killed_while_pushing("done"),
}
