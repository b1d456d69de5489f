"""A record is changed while its push is on the way: what is called sent is what the server has."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.storms.book import Book, records
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, patients_on, save_visit
from tests.e2e.world import until

START_SENDING = """async () => {
  const { send } = await import('/static/js/offline/sender.js');
  send({reason: 'button'});
}"""
# The same operation written anew, as a form does that was opened before it was sent.
OVERWRITE = """async ([record, note]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const { op_id, kind, payload } = record;
  try {
    await outbox.add({op_id, kind, label: '改', payload: {...payload, answers: {...payload.answers, note}}});
    return true;
  } catch {
    return false;
  }
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
WAIT_S = 30


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
        mark = f"edits {seed} {n}"
        ground.gate.turn("shut")
        save_visit(page, people[n % len(people)], mark)
        [record] = [r for r in records(page, account["id"]) if r["payload"]["answers"]["note"] == mark]
        way = ways[n % len(ways)]
        flight = Flight(draw.choice(("came", "done")), lost=draw.random() < 0.3)
        ground.gate.at_push = flight
        ground.gate.open()
        page.evaluate(START_SENDING)
        assert flight.reached.wait(WAIT_S), "nothing was pushed"
        if EDITS[way](page, record, f"{mark} changed", figures):
            book.promise(f"{mark} changed")
            figures.more(f"{way} kept")
        else:
            figures.more(f"{way} refused")
        if way != "overwrite" or f"{mark} changed" not in book.promised:
            book.promise(mark)
        book.judge_sent(records(page, account["id"]))
        flight.land.set()
        until(page, NOTHING_SENDING, account["id"])
        book.judge_sent(records(page, account["id"]))
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


def _undo(page: Page, record: dict[str, Any], mark: str, figures: Figures) -> bool:
    """撤销 on the saved screen comes too late: the screen says so, and nothing is taken back."""
    page.locator('[data-saved="undo"]').click()
    try:
        expect(page.get_by_text("已经上传，可以更正")).to_be_visible()
    except AssertionError:
        figures.blame("wrong_states", f"{mark}: the screen does not say that it is too late to take it back")
    return False


def _overwrite(page: Page, record: dict[str, Any], mark: str, figures: Figures) -> bool:
    return bool(page.evaluate(OVERWRITE, [record, mark]))


def _correct(page: Page, record: dict[str, Any], mark: str, figures: Figures) -> bool:
    page.evaluate(CORRECT, [record, mark])
    return True


EDITS: dict[str, Callable[[Page, dict[str, Any], str, Figures], bool]] = {
    "undo": _undo,
    "overwrite": _overwrite,
    "correct": _correct,
}
