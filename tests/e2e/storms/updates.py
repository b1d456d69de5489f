"""The first release, with fifty records waiting, is replaced by the present program at the same address."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from tests.e2e.builds import unpack
from tests.e2e.storms import converting
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground
from tests.e2e.storms.replacing import new_build, prepare
from tests.e2e.world import Server, environment, make_demo, serving

# What becomes of the browser, in turn: nothing, killed while the store is being closed, killed at the press.
FATES = ("lives", "closing", "press", "lives")


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Each round is a new phone of the old build, with a database that is upgraded as an operator does it."""
    draw = random.Random(seed)
    figures = Figures("updates", rounds=count)
    tree = unpack("first", ground.folder / "first")
    demo = make_demo(_new(ground.folder / "first-demo") / "nuanxun.db", tree)
    account = Server("", environment(demo), demo.parent, tree).account("doctor")
    for n in range(count):
        folder, fate, mark = _new(ground.folder / f"update-{n}"), FATES[n % len(FATES)], f"updates {seed} {n}"
        shutil.copy(demo, folder / "nuanxun.db")
        phone = ground.phone(f"updates-{seed}-{n}")
        with serving(folder, tree) as old:
            ground.gate.point_to(old.url)
            ground.gate.open()
            phone.sign_in(account)
            if fate != "lives":
                phone.rest()
            book = Book(Figures("one update"), old, account["id"])
            begun = prepare(ground, phone, book, draw, mark)
        Server("", environment(folder / "nuanxun.db"), folder).flask("db", "upgrade")
        with new_build(ground, folder):
            begun.offer()
            if fate == "press":
                begun.press_and_die()
            else:
                begun.press()
            if fate == "closing":
                converting.killed_meanwhile(phone, book, draw)
            begun.settle()
            converting.must_be_closed(phone.page, book)
            if fate == "lives":
                begun.type_on_and_reload()
            else:
                begun.half.after_a_kill(book)
            converting.must_be_gone(phone.page, book)
            begun.send()
        figures.absorb(book.close())
        phone.close()
    ground.gate.point_to(ground.server.url)
    return figures


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
