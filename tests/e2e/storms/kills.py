"""The browser is killed at any moment around saving and sending; the same profile is opened again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest

from playwright.sync_api import Error, Page

from tests.e2e import rounds
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import (
    ADL,
    Ground,
    fill_form,
    open_form,
    patients_on,
    press_send,
    save_visit,
)
from tests.e2e.world import Phone

# typing: before anything was saved. click: from just before the press to well after. said: once the screen
# said it. came: the push is on its way. done: the server has it, the phone has not heard.
MOMENTS = ("click", "came", "typing", "done", "said")
AFTER_CLICK_S = 0.4
TYPING_S = (1, 9)  # mostly longer than may be lost
MOST_LOST_S = 5.0  # of typed text; or a single field
LETTERS = "慢走下楼扶墙饮食清淡睡眠一般按时服药"


@dataclass
class Typing:
    """When which field was filled or touched last, on the test's own clock."""

    fields: dict[str, float] = field(default_factory=dict)
    note: str = ""
    at: list[float] = field(default_factory=list)  # one moment for each letter of the note


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
        phone.wake()
        book.look(phone.page)
    ground.gate.open()
    book.send_all(phone.page)
    return book.close()


def _killed_while_typing(
    ground: Ground, phone: Phone, book: Book, draw: random.Random, patient: str, mark: str
) -> None:
    page = phone.page
    open_form(page, patient)
    before = _answers(page)
    typed = Typing()
    end = time.monotonic() + draw.uniform(*TYPING_S)
    for name, score in ADL.items():
        if before.get(name) != str(score):
            rounds.choose(page, name, score)
            typed.fields[name] = time.monotonic()
        if time.monotonic() > end:
            break
    box = page.locator('#visit-form [name="note"]')
    box.fill("")
    while time.monotonic() < end:
        letter = draw.choice(LETTERS)
        box.press_sequentially(letter, delay=draw.uniform(0, 150))
        typed.note += letter
        typed.at.append(time.monotonic())
    killed_at = time.monotonic()
    phone.kill()
    ground.gate.turn("shut")
    phone.open()
    phone.wake()
    open_form(phone.page, patient)
    _judge_draft(book.figures, typed, _answers(phone.page), killed_at, mark)
    phone.kill()


def _judge_draft(figures: Figures, typed: Typing, after: dict[str, str], killed_at: float, mark: str) -> None:
    gone = {name: at for name, at in typed.fields.items() if after.get(name) != str(ADL[name])}
    note = after.get("note", "")
    if note != typed.note:
        pairs = zip_longest(note, typed.note)
        same = next(place for place, (kept, written) in enumerate(pairs) if kept != written)
        if same < len(typed.at):
            gone["note"] = typed.at[same]
    seconds = killed_at - min(gone.values(), default=killed_at)
    figures.most("s of typing lost at most", seconds)
    if seconds > MOST_LOST_S and len(gone) > 1:
        figures.blame("lost", f"{mark}: {seconds:.1f} s of typing in {sorted(gone)}")


def _answers(page: Page) -> dict[str, str]:
    names = [*ADL, "note"]
    return page.evaluate(
        """(names) => {
          const form = document.getElementById('visit-form');
          return Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
        }""",
        names,
    )


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
    "typing": _killed_while_typing,
    "click": _killed_around_the_click,
    "said": _killed_once_it_said_so,
    "came": _killed_while_pushing("came"),
    "done": _killed_while_pushing("done"),
}
