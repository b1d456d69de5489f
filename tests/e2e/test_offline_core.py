"""Reading and writing without a network, in a real browser, through a gate that misbehaves on the wire."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Playwright

from app import guard
from tests.e2e import rounds
from tests.e2e.gate import Gate
from tests.e2e.world import SHELL_IS_HERE, Phone, pass_lock, unlock

META = """async () => {
  const pages = await import('/static/js/offline/pages.js');
  const meta = await pages.meta();
  return meta ? {cursor: meta.cursor, user: meta.user, urls: Object.keys(meta.revs)} : null;
}"""
ADD = """async ({kind, payload, base_revision, n}) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const ids = [];
  for (let i = 0; i < n; i += 1) {
    const op = await outbox.add({kind, payload, base_revision, label: '改电话', patient_name: '测试'});
    ids.push(op.op_id);
  }
  return ids;
}"""
STATES = """async () => {
  const outbox = await import('/static/js/offline/outbox.js');
  const db = await outbox.openStore();
  return (await db.getAll('ops')).map((op) => op.state).sort();
}"""
CONTROLLED = "() => Boolean(navigator.serviceWorker && navigator.serviceWorker.controller)"


def until(page: Page, script: str, good: Callable[[Any], bool] = bool, seconds: float = 15) -> Any:
    """Ask the page until the answer is good. (Playwright's own waiting needs eval, which our CSP forbids.)"""
    end = time.monotonic() + seconds
    while True:
        found = page.evaluate(script)
        if good(found):
            return found
        assert time.monotonic() < end, f"still {found!r}"
        page.wait_for_timeout(100)


def strip(page: Page) -> str:
    return re.sub(r"\s+", " ", page.inner_text("#strip .strip-words"))


def until_strip(page: Page, words: str, seconds: float = 15) -> None:
    script = "() => document.querySelector('#strip .strip-words').textContent"
    until(page, script, lambda text: words in text, seconds)


def sign_in(phone: Phone, account: dict[str, Any], pack: bool = True) -> dict[str, Any]:
    page = phone.page
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url("**/unlock*")
    pass_lock(page)
    until(page, CONTROLLED)
    if not pack:
        return {}
    meta = until(page, META, lambda meta: meta and meta["user"] == account["id"])
    until(page, SHELL_IS_HERE)
    return meta


def change_phone(account: dict[str, Any], n: int = 1) -> dict[str, Any]:
    """A small operation: only the first of several with one base revision can win."""
    payload = {"patient_id": account["patient_id"], "phone": "13900002222"}
    return {"kind": "patient.update", "payload": payload, "base_revision": 1, "n": n}


def test_packed_pages_open_without_a_network_with_the_headers_of_the_server(server, gate, through) -> None:
    phone = through("doctor")
    meta = sign_in(phone, server.account("doctor"))
    assert {"/today", "/outbox", "/orders/new", "/visits/new/hypertension"} <= set(meta["urls"])
    gate.mode = "shut"
    patient = next(url for url in meta["urls"] if url.startswith("/patients/"))
    for url in ("/today", patient, "/visits/new/hypertension?patient=x", "/outbox", "/"):
        answer = phone.page.goto(url)
        assert answer is not None and answer.status == 200 and answer.headers["x-from"] == "phone", url
        for name, value in guard.HEADERS.items():
            assert answer.headers[name.lower()] == value, (url, name)
    until_strip(phone.page, "离线")
    assert phone.page.url.endswith("/today")  # the home page sent us on
    phone.page.goto("/patients/never-seen")
    assert "没有存在手机上" in phone.page.inner_text("main")


def unsent(gate: Gate, phone: Phone, account: dict[str, Any], n: int = 1) -> None:
    """`n` changes saved while no line is there."""
    gate.mode = "shut"
    phone.page.goto("/outbox")
    phone.page.evaluate(ADD, change_phone(account, n=n))


def test_a_record_survives_the_closed_browser_and_arrives_once(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    unsent(gate, phone, account)
    until_strip(phone.page, "1 条仅在本机")
    assert "改电话" in phone.page.inner_text("#waiting")
    phone.close()
    phone.open()
    phone.page.goto("/outbox")
    until_strip(phone.page, "1 条仅在本机")
    assert "改电话" not in phone.page.inner_text("main")  # a number, and nothing of what it is
    unlock(phone.page)
    assert "改电话" in phone.page.inner_text("#waiting")
    gate.open()
    phone.page.click("#send-now")
    until_strip(phone.page, "已全部上传")
    assert phone.page.evaluate(STATES) == ["done"]
    assert "服务器回执 1/1" in phone.page.inner_text("#receipts")


def test_a_portal_and_a_lost_answer_neither_lose_nor_double(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    phone.page.goto("/outbox")
    gate.mode = "portal"
    [op_id] = phone.page.evaluate(ADD, change_phone(account))
    until_strip(phone.page, "离线")
    assert phone.page.evaluate(STATES) == ["saved"]
    phone.page.goto("/today")
    assert "今日" in phone.page.title()  # and not the portal's page
    gate.mode = "lose"
    phone.page.goto("/outbox")
    phone.page.click("#send-now")
    until(phone.page, "() => !document.getElementById('send-now').disabled")
    assert phone.page.evaluate(STATES) == ["saved"]
    gate.open()
    phone.page.click("#send-now")
    until(phone.page, STATES, lambda states: states == ["done"])
    read = f"""async () => {{
      const outbox = await import('/static/js/offline/outbox.js');
      return (await outbox.get('{op_id}')).result.status;
    }}"""
    assert phone.page.evaluate(read) == "duplicate"
    assert gate.faults > 2


def test_a_line_that_hangs_shows_the_phone_s_page_and_keeps_the_record(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    gate.hang()
    begin = time.monotonic()
    phone.page.goto("/today", wait_until="domcontentloaded")
    assert time.monotonic() - begin < 5
    phone.page.evaluate(ADD, change_phone(account))
    assert phone.page.evaluate(STATES) in (["saved"], ["sending"])
    gate.open()


def test_two_tabs_send_everything_once(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    gate.mode = "shut"
    other = phone.context.new_page()
    for page in (phone.page, other):
        page.goto("/outbox")
        page.evaluate(ADD, change_phone(account, n=3))
    gate.open()
    phone.page.click("#send-now")
    other.click("#send-now")
    states = until(other, STATES, lambda found: not {"saved", "sending"} & set(found))
    assert states == ["conflict"] * 5 + ["done"]  # one base revision, one winner
    crossed = [op_id for push in gate.pushed for op_id in push]
    assert len(crossed) == len(set(crossed)) == 6


def test_what_the_worker_sends_and_the_server_refuses_is_not_sent_again(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    unsent(gate, phone, account, n=3)
    phone.page.goto("/static/icons/icon.svg")  # no page of ours sends
    gate.open()
    phone.background_sync()
    until(phone.page, "() => true", lambda _: gate.count("/api/sync/receipts"))
    phone.page.goto("/outbox")
    states = until(phone.page, STATES, lambda found: not {"saved", "sending"} & set(found))
    assert states == ["conflict", "conflict", "done"]
    until_strip(phone.page, "2 条需处理")
    assert [len(push) for push in gate.pushed] == [3] and gate.count("/api/sync/push") == 1


def test_an_expired_session_keeps_the_queue_and_another_person_sends_none(server, gate, through) -> None:
    phone = through("shared")
    first, second = server.account("doctor", 0), server.account("doctor", 1)
    sign_in(phone, first)
    unsent(gate, phone, first)
    phone.context.clear_cookies()
    gate.open()
    phone.page.click("#send-now")
    until_strip(phone.page, "请重新登录")
    assert phone.page.evaluate(STATES) == ["saved"]

    pushes = gate.count("/api/sync/push")
    sign_in(phone, second)
    urls = phone.page.evaluate(META)["urls"]
    assert f"/patients/{first['patient_id']}" not in urls or first["scope"] == second["scope"]
    phone.page.goto("/outbox")
    phone.page.click("#send-now")
    until(phone.page, "() => !document.getElementById('send-now').disabled")
    assert gate.count("/api/sync/push") == pushes
    assert phone.page.evaluate(STATES) == ["saved"]

    phone.page.goto("/me")
    rounds.ready(phone.page)
    phone.page.click("[data-sign-out] button")
    phone.page.wait_for_url("**/sign-in*")
    assert phone.page.evaluate(META) is None  # no page of theirs is left on the phone
    until(phone.page, "() => !document.getElementById('unsent-note').hidden")
    assert "1 条" in phone.page.inner_text("#unsent-note")
    sign_in(phone, first)
    until(phone.page, STATES, lambda states: states == ["done"])


def test_a_new_worker_waits_for_a_word_and_loses_nothing(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    sign_in(phone, account)
    gate.rewrite["/api/sync/push"] = lambda body: b"not json"
    phone.page.evaluate(ADD, change_phone(account, n=50))
    newer = b"000000000002"
    gate.rewrite["/sw.js"] = lambda text: re.sub(rb'"BUILD":"\w+"', b'"BUILD":"%s"' % newer, text)
    phone.page.goto("/patients")
    until(phone.page, "() => Boolean(document.getElementById('notice-update'))")
    assert phone.page.evaluate("async () => (await caches.keys()).length") == 2  # the old shell still serves
    phone.page.evaluate("() => { window.stillHere = true; }")
    phone.page.wait_for_timeout(300)
    assert phone.page.evaluate("() => window.stillHere")  # nothing reloaded by itself
    with phone.page.expect_navigation():
        phone.page.click("#notice-update button")
    until(phone.page, CONTROLLED)
    caches = until(phone.page, "async () => caches.keys()", lambda names: len(names) == 1)
    assert caches == ["shell-000000000002"]
    assert len(phone.page.evaluate(STATES)) == 50
    del gate.rewrite["/api/sync/push"]
    phone.page.goto("/outbox")
    phone.page.click("#send-now")
    states = until(phone.page, STATES, lambda found: not {"saved", "sending"} & set(found))
    assert states.count("done") == 1 and len(states) == 50


def test_pages_evicted_by_the_system_come_back_and_the_outbox_stays(server, gate, through) -> None:
    phone = through("doctor")
    account = server.account("doctor")
    before = sign_in(phone, account)
    unsent(gate, phone, account)
    wipe = "async () => (await import('/static/js/offline/pages.js')).clear()"
    phone.page.evaluate(wipe)
    answer = phone.page.goto("/today")
    assert answer is not None
    assert "没有存在手机上" in phone.page.inner_text("main")  # and not an empty list of patients
    gate.open()
    phone.page.goto("/today")
    assert set(until(phone.page, META)["urls"]) == set(before["urls"])
    until(phone.page, STATES, lambda states: states == ["done"])


def test_without_a_worker_the_outbox_still_works(server, gate, playwright: Playwright, tmp_path) -> None:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    context = browser.new_context(base_url=gate.url, service_workers="block", locale="zh-CN")
    page = context.new_page()
    account = server.account("doctor")
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    until(page, "() => Boolean(document.getElementById('panel'))")  # no pack brings everybody: a request does
    page.click('.count[data-state="all"]')
    assert gate.count("/today") == 2 and page.url.endswith("/today")
    page.goto("/outbox")
    rounds.ready(page)
    assert "不能离线打开页面" in page.inner_text("#no-worker")
    page.evaluate(ADD, change_phone(account))
    until(page, STATES, lambda states: states == ["done"])
    browser.close()
