"""What the first release kept in plain is closed when the PIN is set; the browser may be killed meanwhile."""

from __future__ import annotations

import random
from typing import Any

from playwright.sync_api import Error, Page

from tests.e2e.engines.driver import patiently
from tests.e2e.storms.book import Book
from tests.e2e.storms.replacing import PENDING
from tests.e2e.world import LOCK_ASKS, LOCK_TAKES, PIN, READY_OR_LOCKED, Phone, press, until

KILLS = 3
CLOSED_S = 30
# Past the program: what really lies on the disk.
ROWS = """async (author) => {
  const db = await new Promise((resolve, reject) => {
    const open = indexedDB.open('nuanxun-outbox');
    open.onsuccess = () => resolve(open.result);
    open.onerror = () => reject(open.error);
  });
  const rows = await new Promise((resolve, reject) => {
    const all = db.transaction('ops').objectStore('ops').getAll();
    all.onsuccess = () => resolve(all.result);
    all.onerror = () => reject(all.error);
  });
  db.close();
  const plain = ['payload', 'label', 'patient_id', 'patient_name', 'recorded_at', 'result', 'last_error'];
  return rows.filter((row) => row.author_id === author).map((row) => ({op_id: row.op_id, state: row.state,
    closed: Boolean(row.body), sealed: Boolean(row.sealed), plain: plain.filter((name) => name in row)}));
}"""
PIN_IS_SET = """async (user) => {
  const rows = await import('/static/js/vault/rows.js');
  return Boolean((await rows.person(user))?.wrapped);
}"""
DATABASES = "async () => (await indexedDB.databases()).map(({name}) => name)"
OLD_PAGES = "nuanxun-pages"


def killed_meanwhile(phone: Phone, book: Book, draw: random.Random) -> None:
    """First when the PIN is set and no more; then, each time, when some more records are closed."""
    for enough in (0, *sorted(draw.sample(range(1, PENDING), KILLS - 1))):
        page = phone.page
        page.goto("/outbox")
        until(page, LOCK_TAKES)
        group = phone.browser_pid()
        _give_pin(page)
        _wait(page, book.author, enough)
        phone.kill(group)
        phone.open()
        phone.page.goto("/outbox")
        until(phone.page, READY_OR_LOCKED)
        closed = sum(row["closed"] for row in phone.page.evaluate(ROWS, book.author))
        book.figures.more("killed while closing")
        book.figures.more("of these half way", int(0 < closed < PENDING))


def _give_pin(page: Page) -> None:
    """Set or give it; what comes of it is not waited for."""
    setting = page.evaluate(LOCK_ASKS, "设一个")
    press(page, PIN)
    if setting:
        until(page, LOCK_ASKS, "再输一次")
        press(page, PIN)


def _wait(page: Page, author: str, enough: int) -> None:
    def come() -> bool:
        try:
            if not enough:
                return bool(page.evaluate(PIN_IS_SET, author))
            return sum(row["closed"] for row in page.evaluate(ROWS, author)) >= enough
        except Error:
            return True  # all of it is closed, and the page is leaving

    patiently(come, CLOSED_S, lambda: "nothing is being closed")


def must_be_closed(page: Page, book: Book) -> None:
    """Every record that waits lies there closed and sealed, nothing of it in plain."""

    def faults() -> list[dict[str, Any]]:
        rows = page.evaluate(ROWS, book.author)
        return [row for row in rows if not row["closed"] or not row["sealed"] or row["plain"]]

    try:
        patiently(lambda: not faults(), CLOSED_S, lambda: str(faults()))
    except AssertionError as error:
        book.figures.blame("wrong_states", f"not closed: {error}")
    else:
        book.figures.more("closed and sealed", len(page.evaluate(ROWS, book.author)))


def must_be_gone(page: Page, book: Book) -> None:
    """The first release's own database of pages and drafts."""
    if OLD_PAGES in page.evaluate(DATABASES):
        book.figures.blame("wrong_states", "pages of the first release still lie there in plain")
