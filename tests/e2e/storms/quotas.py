"""No room left on the phone: said plainly, nothing older is touched, all can still be sent, and it heals."""

from __future__ import annotations

import random
from typing import Any

from playwright.sync_api import expect

from tests.e2e import rounds
from tests.e2e.storms.book import Book
from tests.e2e.storms.figures import Figures
from tests.e2e.storms.ground import Ground, add, fill_form, open_form, patients_on, send_all

PENDING = 5
MB = 1024 * 1024
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
USAGE = "async () => (await navigator.storage.estimate()).usage"


def run(ground: Ground, count: int, seed: int) -> Figures:
    """Each round the browser allows 1 to 5 MB in all, or just above what is there already."""
    draw = random.Random(seed)
    figures = Figures("quotas", rounds=count)
    account = ground.server.account("doctor")
    phone = ground.phone(f"quotas-{seed}")
    page = phone.page
    phone.sign_in(account)
    people = patients_on(page)
    book = Book(figures, ground.server, account["id"])
    browser = phone.context.new_cdp_session(page)

    def allow(**quota: Any) -> None:
        browser.send("Storage.overrideQuotaForOrigin", {"origin": ground.gate.url, **quota})

    for n in range(count):
        ground.gate.turn("shut")
        page.goto("/outbox")
        marks = [f"quotas {seed} {n} {k}" for k in range(PENDING)]
        add(page, draw.choice(people), marks)
        book.promise(*marks)
        late = f"quotas {seed} {n} late"
        open_form(page, people[n % len(people)])
        fill_form(page, late)
        page.wait_for_timeout(100)
        allow(quotaSize=max(draw.randint(1, 5) * MB, int(page.evaluate(USAGE)) + 65536))
        figures.most("KB filled at most", page.evaluate(FILL) / 1024)
        page.locator("#save-button").click()
        says = page.locator("#page-says")
        try:
            expect(says).to_contain_text(PLAIN)
        except AssertionError:
            figures.blame("wrong_states", f"{late}: the page says {says.inner_text()!r}")
        if any(late == known for known in (r["payload"]["answers"]["note"] for r in book.look(page))):
            figures.blame("wrong_states", f"{late} was said not to be saved, and is")
        if not n % 2:  # sent while there is still no room
            ground.gate.open()
            send_all(page, account["id"])
            book.look(page)
            ground.gate.turn("shut")
            open_form(page, people[n % len(people)])
            fill_form(page, late)
            figures.more("sent without room", PENDING)
        allow()
        page.evaluate(EMPTY)
        rounds.save(page)
        book.promise(late)
        ground.gate.open()
        send_all(page, account["id"])
        book.look(page)
    return book.close()
