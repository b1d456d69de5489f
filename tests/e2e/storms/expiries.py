"""The session ends while records wait; somebody else signs in on the same phone; then their author does."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.e2e.storms.book import Book, mark_of, records
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, add, patients_on, press_send, strip
from tests.e2e.world import Phone

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
        ground.gate.turn("shut")
        add(page, draw.choice(people), marks)
        book.promise(*marks)
        way = ways[n % len(ways)]
        ENDS[way](ground, phone, first["id"])
        figures.more(way)
        ground.gate.open()
        press_send(page)
        if "请重新登录" not in strip(page):
            figures.blame("wrong_states", f"{way}: the strip says {strip(page)}")
        _untouched(book, ground, phone, marks, way)

        phone.sign_in(second)
        press_send(page)
        if any(mark in page.inner_text("#main") for mark in marks):
            figures.blame("wrong_states", "another person sees what waits")
        _untouched(book, ground, phone, marks, "another person")

        phone.sign_in(first)
        book.send_all(page)
    return book.close()


def _untouched(book: Book, ground: Ground, phone: Phone, marks: list[str], when: str) -> None:
    waiting = {mark_of(r) for r in records(phone.page, book.author) if r["state"] == "saved"}
    for mark in marks:
        if mark not in waiting:
            book.figures.blame("wrong_states", f"{when}: {mark} does not wait")
    for _ in ground.server.rows("SELECT 1 FROM revisions WHERE instr(payload, ?)", marks[0][:-1]):
        book.figures.blame("wrong_states", f"{when}: a record was sent")


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
