"""Records that the server refuses, and what the phone then lets a person do with them."""

from __future__ import annotations

import random
from typing import Any

from playwright.sync_api import Page

from tests.e2e.storms.book import Book, find, records
from tests.e2e.storms.ground import Ground, add, press_send
from tests.factories import an_id_card

ADD_ONE = """async (record) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.add({label: '改', ...record})).op_id;
}"""
# Whatever a page may try with a record that is not to be touched; answers what was let through.
TRY_ALL = """async ({op_id, kind, payload}) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const ways = {
    mend: async () => Boolean(await outbox.add({kind, payload, label: '改', replaces: op_id})),
    undo: () => outbox.undo(op_id),
    discard: () => outbox.discard(op_id),
  };
  const through = [];
  for (const [name, way] of Object.entries(ways)) if (await way().catch(() => false)) through.push(name);
  return through;
}"""
NO_SUCH_VERSION = 99


def a_refused_visit(ground: Ground, page: Page, book: Book, patient: str, mark: str) -> dict[str, Any]:
    """A form of a version that no server knows."""
    ground.gate.turn("shut")
    [op_id] = add(page, patient, [f"{mark} refused"], form_version=NO_SUCH_VERSION)
    return _refused(ground, page, book, op_id)


def a_refused_person(ground: Ground, page: Page, book: Book, mark: str) -> dict[str, Any]:
    """Registered with an identity number that is none."""
    ground.gate.turn("shut")
    payload = {**_person(ground, mark), "id_card": "1" * 18}
    op_id = page.evaluate(ADD_ONE, {"kind": "patient.create", "payload": payload})
    return _refused(ground, page, book, op_id)


def _refused(ground: Ground, page: Page, book: Book, op_id: str) -> dict[str, Any]:
    ground.gate.open()
    press_send(page)
    [found] = [record for record in records(page, book.author) if record["op_id"] == op_id]
    assert found["state"] == "rejected", found
    return found


def a_visit_of(ground: Ground, page: Page, book: Book, person: dict[str, Any], mark: str) -> dict[str, Any]:
    ground.gate.turn("shut")
    add(page, person["op_id"], [mark])
    book.promise(mark)
    return find(page, book.author, mark)


def mend_visit(page: Page, book: Book, refused: dict[str, Any], mark: str) -> dict[str, Any]:
    payload = refused["payload"]
    better = {**payload, "form_version": 1, "answers": {**payload["answers"], "note": mark}}
    mended = {"kind": "visit.create", "payload": better, "replaces": refused["op_id"]}
    page.evaluate(ADD_ONE, {**mended, "patient_id": better["patient_id"]})
    book.promise(mark)
    return find(page, book.author, mark)


def mend_person(page: Page, refused: dict[str, Any], mark: str) -> str:
    """Returns the name they have from now on."""
    better = {**refused["payload"], "id_card": an_id_card(*_born(mark))}
    mended = {"kind": "patient.create", "payload": better, "replaces": refused["op_id"]}
    return page.evaluate(ADD_ONE, mended)


def must_stand(page: Page, book: Book, record: dict[str, Any]) -> None:
    """What is on its way, or has a better one in its place, can be neither mended nor dropped."""
    for way in page.evaluate(TRY_ALL, record):
        book.figures.blame("wrong_states", f"{record['op_id']} let itself {way}")


def _person(ground: Ground, mark: str) -> dict[str, Any]:
    village = ground.server.account("doctor")["village_id"]
    return {"name": "宁如意", "phone": "19900001111", "address": f"{mark}号", "village_id": village}


def _born(mark: str) -> tuple[int, str]:
    """A number within the day, and a day: others for every mark."""
    draw = random.Random(mark)
    return draw.randint(1, 499), f"19{draw.randint(30, 59)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"
