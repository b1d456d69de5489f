"""No room left on the phone: said plainly, nothing older is touched, all can be exported and sent."""

from __future__ import annotations

import json
import random
from functools import partial

from playwright.sync_api import CDPSession, Page, expect

from tests.e2e import rounds
from tests.e2e.storms.book import Book, mark_of, note_of
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import (
    Ground,
    add,
    fill_form,
    open_form,
    patients_on,
    press_send,
    save_visit,
)

PENDING = 5
MB = 1024 * 1024
ROOM = 8 * MB
PLAIN = "手机存储空间不够，这一条没有存上。以前的记录都还在，可以照常上传。"
# Down to pieces smaller than one record. Returns how many bytes went in.
FILL = """async () => {
  const db = await new Promise((resolve, reject) => {
    const open = indexedDB.open('filler', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('bytes', {autoIncrement: true});
    open.onsuccess = () => resolve(open.result);
    open.onerror = () => reject(open.error);
  });
  const put = (size) => new Promise((resolve) => {
    const tx = db.transaction('bytes', 'readwrite', {durability: 'strict'});
    const noise = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
    tx.objectStore('bytes').put(noise);
    tx.oncomplete = () => resolve(true);
    tx.onabort = () => resolve(false);
  });
  let bytes = 0;
  for (let size = 262144; size >= 64; size >>= 1) while (await put(size)) bytes += size;
  db.close();
  return bytes;
}"""
EMPTY = """() => new Promise((resolve, reject) => {
  const gone = indexedDB.deleteDatabase('filler');
  gone.onsuccess = () => resolve();
  gone.onerror = () => reject(gone.error);
})"""


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Each round is a phone of its own, whose browser allows 1 to 5 MB in all."""
    draw = random.Random(seed)
    figures = Figures("quotas", rounds=count)
    account = ground.server.account("doctor")
    book = Book(figures, ground.server, account["id"])
    for n in range(count):
        ground.gate.open()
        phone = ground.phone(f"quotas-{seed}-{n}")
        browser = phone.context.new_cdp_session(phone.page)
        allow = partial(_allow, browser, ground.gate.url)
        # The browser remembers for half a minute how much room there was: there must never be much.
        allow(ROOM)
        phone.sign_in(account)
        patient = draw.choice(patients_on(phone.page))
        ground.gate.turn("shut")
        phone.wake()
        book.phone = f"quotas {seed} {n} "
        marks = [f"{book.phone}{k}" for k in range(PENDING)]
        ids = add(phone.page, patient, marks)
        book.promise(*marks)
        late = f"{book.phone}late"
        open_form(phone.page, patient)
        fill_form(phone.page, late)
        allow(draw.randint(1, 5) * MB)
        figures.most("KB filled at most", phone.page.evaluate(FILL) / 1024)
        _refused_plainly(book, phone.page, late)
        _exported(book, phone.page, ids)
        ground.gate.open()
        _send_without_room(book, phone.page, marks)
        allow(3 * ROOM)
        phone.page.evaluate(EMPTY)
        save_visit(phone.page, patient, late)
        book.promise(late)
        book.send_all(phone.page)
        phone.close()
    return book.close()


def _allow(browser: CDPSession, origin: str, quota: int) -> None:
    browser.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": quota})


def _refused_plainly(book: Book, page: Page, mark: str) -> None:
    page.locator("#save-button").click()
    says = page.locator("#page-says")
    try:
        expect(says).to_contain_text(PLAIN)
    except AssertionError:
        book.figures.blame("wrong_states", f"{mark}: the page says {says.inner_text()!r}")
    if any(mark_of(record) == mark for record in book.look(page)):
        book.figures.blame("wrong_states", f"{mark} was said not to be saved, and is")


def _exported(book: Book, page: Page, ids: list[str]) -> None:
    """导出 on 待上传 gives a file of all that waits, sealed, though nothing can be written any more."""
    page.goto("/outbox")
    rounds.ready(page)
    with page.expect_download() as saved:
        page.click("#export-file")
    found = [entry["op_id"] for entry in json.loads(saved.value.path().read_text())["sealed"]]
    if sorted(found) != sorted(ids):
        book.figures.blame("wrong_states", f"{len(found)} of {len(ids)} could be exported without room")
    book.figures.more("exported without room", len(found))


def _send_without_room(book: Book, page: Page, marks: list[str]) -> None:
    press_send(page)
    there = {note_of(payload) for payload in book.arrived().values()}
    for mark in marks:
        if mark in there:
            book.figures.more("sent without room")
        else:
            book.figures.blame("wrong_states", f"{mark} cannot be sent while there is no room")
