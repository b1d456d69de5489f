"""Second factor, given passwords and codes by text, in a browser: where each leads, and how it looks."""

from __future__ import annotations

import re
import time
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.e2e import rounds
from tests.e2e.test_accessibility import Reader, signed_in
from tests.e2e.world import Phone, Server, pass_lock, until

pytestmark = pytest.mark.xdist_group("browser")

NEW = "tau seven lamp"


class Authenticator:
    """The app on somebody's phone. Each code is used once, so the next one is taken a step later."""

    def __init__(self, secret: str) -> None:
        self.totp, self.used = pyotp.TOTP(secret), 0

    def code(self) -> str:
        """One around now that was not used before; waits for it when there is none yet."""
        while True:
            now = int(time.time()) // 30
            step = max(now - 1, self.used + 1)
            if step <= now + 1:
                self.used = step
                return self.totp.generate_otp(step)
            time.sleep(0.5)  # the next step is a matter of the clock


def set_up(page: Page, account: dict[str, Any]) -> Authenticator:
    page.goto("/me")
    rounds.ready(page)
    page.click("text=两步验证")
    page.fill("#password", account["password"])
    page.click("text=开始设置")
    expect(page.locator("svg.qr")).to_be_visible()
    authenticator = Authenticator(re.sub(r"\s", "", page.locator(".secret").inner_text()))
    page.fill("#code", authenticator.code())
    page.click(".account-form button.solid", no_wait_after=True)
    expect(page.locator(".recovery li")).to_have_count(10)
    return authenticator


def give_name(page: Page, account: dict[str, Any], password: str | None = None) -> None:
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", password or account["password"])
    page.click("#sign-in button[type=submit]")


def test_an_ended_session_asks_for_the_code_on_top_of_the_page(server: Server, phone) -> None:
    handset, account = phone("doctor"), server.account("doctor")
    handset.sign_in(account)
    page = handset.page
    authenticator = set_up(page, account)
    page.click("text=抄好了")
    page.wait_for_url("**/today")
    server.change("UPDATE login_sessions SET ended_at = created_at")
    page.reload()
    strip = page.locator("#strip")
    expect(strip).to_contain_text("请重新登录")
    strip.click()
    sheet = page.locator("dialog.sheet[open]")
    expect(sheet.get_by_label("验证器上的 6 位数字")).to_be_hidden()
    sheet.get_by_label("密码", exact=True).fill(account["password"])
    sheet.locator("button.solid").click()
    code = sheet.get_by_label("验证器上的 6 位数字")
    expect(code).to_be_focused()
    code.fill("000000")
    sheet.locator("button.solid").click()
    expect(sheet.get_by_role("alert")).to_contain_text("不对")
    sheet.get_by_label("密码", exact=True).fill(account["password"])
    code.fill(authenticator.code())
    sheet.locator("button.solid").click()
    expect(sheet).to_be_hidden()
    expect(strip).not_to_contain_text("请重新登录")


def test_the_sign_in_page_asks_for_the_code_second(server: Server, phone) -> None:
    account = server.account("doctor")
    authenticator = set_up(signed_in(phone, account), account)
    page = phone("another").page
    give_name(page, account)
    page.wait_for_url("**/sign-in/code")
    page.fill("#code", authenticator.code())
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    pass_lock(page)
    expect(page.locator("body")).to_have_attribute("data-user", account["id"])


def test_a_given_password_is_changed_before_anything_else(server: Server, phone) -> None:
    doctor, manager = server.account("doctor"), signed_in(phone, server.account("manager"))
    manager.goto(f"/people?q={doctor['username']}")
    rounds.ready(manager)
    manager.locator("a.row").first.click()
    manager.wait_for_url("**/people/*")
    rounds.ready(manager)
    manager.click("text=重设密码")
    manager.locator("#reset-sheet button.danger").click()
    once = manager.locator("#given-password").inner_text().strip()
    fresh: Phone = phone("fresh")
    give_name(fresh.page, doctor, once)
    fresh.page.wait_for_url("**/me/password")
    fresh.page.goto("/today")
    fresh.page.wait_for_url("**/me/password")
    fresh.page.fill("#current", once)
    fresh.page.fill("#new", NEW)
    fresh.page.fill("#again", NEW)
    fresh.page.click(".account-form button.solid")
    fresh.page.wait_for_url(lambda url: "/unlock" in url or "/me/password" not in url)
    pass_lock(fresh.page)
    until(fresh.page, "() => Boolean(document.body.dataset.user)")


def test_the_pages_of_accounts_have_no_serious_fault_and_fit_a_small_phone(server: Server, phone) -> None:
    reader = Reader()
    account = server.account("manager")
    page = signed_in(phone, account)
    reader.visit(page, "/me", "/me/password", "/me/two-step", "/people", "/people?q=zzz")
    page.goto("/me/password")
    for field in ("current", "new", "again"):
        page.fill(f"#{field}", "short")
    page.click("text=换密码")
    expect(page.locator("#current-fault")).to_be_visible()
    rounds.ready(page)
    reader.look(page, "/me/password, wrong")
    page.goto("/me/two-step")
    page.fill("#password", account["password"])
    page.click("text=开始设置")
    expect(page.locator("svg.qr")).to_be_visible()
    rounds.ready(page)
    reader.look(page, "/me/two-step, the code")
    authenticator = Authenticator(re.sub(r"\s", "", page.locator(".secret").inner_text()))
    page.fill("#code", authenticator.code())
    page.click(".account-form button.solid", no_wait_after=True)
    expect(page.locator(".recovery li")).to_have_count(10)
    rounds.ready(page)
    reader.look(page, "recovery codes")
    reader.visit(page, "/me/two-step")
    for summary in page.locator("summary").all():
        summary.click()
    reader.look(page, "/me/two-step, on")
    page.goto("/people")
    rounds.ready(page)
    page.locator("a.row").first.click()
    page.wait_for_url("**/people/*")
    rounds.ready(page)
    reader.look(page, "a person")
    page.click("text=重设密码")
    reader.look(page, "a person, asking")
    page.locator("#reset-sheet button.danger").click()
    expect(page.locator("#given-password")).to_be_visible()
    rounds.ready(page)
    reader.look(page, "a person, given")
    door = phone("stranger").page
    give_name(door, account)
    door.wait_for_url("**/sign-in/code")
    rounds.ready(door)
    reader.look(door, "/sign-in/code")
    reader.visit(door, "/sign-in", "/sign-in/sms")
    door.fill("#phone", "13812345678")
    door.click("text=发送验证码")
    door.wait_for_url("**/sign-in/sms/code")
    rounds.ready(door)
    reader.look(door, "/sign-in/sms/code")
    assert reader.faults == {}
