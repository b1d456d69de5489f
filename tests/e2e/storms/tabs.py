"""Two tabs of one person are told to send at the same moment: one of them does."""

from __future__ import annotations

import random
from collections import Counter

from playwright.sync_api import Page

from tests.e2e import rounds
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import SEND_IS_READY, Ground, add, patients_on
from tests.e2e.world import until

EACH = 3
# Both start at one moment of the phone's clock, whoever is told first.
PRESS_AT = "(at) => setTimeout(() => document.getElementById('send-now').click(), at - Date.now())"


def run(ground: Ground, count: int, seed: int) -> Figures:
    draw = random.Random(seed)
    figures = Figures("tabs", rounds=count)
    account = ground.server.account("doctor")
    phone = ground.phone(f"tabs-{seed}")
    phone.sign_in(account)
    people = patients_on(phone.page)
    book = Book(figures, ground.server, account["id"])
    pages = (phone.page, phone.context.new_page())
    for n in range(count):
        ground.gate.turn("shut")
        for which, page in enumerate(pages):
            _outbox(page)
            marks = [f"tabs {seed} {n} {which} {k}" for k in range(EACH)]
            add(page, draw.choice(people), marks)
            book.promise(*marks)
        for page in pages:
            until(page, SEND_IS_READY)
        ground.gate.pushed.clear()
        ground.gate.open()
        at = pages[0].evaluate("() => Date.now() + 100")
        for page in pages:
            page.evaluate(PRESS_AT, at)
        pages[0].wait_for_timeout(150)
        for page in pages:
            until(page, SEND_IS_READY, seconds=60)
        book.send_all(pages[n % 2])
        for op_id, times in Counter(op_id for push in ground.gate.pushed for op_id in push).items():
            if times > 1:
                figures.blame("doubled", f"{op_id} was sent {times} times")
        figures.more("pushes", len(ground.gate.pushed))
        book.look(pages[n % 2])
    return book.close()


def _outbox(page: Page) -> None:
    page.goto("/outbox")
    rounds.ready(page)
