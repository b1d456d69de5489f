"""Where a storm takes place: a server, a gate before it, phones, and what a person does on them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, Playwright, expect

from tests.e2e import rounds
from tests.e2e.gate import Gate
from tests.e2e.world import Phone, Server, until

ADL = {"meal": 0, "grooming": 1, "dressing": 3, "toileting": 1, "activity": 1}
PATIENTS = """async () => {
  const pages = await import('/static/js/offline/pages.js');
  const { revs } = await pages.meta();
  const of = '/patients/';
  return Object.keys(revs).filter((url) => url.startsWith(of) && url.length === of.length + 36)
    .map((url) => url.slice(of.length));
}"""
ADD = """async ([patient_id, marks, hold_ms, form_version]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const { localIso } = await import('/static/js/when.js');
  const answers = {meal: 0, grooming: 1, dressing: 3, toileting: 1, activity: 1};
  const ids = [];
  for (const note of marks) {
    const payload = {patient_id, form: 'adl', form_version, visited_at: localIso(new Date()), mode: 'home',
      answers: {...answers, note}};
    const label = '生活自理能力评估';
    ids.push((await outbox.add({kind: 'visit.create', payload, label, patient_id, hold_ms})).op_id);
  }
  return ids;
}"""
COUNTS = """async (author) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return outbox.counts(author);
}"""
SEND_IS_READY = "() => !document.getElementById('send-now').disabled"


@dataclass
class Ground:
    """`folder` holds the phones' profiles."""

    playwright: Playwright
    server: Server
    gate: Gate
    folder: Path
    phones: list[Phone] = field(default_factory=list)

    def phone(self, name: str) -> Phone:
        """A new phone whose every request passes the gate."""
        self.phones.append(Phone(self.playwright, self.folder / name, self.gate.url))
        return self.phones[-1]


@contextmanager
def ground(playwright: Playwright, server: Server, folder: Path) -> Iterator[Ground]:
    gate = Gate(server.url)
    standing = Ground(playwright, server, gate, folder)
    try:
        yield standing
    finally:
        gate.open()
        for phone in standing.phones:
            phone.close()  # harmless when it is closed already
        gate.close()


def patients_on(page: Page) -> list[str]:
    """Ids of those whose pages are on the phone."""
    found = page.evaluate(PATIENTS)
    assert found, "the visit pack brought nobody"
    return sorted(found)


def add(page: Page, patient: str, marks: list[str], hold_ms: int = 0, form_version: int = 1) -> list[str]:
    """Save visits as the form does, without the form. Returns their op_ids once all are on the disk."""
    return page.evaluate(ADD, [patient, marks, hold_ms, form_version])


def open_form(page: Page, patient: str) -> None:
    page.goto(f"/visits/new/adl?patient={patient}")
    expect(page.locator("#visit-form")).to_have_attribute("data-started", "1")


def fill_form(page: Page, mark: str) -> None:
    rounds.fill_adl(page, ADL)
    page.locator('#visit-form [name="note"]').fill(mark)


def save_visit(page: Page, patient: str, mark: str) -> None:
    """The whole way by hand, up to the words 已保存在本机."""
    open_form(page, patient)
    fill_form(page, mark)
    rounds.save(page)


def strip(page: Page) -> str:
    """The line at the top, as it is read."""
    return " ".join(page.inner_text("#strip .strip-words").split())


def press_send(page: Page) -> None:
    """立即上传 on 待上传, until the button is free again."""
    if not page.url.endswith("/outbox"):
        page.goto("/outbox")
        rounds.ready(page)
    page.click("#send-now")
    until(page, SEND_IS_READY, seconds=90)


def send_all(page: Page, author: str, seconds: float = 150) -> int:
    """Press until nothing waits; a server that asked for a pause gets it. Returns how many still wait."""
    stop = time.monotonic() + seconds
    while True:
        press_send(page)
        waiting: int = page.evaluate(COUNTS, author)["waiting"]
        if not waiting or time.monotonic() > stop:
            return waiting
        page.wait_for_timeout(200)
