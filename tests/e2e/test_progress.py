"""Long work on the phone says how far it is: the pack, the outbox, our own files."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.gate import Drip, Gate
from tests.e2e.test_offline_core import ADD, META, STATES, until
from tests.e2e.world import SHELL_IS_HERE, Phone, Server, pass_lock

STRIP = "() => document.querySelector('#strip .strip-state').textContent"
CONTROLLED = "() => Boolean(navigator.serviceWorker?.controller)"
GREET = "async () => (await import('/static/js/offline/sender.js')).send({ reason: 'button' })"
VALUES = """() => {
  window.painted = [];
  const note = () => {
    const bar = document.querySelector('#notice-pack progress');
    if (bar && painted.at(-1) !== bar.value) painted.push(bar.value);
  };
  new MutationObserver(note).observe(document, { attributes: true, childList: true, subtree: true });
}"""

SAME = """() => {
  const bar = document.querySelector('#notice-pack progress');
  return document.querySelector('#notice-pack b').textContent === `${bar.value}/${bar.max}`;
}"""


def come_in(phone: Phone, account: dict[str, Any]) -> Page:
    """Signed in and past the lock; the pack may still be on its way."""
    page = phone.page
    page.goto("/sign-in")
    until(page, CONTROLLED)
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url("**/unlock*")
    pass_lock(page)
    return page


def far(bar: Locator) -> tuple[int, int]:
    return int(bar.get_attribute("value") or 0), int(bar.get_attribute("max") or 0)


def counted(page: Page, words: str, done: Callable[[int], bool] = lambda _: True) -> tuple[int, int]:
    """n and m, once the strip says `words` n/m and `done`(n)."""

    def numbers(text: str) -> tuple[int, int] | None:
        found = re.fullmatch(rf"{words} (\d+)/(\d+)", text)
        return (int(found[1]), int(found[2])) if found and done(int(found[1])) else None

    return numbers(until(page, STRIP, lambda text: numbers(text) is not None, seconds=30))


def test_the_first_pack_shows_a_bar_that_grows_and_goes_and_begins_anew_after_a_cut(
    server: Server, gate: Gate, through: Callable[[str], Phone]
) -> None:
    gate.drips["/api/pack"] = drip = Drip()
    page = come_in(through("doctor's"), server.account("doctor"))
    page.evaluate(VALUES)
    drip.let(0.02)
    notice, bar = page.locator("#notice-pack"), page.get_by_role("progressbar", name="下载老人资料")
    expect(bar).to_be_visible(timeout=30_000)
    first, total = far(bar)
    assert total > 5 and first < total / 2
    # Above the list, which can be used meanwhile. Who asks is told; nothing is read out at every step.
    expect(notice).to_contain_text("现在就能用")
    assert page.evaluate(SAME)  # in one moment: the bar may go on meanwhile
    assert not notice.locator("[aria-live], [role=status], [role=alert]").count()
    expect(page.locator("#list .row").first).to_be_visible()
    counted(page, "正在下载")

    drip.let(0.7)
    expect(bar).not_to_have_attribute("value", str(first))
    half, _ = far(bar)
    assert first < half < total
    assert counted(page, "正在下载", lambda n: n > first)[1] == total

    # The line breaks: nothing of the pack is kept, the bar goes, and the list stays.
    drip.cut()
    expect(notice).to_have_count(0)
    until(page, STRIP, lambda text: "正在下载" not in text)
    assert page.evaluate(META) is None and page.locator("#list .row").count() > 0

    # It begins anew, and this time it ends.
    gate.drips["/api/pack"] = drip = Drip()
    page.evaluate("() => window.dispatchEvent(new Event('online'))")
    drip.let(0.5)
    expect(bar).to_be_visible(timeout=30_000)
    assert far(bar)[1] == total
    drip.let(1)
    until(page, META, lambda meta: meta and len(meta["urls"]) >= total, seconds=30)
    expect(notice).to_have_count(0)
    until(page, STRIP, lambda text: "正在下载" not in text)
    painted = page.evaluate("() => window.painted")
    again = painted.index(0, 1)
    for run in (painted[:again], painted[again:]):
        assert run[0] == 0 and len(run) > 1 and run == sorted(run), painted


def test_later_packs_are_silent(server: Server, gate: Gate, through: Callable[[str], Phone]) -> None:
    phone = through("doctor's")
    page = come_in(phone, server.account("doctor"))
    phone.wait_for_pack()
    gate.drips["/api/pack"] = drip = Drip()
    page.evaluate(VALUES)
    asked = gate.count("/api/pack")
    page.evaluate(
        """async () => {
          const pack = await import('/static/js/offline/pack.js');
          window.pack = pack.refresh({ user_id: document.body.dataset.user });
        }"""
    )
    drip.let(0.5)
    until(page, "() => true", lambda _: gate.count("/api/pack") > asked)
    assert page.locator("#notice-pack").count() == 0
    drip.let(1)
    assert page.evaluate("async () => (await window.pack).outcome") == "fresh"
    assert page.evaluate("() => window.painted") == []


def test_the_strip_counts_what_is_sent_and_what_is_left_after_a_cut(
    server: Server, gate: Gate, through: Callable[[str], Phone]
) -> None:
    phone = through("doctor's")
    account = server.account("doctor")
    page = come_in(phone, account)
    phone.wait_for_pack()
    gate.rewrite["/api/auth/me"] = lambda text: re.sub(rb'"max_ops":\d+', b'"max_ops":1', text)
    page.evaluate(GREET)  # the first batch goes by what was heard last time
    may_pass, cut = threading.Semaphore(0), threading.Event()

    def at_push(moment: str) -> bool:
        if moment == "came" and not cut.is_set():  # a browser tries once more by itself
            may_pass.acquire(timeout=60)
        return cut.is_set()

    gate.turn("shut")  # nothing goes before the button is pressed
    people = [url for url in page.evaluate(META)["urls"] if re.fullmatch("/patients/[0-9a-f-]{36}", url)]
    for patient in [url.rpartition("/")[2] for url in people[:3]]:
        [(revision,)] = server.rows("SELECT revision FROM patients WHERE id = ?", patient)
        payload = {"patient_id": patient, "phone": "13900002222"}
        change = {"kind": "patient.update", "payload": payload, "base_revision": revision, "n": 1}
        page.evaluate(ADD, change)
    page.goto("/outbox")
    until(page, "() => Boolean(document.querySelector('html[data-ready]'))")
    gate.at_push = at_push
    gate.open()
    page.click("#send-now")
    assert counted(page, "正在上传") == (0, 3)
    spoken = page.locator("#strip [role=status]")
    expect(spoken).to_have_attribute("aria-live", "polite")
    expect(page.locator("#strip [role=status]")).to_contain_text("正在上传 0/3")
    may_pass.release()
    assert counted(page, "正在上传", lambda n: n > 0) == (1, 3)
    expect(spoken).to_have_attribute("aria-live", "off")  # a step is not read out
    cut.set()
    may_pass.release()
    until(page, STRIP, lambda text: "正在上传" not in text)
    expect(spoken).to_have_attribute("aria-live", "polite")
    assert page.evaluate(STATES)[0] == "done" and gate.count("/api/sync/push") == 1

    gate.at_push = None
    page.click("#send-now")
    until(page, STATES, lambda found: not {"saved", "sending"} & set(found), seconds=30)
    until(page, STRIP, lambda text: "正在上传" not in text)


def test_the_strip_counts_our_own_files_until_the_phone_is_ready(
    server: Server, gate: Gate, through: Callable[[str], Phone]
) -> None:
    early, late = "/static/joined/care.js", "/static/vendor/uqr.js"
    gate.held = {early: threading.Event(), late: threading.Event()}
    page = come_in(through("doctor's"), server.account("doctor"))
    done, total = counted(page, "正在准备离线使用", lambda n: n > 5)
    assert done < total
    expect(page.locator("#strip [role=status]")).to_contain_text("正在准备离线使用")
    gate.held[early].set()
    more, _ = counted(page, "正在准备离线使用", lambda n: n > done)
    assert done < more < total

    # The line breaks in the middle: the strip stays true, and the next page goes on where it ended.
    gate.spoiled = {late: "shut"}
    gate.held[late].set()
    page.reload()
    until(page, "() => Boolean(document.querySelector('html[data-ready]'))")
    assert counted(page, "正在准备离线使用", lambda n: n == total - 1)[1] == total
    assert not page.evaluate(SHELL_IS_HERE)
    gate.spoiled = {}
    page.reload()
    until(page, SHELL_IS_HERE, seconds=30)
    until(page, STRIP, lambda text: text == "在线")
