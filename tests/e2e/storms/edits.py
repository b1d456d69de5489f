"""A record is changed while a push is on the way: what is called sent is what the server has."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.storms import mends
from tests.e2e.storms.book import Book, find
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, patients_on, save_visit
from tests.e2e.world import until

START_SENDING = """async () => {
  const { send } = await import('/static/js/offline/sender.js');
  send({reason: 'button'});
}"""
CORRECT = """async ([record, note]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const { patient_id, ...content } = record.payload;
  const payload = {...content, visit_id: record.op_id, reason: '写错了', answers: {...content.answers, note}};
  await outbox.add({kind: 'visit.correct', base_revision: 1, label: '更正', patient_id, payload});
}"""
NOTHING_SENDING = """async (author) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.counts(author)).sending === 0;
}"""
WAIT_S = 60

# Before the push: what will be on the way. Returns what is to be done meanwhile.
Way = Callable[[Ground, Page, Book, str, str], Callable[[], None]]


def run(ground: Ground, count: int, seed: int) -> Figures:
    """In turn the edit comes before the server has the record and after; its answer may also be lost."""
    draw = random.Random(seed)
    figures = Figures("edits", rounds=count)
    account = ground.server.account("doctor")
    phone = ground.phone(f"edits-{seed}")
    page = phone.page
    phone.sign_in(account)
    people = patients_on(page)
    book = Book(figures, ground.server, account["id"])
    ways = list(EDITS)
    for n in range(count):
        way = ways[n % len(ways)]
        meanwhile = EDITS[way](ground, page, book, people[n % len(people)], f"edits {seed} {n}")
        flight = Flight(draw.choice(("came", "done")), lost=draw.random() < 0.3)
        ground.gate.at_push = flight
        ground.gate.open()
        page.evaluate(START_SENDING)
        assert flight.reached.wait(WAIT_S), "nothing was pushed"
        meanwhile()
        figures.more(way)
        book.look(page)
        flight.land.set()
        until(page, NOTHING_SENDING, account["id"])
        book.look(page)
        ground.gate.at_push = None
        book.send_all(page)
    return book.close()


class Flight:
    """Holds the first push at one point of its way until `land` is set."""

    def __init__(self, stage: str, *, lost: bool) -> None:
        self.stage, self.lost = stage, lost
        self.reached, self.land = threading.Event(), threading.Event()

    def __call__(self, stage: str) -> bool:
        if stage != self.stage or self.reached.is_set():
            return False
        self.reached.set()
        self.land.wait(WAIT_S)
        return self.lost


def _saved(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> dict[str, Any]:
    ground.gate.turn("shut")
    save_visit(page, patient, mark)
    book.promise(mark)
    return find(page, book.author, mark)


def _undo(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> Callable[[], None]:
    """撤销 on the saved screen comes too late: the screen says so, and nothing is taken back."""
    _saved(ground, page, book, patient, mark)

    def meanwhile() -> None:
        page.locator('[data-saved="undo"]').click()
        try:
            expect(page.get_by_text("已经上传，可以更正")).to_be_visible()
        except AssertionError:
            words = f"{mark}: the screen does not say that it is too late to take it back"
            book.figures.blame("wrong_states", words)

    return meanwhile


def _correct(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> Callable[[], None]:
    """A correction of what is just being sent waits for it, and arrives after it."""
    record = _saved(ground, page, book, patient, mark)

    def meanwhile() -> None:
        page.evaluate(CORRECT, [record, f"{mark} corrected"])
        book.promise(f"{mark} corrected")

    return meanwhile


def _mend(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> Callable[[], None]:
    """A refused visit is mended while another one is sent, which cannot be changed itself."""
    refused = mends.a_refused_visit(ground, page, book, patient, mark)
    under_way = _saved(ground, page, book, patient, mark)

    def meanwhile() -> None:
        mends.must_stand(page, book, under_way)
        mends.mend_visit(page, book, refused, f"{mark} mended")
        mends.must_stand(page, book, refused)

    return meanwhile


def _mended(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> Callable[[], None]:
    """The mended visit itself is sent: neither it nor what it replaces can be mended once more."""
    refused = mends.a_refused_visit(ground, page, book, patient, mark)
    ground.gate.turn("shut")
    mended = mends.mend_visit(page, book, refused, f"{mark} mended")

    def meanwhile() -> None:
        mends.must_stand(page, book, mended)
        mends.must_stand(page, book, refused)

    return meanwhile


def _follow(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> Callable[[], None]:
    """A visit of somebody registered here is sent, in vain, while their refused registration is mended."""
    person = mends.a_refused_person(ground, page, book, mark)
    visit = mends.a_visit_of(ground, page, book, person, mark)

    def meanwhile() -> None:
        fresh = mends.mend_person(page, person, mark)
        book.payloads.pop(mark, None)  # it was rewritten, and rightly so
        now = find(page, book.author, mark)
        if now["payload"]["patient_id"] != fresh or now["op_id"] != visit["op_id"]:
            book.figures.blame("wrong_states", f"{mark}: its visit does not follow the mended person")

    return meanwhile


EDITS: dict[str, Way] = {
    "mend": _mend,
    "follow": _follow,
    "undo": _undo,
    "mended": _mended,
    "correct": _correct,
}
