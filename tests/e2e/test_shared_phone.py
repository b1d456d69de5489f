"""One phone, two people: nobody sees, sends or loses what is the other's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import left, rounds
from tests.e2e.gate import Gate
from tests.e2e.storms.ground import add, patients_on, press_send
from tests.e2e.world import PIN, Phone, Server, press, set_pin, unlock, until

pytestmark = pytest.mark.xdist_group("browser")

ONLINE = "() => window.dispatchEvent(new Event('online'))"
LOCK = "async () => (await import('/static/js/vault/idle.js')).lock()"
STATES = """async () => {
  const db = await (await import('/static/js/offline/outbox.js')).openStore();
  return (await db.getAll('ops')).map((row) => row.state).sort();
}"""
READABLE = """async (author) => {
  const outbox = await import('/static/js/offline/outbox.js');
  return (await outbox.all(author)).filter((record) => !record.unreadable).length;
}"""
DRAFT = """async (text) => {
  const drafts = await import('/static/js/offline/drafts.js');
  await drafts.save('adl|somebody', {note: text});
}"""
MY_DRAFT = "async () => (await import('/static/js/offline/drafts.js')).load('adl|somebody')"
# Whose each page is that the browser shows, as soon as it stands.
NOTE_WHOSE = """addEventListener('DOMContentLoaded', () => {
  const whose = document.body.dataset.user || '';
  sessionStorage.setItem('whose', `${sessionStorage.getItem('whose') || ''} ${whose}`);
})"""
STORE = "nuanxun-store-"


def strip(page: Page) -> Any:
    return page.locator("#strip .strip-words")


def lock(page: Page) -> None:
    page.evaluate(LOCK)
    expect(page.locator('[data-page="unlock"]:not([hidden])')).to_be_visible()


def another_signs_in(page: Page, account: dict[str, Any]) -> None:
    """换一个人 on the lock, then with an account of their own."""
    page.locator('[data-lock="other"]').click()
    page.get_by_role("link", name="用别的账号登录").click()
    fill_in(page, account)


def fill_in(page: Page, account: dict[str, Any]) -> None:
    page.wait_for_url(re.compile("/sign-in"))
    rounds.ready(page)
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("#sign-in button[type=submit]")


def waits(page: Page, marks: list[str]) -> None:
    """Two visits of whoever has the phone open, which cannot be sent now."""
    page.goto("/outbox")
    rounds.ready(page)
    add(page, patients_on(page)[0], marks)
    expect(strip(page)).to_contain_text(f"{len(marks)} 条仅在本机")


def held(server: Server, *marks: str) -> int:
    return sum(len(server.rows("SELECT 1 FROM revisions WHERE instr(payload, ?)", mark)) for mark in marks)


def until_held(server: Server, page: Page, *marks: str) -> None:
    for _ in range(600):
        if held(server, *marks) == len(marks):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{held(server, *marks)} of {marks} have arrived")


def a_day_of_both(server: Server, gate: Gate, phone: Phone) -> tuple[Any, Any, list[str], list[str]]:
    """The first leaves two visits and a draft; the second takes over, with one of their own."""
    first, second = server.account("doctor", 0), server.account("doctor", 1)
    hers, his = ["hers one", "hers two"], ["his one"]
    page = phone.page
    phone.sign_in(first)
    gate.turn("shut")
    waits(page, hers)
    page.evaluate(DRAFT, "her draft")
    lock(page)
    assert first["name"] in page.inner_text("main") and "hers" not in page.content()
    expect(strip(page)).to_contain_text("2 条仅在本机")
    gate.spoiled |= {"/api/sync/push": "shut", "/api/sync/sealed": "shut"}
    gate.open()
    another_signs_in(page, second)
    set_pin(page)
    phone.wait_for_pack(second["id"])
    return first, second, hers, his


def test_the_second_person_sees_and_sends_nothing_of_the_first(server, gate, through) -> None:
    phone = through("shared")
    first, second, hers, his = a_day_of_both(server, gate, phone)
    page = phone.page
    page.goto("/outbox")
    rounds.ready(page)
    assert page.evaluate("() => document.body.dataset.user") == second["id"]
    expect(page.locator("#nothing")).to_be_visible()
    expect(strip(page)).to_contain_text("已全部上传")
    assert page.evaluate(MY_DRAFT) is None and page.evaluate(READABLE, first["id"]) == 0
    waits(page, his)
    gate.spoiled.clear()
    press_send(page)
    until_held(server, page, *his)
    expect(strip(page)).to_contain_text("已全部上传")
    page.evaluate(ONLINE)
    press_send(page)
    assert held(server, *hers) == 0
    assert page.evaluate(STATES) == ["done", "saved", "saved"]
    # Neither the lock nor the sign-in page says more than how many.
    lock(page)
    expect(strip(page)).to_contain_text("2 条仅在本机")
    for name in (first["name"], *hers):
        assert name not in page.content()
    page.locator('[data-lock="other"]').click()
    expect(page.locator("#other-sheet")).to_contain_text(first["name"])
    page.get_by_role("link", name="用别的账号登录").click()
    expect(page.locator("#unsent-note")).to_contain_text("2 条没上传")
    assert not any(word in page.content() for word in (*hers, first["name"], second["name"]))


def test_the_first_opens_the_phone_again_in_the_second_s_session(server, gate, through) -> None:
    phone = through("shared")
    first, second, hers, his = a_day_of_both(server, gate, phone)
    page = phone.page
    waits(page, his)
    lock(page)
    gate.turn("shut")
    page.locator('[data-lock="other"]').click()
    page.get_by_role("button", name=first["name"]).click()
    page.wait_for_url(re.compile("/unlock"))
    expect(page.locator('[data-lock="name"]')).to_have_text(first["name"])
    unlock(page)
    page.goto("/outbox")
    rounds.ready(page)
    expect(strip(page)).to_contain_text("2 条仅在本机")
    assert page.evaluate(READABLE, first["id"]) == 2 and page.evaluate(READABLE, second["id"]) == 0
    assert page.evaluate(MY_DRAFT) == {"note": "her draft"}

    # With a line, and his session still in the cookie.
    gate.spoiled.clear()
    gate.open()
    phone.context.add_init_script(NOTE_WHOSE)
    patient = patients_on(page)[0]
    page.evaluate(ONLINE)
    expect(strip(page)).to_contain_text("请重新登录")
    for path in ("/today", f"/patients/{patient}", "/outbox"):  # on the phone: her own
        page.goto(path)
        rounds.ready(page)
        assert page.evaluate("() => document.body.dataset.user") == first["id"], path
        expect(strip(page)).to_contain_text("请重新登录")
    for path in (f"/patients/{patient}/edit", "/notices", "/me", "/patients/nobody", "/devices", "/no-such"):
        page.goto(path)
        page.wait_for_url(re.compile("/sign-in"))
    shown = page.evaluate("() => sessionStorage.getItem('whose')")
    assert second["id"] not in shown and first["id"] in shown
    assert held(server, *hers) == 0
    until_held(server, page, *his)  # in his own session

    page.goto("/outbox")
    rounds.ready(page)
    expect(strip(page)).to_contain_text("请重新登录")
    page.click("#strip")
    sheet = page.get_by_role("dialog", name="重新登录")
    sheet.locator("#again-password").fill(second["password"])
    sheet.locator("#again-username").fill(second["username"])
    sheet.get_by_role("button", name="登录，接着上传").click()
    expect(sheet).to_contain_text("这一页是另一个人的")
    assert held(server, *hers) == 0
    sheet.locator("#again-username").fill(first["username"])
    sheet.locator("#again-password").fill(first["password"])
    sheet.get_by_role("button", name="登录，接着上传").click()
    until_held(server, page, *hers)
    expect(strip(page)).to_contain_text("已全部上传")
    assert [held(server, mark) for mark in (*hers, *his)] == [1, 1, 1]
    page.goto("/me")
    rounds.ready(page)
    assert page.evaluate("() => document.body.dataset.user") == first["id"]


def test_signing_in_in_another_tab_locks_the_first_person_s_tabs(server, gate, through) -> None:
    phone = through("shared")
    first, second = server.account("doctor", 0), server.account("doctor", 1)
    phone.sign_in(first)
    page = phone.page
    gate.turn("shut")
    waits(page, ["hers one"])
    gate.open()
    gate.spoiled |= {"/api/sync/push": "shut", "/api/sync/sealed": "shut"}
    tab = phone.context.new_page()
    tab.goto("/sign-in")
    fill_in(tab, second)
    tab.wait_for_url(re.compile("/unlock"))
    expect(tab.locator('[data-lock="name"]')).to_have_text(second["name"])
    expect(page.locator('[data-page="unlock"]:not([hidden])')).to_be_visible()
    set_pin(tab)
    until(tab, "() => document.body.dataset.user === '{}'".format(second["id"]))
    gate.spoiled.clear()
    page.goto("/outbox")  # the tab that was hers belongs to who has the phone open now
    rounds.ready(page)
    assert page.evaluate("() => document.body.dataset.user") == second["id"]
    press_send(page)
    assert held(server, "hers one") == 0 and page.evaluate(STATES) == ["saved"]
    assert page.evaluate(READABLE, first["id"]) == 0


def test_signing_out_asks_first_and_keeps_what_is_sealed_and_nothing_else(server, gate, through) -> None:
    phone = through("doctor")
    doctor = server.account("doctor")
    page = phone.page
    phone.sign_in(doctor)
    marks = ["sealed one", "sealed two"]
    gate.spoiled |= {"/api/sync/push": "shut", "/api/sync/sealed": "shut"}
    waits(page, marks)
    page.evaluate(DRAFT, "a draft")
    page.goto("/me")
    rounds.ready(page)
    sheet = page.locator("#leave-sheet")
    page.click("[data-sign-out] button")
    expect(sheet).to_contain_text("还有 2 条没上传")
    sheet.get_by_role("button", name="不退出", exact=True).click()
    expect(sheet).to_be_hidden()
    page.click("[data-sign-out] button")
    sheet.get_by_role("button", name="先上传，再退出").click()
    expect(sheet).to_contain_text("还有 2 条没有传完")
    sheet.get_by_role("button", name="仍然退出").click()
    page.wait_for_url(re.compile("/sign-in"))
    expect(page.locator("#unsent-note")).to_contain_text("2 条没上传")
    found = left.on(page)
    assert not [name for name in found["databases"] if name.startswith(STORE)]
    assert "nuanxun-outbox" in found["databases"]
    assert page.evaluate("async () => (await import('/static/js/vault/rows.js')).people()") == []
    rows = page.evaluate(
        """async () => {
          const db = await (await import('/static/js/offline/outbox.js')).openStore();
          return (await db.getAll('ops')).map((row) => [Boolean(row.sealed), 'payload' in row, row.state]);
        }"""
    )
    assert rows == [[True, False, "saved"]] * 2
    assert page.evaluate("() => fetch('/api/auth/me').then((answer) => answer.status)") == 401

    gate.spoiled.clear()
    fill_in(page, doctor)
    page.wait_for_url(re.compile("/unlock"))
    until(page, "() => document.querySelector('[data-lock=note]')?.textContent.includes('以后每次打开')")
    for _ in range(2):
        press(page, PIN[::-1])
        page.wait_for_timeout(100)
    until_held(server, page, *marks)
    phone.wait_for_pack(doctor["id"])
    until(page, f"async () => (await ({STATES})()).join() === 'done,done'")
    assert page.evaluate(READABLE, doctor["id"]) == 0  # sent as they were sealed
    assert page.evaluate(MY_DRAFT) is None
    page.goto("/me")
    rounds.ready(page)
    page.click("[data-sign-out] button")  # nothing waits: nothing is asked
    page.wait_for_url(re.compile("/sign-in"))


def test_signing_out_without_a_line_ends_the_session_before_anybody_comes_in(server, gate, through) -> None:
    phone = through("doctor")
    doctor = server.account("doctor")
    page = phone.page
    phone.sign_in(doctor)
    other = phone.context.new_page()
    other.goto("/today")
    rounds.ready(other)
    page.goto("/me")
    rounds.ready(page)
    gate.turn("shut")
    page.click("[data-sign-out] button")
    page.wait_for_url(re.compile("/unlock"))
    expect(page.locator("main")).to_contain_text("已退出登录")
    expect(other.locator("main")).to_contain_text("已退出登录")
    assert not [name for name in left.on(page)["databases"] if name.startswith(STORE)]
    gate.open()
    page.goto("/today")  # its session lives on at the server, and is still in the cookie
    expect(page.locator("main")).to_contain_text("已退出登录")
    page.get_by_role("link", name="重新登录").click()
    page.wait_for_url(re.compile("/sign-in"))
    assert page.evaluate("() => fetch('/api/auth/me').then((answer) => answer.status)") == 401
    fill_in(page, doctor)
    set_pin(page)


def test_an_ended_session_leaves_everything_readable_and_asks_to_sign_in(server, gate, through) -> None:
    phone = through("doctor")
    doctor = server.account("doctor")
    page = phone.page
    phone.sign_in(doctor)
    gate.turn("shut")
    waits(page, ["written before"])
    page.evaluate(DRAFT, "a draft")
    assert server.change("UPDATE login_sessions SET expires_at = created_at WHERE user_id = ?", doctor["id"])
    patient = patients_on(page)[0]
    for line in ("open", "shut"):
        gate.turn(line)
        page.evaluate(ONLINE)
        for path in ("/today", f"/patients/{patient}", "/outbox"):
            page.goto(path)
            rounds.ready(page)
            assert page.evaluate("() => document.body.dataset.user") == doctor["id"], (line, path)
            expect(strip(page)).to_contain_text("请重新登录" if line == "open" else "离线")
    assert page.evaluate(STATES) == ["saved"] and held(server, "written before") == 0
    add(page, patient, ["written afterwards"])  # work goes on
    phone.close()
    phone.open()
    gate.open()
    phone.unlock("/outbox")
    expect(strip(page := phone.page)).to_contain_text("请重新登录")
    assert page.evaluate(STATES) == ["saved", "saved"]
    page.goto("/sign-in")
    fill_in(page, doctor)
    until_held(server, page, "written before", "written afterwards")
    page.goto("/outbox")
    rounds.ready(page)
    assert page.evaluate(MY_DRAFT) == {"note": "a draft"}
    expect(strip(page)).to_contain_text("已全部上传")
