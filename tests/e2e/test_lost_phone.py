"""A phone that was reported lost empties itself at its next contact, whichever part of it that reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import left, rounds
from tests.e2e.gate import Gate
from tests.e2e.storms.ground import add, patients_on
from tests.e2e.world import LOCK_TAKES, Phone, Server, until

pytestmark = pytest.mark.xdist_group("browser")

ONLINE = "() => window.dispatchEvent(new Event('online'))"
LOCK = "async () => { (await import('/static/js/vault/idle.js')).lock(); }"
DEVICE = "() => localStorage.getItem('nx-device')"
SAYS = "这台手机已被停用"
STATUS = "(path) => fetch(path, {headers: {'X-Sync': '1'}}).then((answer) => answer.status)"
PACK = """async () => {
  const pack = await import('/static/js/offline/pack.js');
  return pack.refresh({user_id: document.body.dataset.user});
}"""


# -- where the phone is when it hears of it ---------------------------------------------------------------


def an_open_page(gate: Gate, lost: Phone) -> None:
    gate.open()
    lost.page.evaluate(ONLINE)
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def only_the_pack(gate: Gate, lost: Phone) -> None:
    gate.spoiled["/api/auth/me"] = "shut"
    gate.open()
    lost.page.evaluate(PACK)
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def only_the_worker_s_refresh(gate: Gate, lost: Phone) -> None:
    gate.spoiled |= {"/api/auth/me": "shut", "/api/pack": "shut"}
    gate.open()
    lost.page.goto("/today")
    if not gate.strip:  # the browser has emptied the phone, and ended the worker before it could say so
        gate.spoiled.clear()
        lost.page.goto("/today")
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def a_page_that_is_not_kept(gate: Gate, lost: Phone) -> None:
    gate.open()
    lost.page.goto("/notices")
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def the_lock(gate: Gate, lost: Phone) -> None:
    lost.page.evaluate(LOCK)
    until(lost.page, LOCK_TAKES)
    gate.open()
    lost.page.evaluate(ONLINE)
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def the_closed_app(gate: Gate, lost: Phone) -> None:
    lost.close()
    gate.open()
    lost.open()
    lost.page.goto("/today")
    expect(lost.page.locator("main")).to_contain_text(SAYS)


def only_the_sync_event(gate: Gate, lost: Phone) -> None:
    lost.close()
    lost.open()
    gate.open()
    lost.background_sync()
    # A worker cannot reach localStorage, where only this browser's name and two counters lie: the header
    # clears it, and where that is ignored the first page does.
    emptied(lost, "local")
    lost.page.goto("/")
    expect(lost.page.locator("main")).to_contain_text(SAYS)


WAYS: list[Callable[[Gate, Phone], None]] = [
    an_open_page,
    only_the_worker_s_refresh,
    the_lock,
    the_closed_app,
    only_the_sync_event,
    only_the_pack,
    a_page_that_is_not_kept,
]


# -- the steps of a round -----------------------------------------------------------------------------------


def report_lost(page: Page, device: str, path: str) -> None:
    """By the person themself in 我, or by a manager at /devices."""
    page.goto(path)
    rounds.ready(page)
    page.locator(f'form[action="/devices/{device}/revoke"] button').click()
    page.locator("#revoke-sheet").get_by_role("button", name="停用", exact=True).click()
    expect(page.locator("main")).to_contain_text("已停用，等它联网后清除")


def prepared(gate: Gate, lost: Phone, account: dict[str, Any], mark: str) -> str:
    """Signed in, everything on the phone, one record waiting, and no line. Returns the device's name."""
    gate.open()
    gate.spoiled.clear()
    lost.sign_in(account)
    gate.turn("shut")
    lost.page.goto("/outbox")
    rounds.ready(lost.page)
    add(lost.page, patients_on(lost.page)[0], [mark])
    return lost.page.evaluate(DEVICE)


def wiped_at(server: Server, device: str) -> str | None:
    return server.rows("SELECT wiped_at FROM devices WHERE device_id = ?", device)[0][0]


def wait_until_wiped(server: Server, page: Page, device: str) -> None:
    for _ in range(300):
        if wiped_at(server, device):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the phone did not say that it is empty")


def emptied(lost: Phone, *but: str) -> None:
    """Looked at calmly: while page after page opens, Chromium does not come to unregister a worker."""
    stop = time.monotonic() + 90
    while time.monotonic() < stop:
        found = left.anew(lost)
        if all(found[name] == left.NOTHING[name] for name in found if name not in but):
            return
        lost.page.wait_for_timeout(2000)
    raise AssertionError(found)


def nothing_left(lost: Phone) -> None:
    """Neither now nor after what still runs was woken."""
    emptied(lost)
    for page in lost.context.pages:
        if page.url.startswith(lost.url):
            page.evaluate(ONLINE)
    lost.page.wait_for_timeout(300)
    found = left.anew(lost)
    assert found == left.NOTHING, found


def shut_out(lost: Phone) -> None:
    page = lost.context.new_page()
    page.goto("/healthz")
    for path in ("/today", "/api/auth/me", "/api/pack", "/me"):
        assert page.evaluate(STATUS, path) == 401, path
    page.close()


def a_round(
    server: Server, gate: Gate, lost: Phone, other: Page, path: str, way: Callable[[Gate, Phone], None]
) -> None:
    doctor = server.account("doctor")
    mark = f"never sent {way.__name__} {path} {len(gate.strip)}"
    device = prepared(gate, lost, doctor, mark)
    assert len(left.on(lost.page)["databases"]) == 3
    report_lost(other, device, path)
    way(gate, lost)
    wait_until_wiped(server, other, device)
    nothing_left(lost)
    assert not server.rows("SELECT 1 FROM revisions WHERE instr(payload, ?)", mark)
    other.goto(path)
    expect(other.locator("main")).to_contain_text("已清除")


def signed_in(phone: Any, name: str, account: dict[str, Any]) -> Page:
    page = phone(name).page
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    return page


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_empties_itself_where_the_browser_does_not_do_it_for_us(server, gate, through, phone, way) -> None:
    gate.strip.add("clear-site-data")
    another = phone("another")
    another.sign_in(server.account("doctor"))
    a_round(server, gate, through("lost"), another.page, "/me", way)


def test_round_after_round_on_one_phone_that_is_signed_in_on_anew(
    server, gate, through, phone, pytestconfig
) -> None:
    another = phone("another")
    another.sign_in(server.account("doctor"))
    manager = phone("manager")
    manager.sign_in(server.account("manager"))
    lost = through("lost")
    for n in range(pytestconfig.getoption("wipes")):
        gate.strip = {"clear-site-data"} if n // 2 % 2 else set()
        page, path = (another.page, "/me") if n % 2 else (manager.page, "/devices")
        a_round(server, gate, lost, page, path, WAYS[n % len(WAYS)])
    gate.open()
    gate.spoiled.clear()
    lost.sign_in(server.account("doctor"))
    expect(lost.page.locator("#strip")).to_contain_text("在线")


@pytest.mark.parametrize("heeded", [True, False], ids=["heeded", "ignored"])
def test_when_its_word_is_lost_it_says_so_at_the_next_contact(server, gate, through, phone, heeded) -> None:
    gate.strip = set() if heeded else {"clear-site-data"}
    another = phone("another")
    another.sign_in(server.account("doctor"))
    lost = through("lost")
    device = prepared(gate, lost, server.account("doctor"), "never sent")
    report_lost(another.page, device, "/me")
    gate.spoiled["/api/devices/wiped"] = "shut"
    an_open_page(gate, lost)
    emptied(lost)
    assert wiped_at(server, device) is None
    shut_out(lost)
    gate.spoiled.clear()
    lost.page.get_by_role("link", name="重新登录").click()
    wait_until_wiped(server, another.page, device)
    expect(lost.page.locator("main")).to_contain_text(SAYS)
    lost.sign_in(server.account("doctor"))
    assert lost.page.evaluate(DEVICE) != device


def test_a_second_tab_shows_nothing_either_and_starts_nothing_anew(server, gate, through, phone) -> None:
    gate.strip.add("clear-site-data")
    another = phone("another")
    another.sign_in(server.account("doctor"))
    lost = through("lost")
    device = prepared(gate, lost, server.account("doctor"), "never sent")
    tab = lost.context.new_page()
    tab.goto("/today")
    rounds.ready(tab)
    report_lost(another.page, device, "/me")
    an_open_page(gate, lost)
    expect(tab.locator("main")).to_contain_text(SAYS)
    assert not tab.locator("a.row").count()
    wait_until_wiped(server, another.page, device)
    nothing_left(lost)


def test_a_phone_lost_for_longer_than_a_session_is_told_all_the_same(server, gate, through, phone) -> None:
    another = phone("another")
    another.sign_in(server.account("doctor"))
    lost = through("lost")
    device = prepared(gate, lost, server.account("doctor"), "never sent")
    server.change("UPDATE login_sessions SET expires_at = created_at WHERE device_id = ?", device)
    [cookie] = [c for c in lost.context.cookies() if c["name"] == "session"]
    days = (cookie["expires"] - lost.page.evaluate("() => Date.now()") / 1000) / 86400
    assert days > 390
    report_lost(another.page, device, "/me")
    the_lock(gate, lost)
    wait_until_wiped(server, another.page, device)
    nothing_left(lost)


def test_a_signed_out_phone_that_was_reported_lost_can_be_signed_in_on(server, gate, through, phone) -> None:
    """Its cookie is gone, so only the sign-in itself can tell it: by the name of the browser."""
    gate.strip.add("clear-site-data")
    doctor = server.account("doctor")
    another = phone("another")
    another.sign_in(doctor)
    lost = through("lost")
    lost.sign_in(doctor)
    device = lost.page.evaluate(DEVICE)
    lost.context.clear_cookies()
    report_lost(another.page, device, "/me")
    lost.page.goto("/sign-in")
    rounds.ready(lost.page)
    lost.page.fill("#username", doctor["username"])
    lost.page.fill("#password", doctor["password"])
    lost.page.click("#sign-in button[type=submit]")
    expect(lost.page.locator("main")).to_contain_text(SAYS)
    emptied(lost)
    lost.sign_in(doctor)
    assert lost.page.evaluate(DEVICE) != device
