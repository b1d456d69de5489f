"""Yesterday's build of the present program, with fifty records waiting, is replaced by today's."""

from __future__ import annotations

import random
import shutil

from tests.e2e.builds import yesterday
from tests.e2e.storms import converting
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground
from tests.e2e.storms.replacing import new_build, prepare
from tests.e2e.world import LOCKED, READY_OR_LOCKED, Server, environment, make_demo, serving, until

KILLED_EVERY = 3  # in one round of so many the browser is killed once 更新 is pressed


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Each round is a new phone."""
    draw = random.Random(seed)
    figures = Figures("renewals", rounds=count)
    tree = yesterday(ground.folder / "yesterday")
    (ground.folder / "demo").mkdir()
    demo = make_demo(ground.folder / "demo" / "nuanxun.db")
    account = Server("", environment(demo), demo.parent).account("doctor")
    for n in range(count):
        folder, mark = ground.folder / f"renewal-{n}", f"renewals {seed} {n}"
        folder.mkdir()
        shutil.copy(demo, folder / "nuanxun.db")
        phone = ground.phone(f"renewals-{seed}-{n}")
        with serving(folder, tree) as old:
            ground.gate.point_to(old.url)
            ground.gate.open()
            phone.sign_in(account)
            killed = n % KILLED_EVERY == KILLED_EVERY - 1
            if killed:
                phone.rest()
            book = Book(Figures("one renewal"), old, account["id"])
            begun = prepare(ground, phone, book, draw, mark)
        with new_build(ground, folder):
            begun.offer()
            if killed:
                begun.press_and_die()
            else:
                begun.press()
                until(phone.page, READY_OR_LOCKED)
                if phone.page.evaluate(LOCKED):
                    begun.blame("the PIN is asked for once more, though the page before had the key")
            begun.settle()
            converting.must_be_closed(phone.page, book)
            if killed:
                begun.half.after_a_kill(book)
            else:
                begun.type_on_and_reload()
            begun.send()
        figures.absorb(book.close())
        phone.close()
    ground.gate.point_to(ground.server.url)
    return figures
