"""What tests of the lock set up, ask and look for."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from tests.e2e.world import LOCK_ASKS, LOCK_TAKES, Phone, until

WRONG = "135790"
HOUR_MS = 3_600_000
CHANGE = """async (changes) => {
  const vault = await import('/static/js/vault/vault.js');
  const rows = await import('/static/js/vault/rows.js');
  await rows.changePerson(await vault.current(), (row) => ({ ...row, ...changes }));
}"""
ROW = """async () => {
  const vault = await import('/static/js/vault/vault.js');
  const row = (await vault.row(await vault.current())) || {};
  return { tries: row.tries, ended: row.ended, has_key: Boolean(row.wrapped), iterations: row.iterations };
}"""
ADD = """async (op) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.add({ label: '改电话', patient_name: '测试', ...op })).op_id;
}"""
STATES = """async () => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await (await outbox.openStore()).getAll('ops')).map((op) => op.state).sort();
}"""


def now_ms(later: int = 0) -> int:
    """What the phone's clock says, or said, or will say."""
    return int(time.time() * 1000) + later


def locked(page: Page) -> None:
    """The unlock page stands there and takes digits."""
    until(page, LOCK_TAKES)
    assert page.evaluate(LOCK_ASKS, "输入 6 位解锁密码")


def says(page: Page, words: str) -> None:
    expect(page.locator('[data-lock="note"]')).to_contain_text(words)


def ended(page: Page, words: str) -> None:
    expect(page.locator('[data-lock="ask"]')).to_contain_text(words)
    expect(page.locator('[data-lock="pad"]')).to_be_hidden()
    expect(page.locator('[data-lock="again"]')).to_be_visible()


def restarted(phone: Phone, path: str) -> Page:
    phone.close()
    phone.open()
    phone.page.goto(path)
    return phone.page
