"""The session ends while records wait; somebody else signs in on the same phone; then their author does."""

from __future__ import annotations

import random
from collections.abc import Callable

from playwright.sync_api import Page

from tests.e2e.storms.book import Book, records
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, add, patients_on, press_send, strip
from tests.e2e.world import LOCKED, READY_OR_LOCKED, Phone, unlock, until

PENDING = 5


def run(ground: Ground, count: int, seed: int) -> Figures:
    draw = random.Random(seed)
    figures = Figures("expiries", rounds=count)
    first, second = ground.server.account("doctor", 0), ground.server.account("doctor", 1)
    phone = ground.phone(f"expiries-{seed}")
    page = phone.page
    phone.sign_in(first)
    people = patients_on(page)
    book = Book(figures, ground.server, first["id"])
    ways = list(ENDS)
    for n in range(count):
        marks = [f"expiries {seed} {n} {k}" for k in range(PENDING)]
        page.goto("/outbox")
        _stays_open(book, page)
        ground.gate.turn("shut")
        ids = add(page, draw.choice(people), marks)
        book.promise(*marks)
        way = ways[n % len(ways)]
        ENDS[way](ground, phone, first["id"])
        figures.more(way)
        ground.gate.open()
        press_send(page)
        if "请重新登录" not in strip(page):
            figures.blame("wrong_states", f"{way}: the strip says {strip(page)}")
        _untouched(book, ground, phone, ids, way)

        phone.sign_in(second)
        press_send(page)
        if any(mark in page.inner_text("#main") for mark in marks):
            figures.blame("wrong_states", "another person sees what waits")
        _untouched(book, ground, phone, ids, "another person")
        if any(record["payload"] for record in records(page, first["id"])):
            figures.blame("wrong_states", "another person's key opens what waits")

        phone.sign_in(first)
        book.send_all(page)
    return book.close()


def _stays_open(book: Book, page: Page) -> None:
    """From page to page nobody is asked for the PIN again."""
    until(page, READY_OR_LOCKED)
    if page.evaluate(LOCKED):
        book.figures.blame("wrong_states", "the PIN is asked for between two pages")
        unlock(page)


def _untouched(book: Book, ground: Ground, phone: Phone, ids: list[str], when: str) -> None:
    """Known by their names: not everybody who has the phone can read them."""
    waiting = {record["op_id"] for record in records(phone.page, book.author) if record["state"] == "saved"}
    for op_id in ids:
        if op_id not in waiting:
            book.figures.blame("wrong_states", f"{when}: {op_id} does not wait")
        if ground.server.rows("SELECT 1 FROM revisions WHERE op_id = ?", op_id):
            book.figures.blame("wrong_states", f"{when}: {op_id} was sent")


def _expired(ground: Ground, phone: Phone, user: str) -> None:
    assert ground.server.change("UPDATE login_sessions SET expires_at = created_at WHERE user_id = ?", user)


def _ended(ground: Ground, phone: Phone, user: str) -> None:
    assert ground.server.change("UPDATE login_sessions SET ended_at = last_seen_at WHERE user_id = ?", user)


def _cookies_gone(ground: Ground, phone: Phone, user: str) -> None:
    phone.context.clear_cookies()


ENDS: dict[str, Callable[[Ground, Phone, str], None]] = {
    "expired": _expired,
    "ended elsewhere": _ended,
    "cookies gone": _cookies_gone,
}
