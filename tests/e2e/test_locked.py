"""While a phone is locked, or about to be: other tabs, a touch, the queue, the worker, the clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e import rounds
from tests.e2e.locks import ADD, CHANGE, HOUR_MS, ROW, STATES, ended, locked, now_ms, restarted, says
from tests.e2e.records import PULL
from tests.e2e.world import (
    LOCK_GONE,
    PIN,
    Server,
    press,
    unlock,
    until,
)

pytestmark = pytest.mark.xdist_group("browser")

UNDO_IS_OVER = """async () => {
  const db = await (await import('/static/js/offline/outbox.js')).openStore();
  for (const op of await db.getAll('ops')) await db.put('ops', { ...op, hold_until: 0 });
}"""
ADL = {"meal": 0, "grooming": 0, "dressing": 0, "toileting": 1, "activity": 1}


@pytest.fixture(scope="module")
def server(file_server: Server) -> Server:
    """One for the whole file: each test has a person of its own."""
    return file_server


def workers(context: BrowserContext, page: Page) -> Callable[[], None]:
    """Ends every worker of the browser, as the system does when it wants its memory."""
    session = context.new_cdp_session(page)
    session.send("ServiceWorker.enable")
    return lambda: session.send("ServiceWorker.stopAllWorkers")


def test_locking_shuts_every_tab_at_once_and_gives_back_what_was_half_typed(server, gate, through) -> None:
    phone = through("tabs")
    account = server.account("doctor", 3)
    phone.sign_in(account)
    page = phone.page
    form = f"/visits/new/adl?patient={account['patient_id']}"
    other, deaf = phone.context.new_page(), phone.context.new_page()
    deaf.add_init_script("delete globalThis.BroadcastChannel")  # as a page that the browser has put to sleep
    deaf.goto("/patients")
    rounds.ready(deaf)
    other.goto(form)
    rounds.ready(other)
    expect(other.locator("#visit-form")).to_have_attribute("data-started", "1")
    rounds.choose(other, "meal", 3)
    page.bring_to_front()
    page.goto("/patients")
    rounds.ready(page)
    gate.mode = "shut"
    page.goto("/me")
    rounds.ready(page)
    expect(page.locator("main")).to_contain_text("这一页没有存在手机上")
    page.get_by_role("button", name="现在上锁").click()
    locked(page)
    locked(other)
    assert other.url.startswith(f"{gate.url}/unlock?next=%2Fvisits%2Fnew%2Fadl")
    deaf.evaluate("() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    locked(deaf)
    page.go_back()  # what was read before is not behind the back button
    locked(page)
    assert "/patients" in page.url
    other.bring_to_front()
    unlock(other)
    assert other.url == gate.url + form
    rounds.ready(other)
    assert rounds.chosen(other, "meal") == ["3"]

    # A row that says three seconds stands for the five minutes.
    other.goto(form)
    rounds.ready(other)
    expect(other.locator("#visit-form")).to_have_attribute("data-started", "1")
    rounds.choose(other, "dressing", 5)
    other.evaluate(CHANGE, {"lock_minutes": 0.05})
    locked(other)
    other.evaluate(CHANGE, {"lock_minutes": 5})
    unlock(other)
    assert rounds.chosen(other, "dressing") == ["5"]


def test_a_page_in_use_keeps_the_others_open_and_nobody_s_touch_locks_them_all(server, gate, through) -> None:
    phone = through("idle")
    account = server.account("nurse")
    phone.sign_in(account)
    page, other = phone.page, phone.context.new_page()
    phone.context.clock.install()  # one clock for both; the server's five minutes hold
    for each in (page, other):
        each.goto("/today")
        rounds.ready(each)
    for minutes in ("04:00", "04:00"):
        phone.context.clock.fast_forward(minutes)
        page.locator("h1").first.click()
        page.wait_for_timeout(300)
    other.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(500)
    assert "/today" in page.url and "/today" in other.url
    phone.context.clock.fast_forward("05:30")
    for each in (page, other):
        locked(each)


def test_what_was_sealed_is_uploaded_behind_the_lock_and_the_words_come_after_it(
    server, gate, through
) -> None:
    phone = through("village")
    account = server.account("village")
    phone.sign_in(account)
    page = phone.page
    visible = {change["id"] for change in page.evaluate(PULL) if change["kind"] == "patient.create"}
    patient = sorted(visible)[0]
    settings = phone.context.new_page()
    settings.goto("/me")
    rounds.ready(settings)
    gate.mode = "shut"
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    rounds.start_visit(page, "adl")
    rounds.fill_adl(page, ADL)
    rounds.save(page)
    page.evaluate(UNDO_IS_OVER)
    stale = {"kind": "patient.update", "base_revision": 99}
    refused = page.evaluate(ADD, {**stale, "payload": {"patient_id": patient, "phone": "13900003333"}})
    settings.get_by_role("button", name="现在上锁").click()
    locked(page)
    settings.close()
    expect(page.locator("#strip")).to_contain_text("2 条仅在本机")
    expect(page.locator("#strip")).to_contain_text("锁着也会上传")
    gate.seen.clear()
    gate.open()
    page.reload()
    until(page, f"async () => (await ({STATES})()).join() === 'done,saved'")
    posts = {path for method, path in gate.seen if method == "POST"}
    assert posts == {"/api/sync/sealed"}
    expect(page.locator("#strip")).to_contain_text("1 条仅在本机")
    expect(page.locator("#strip")).not_to_contain_text("锁着也会上传")  # nobody can read yet what was said

    unlock(page)
    page.goto("/outbox")
    rounds.ready(page)
    until(page, f"async () => (await ({STATES})()).includes('done')")
    expect(page.locator(".card.needs")).to_contain_text("改电话")
    expect(page.locator("#strip")).to_contain_text("1 条需处理")
    expect(page.locator("#receipts")).to_contain_text("服务器回执 1/1")
    assert next(op for op in phone.outbox() if op["op_id"] == refused)["result"]["detail"]
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    expect(page.locator("#visits")).to_contain_text("生活自理")
    expect(page.locator("#visits")).not_to_contain_text("待上传")


def test_the_key_outlives_the_worker_as_long_as_a_page_has_it(server, gate, through) -> None:
    phone = through("killed")
    phone.sign_in(server.account("village", 1))
    page = phone.page
    stop = workers(phone.context, page)
    gate.mode = "shut"
    for path in ("/patients", "/outbox", "/today"):
        stop()
        page.goto(path)
        rounds.ready(page)
        assert page.url == gate.url + path
        assert page.evaluate(LOCK_GONE)
    stop()
    page.reload()
    rounds.ready(page)
    assert page.evaluate(LOCK_GONE)
    page.goto("about:blank")
    stop()
    page.goto("/today")
    locked(page)
    unlock(page)


def test_a_clock_set_back_shuts_the_phone_and_three_days_without_a_server_clear_it(
    server, gate, through
) -> None:
    phone = through("away")
    account = server.account("doctor", 0)
    phone.sign_in(account)
    gate.mode = "shut"
    page = restarted(phone, "/today")
    locked(page)
    # The row has seen an hour that the clock has not: it was turned back.
    page.evaluate(CHANGE, {"seen_at": now_ms(HOUR_MS)})
    page.reload()
    says(page, "手机的时间被调回去了")
    press(page, PIN)
    says(page, "手机的时间被调回去了")
    assert page.evaluate(ROW)["tries"] == 0
    gate.open()
    press(page, PIN)
    says(page, "老人资料加密存在这台手机上")
    unlock(page)
    phone.wait_for_pack(account["id"])

    gate.mode = "shut"
    page.evaluate(CHANGE, {"away_ms": 71.99 * HOUR_MS})
    page.goto("/patients")
    rounds.ready(page)
    page.evaluate(CHANGE, {"away_ms": 72.01 * HOUR_MS})
    page.goto("/patients")
    ended(page, "太久没有联网，本机的老人资料已清除")
    page.evaluate(CHANGE, {"seen_at": now_ms(-24 * HOUR_MS), "away_ms": 0})
    page.goto("/today")
    ended(page, "太久没有联网")
    assert page.evaluate(ROW)["has_key"] is False
