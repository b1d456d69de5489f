"""A lost phone is shut out after a question; records from a QR code are taken on."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.shared.ids import new_id
from tests.e2e import rounds
from tests.e2e.engines.driver import patiently
from tests.e2e.world import pass_lock, until
from tests.factories import an_id_card
from tests.sealing import sealed

pytestmark = pytest.mark.xdist_group("browser")
VILLAGE = "() => fetch('/patients/new').then((r) => r.text()).then((t) => t.match(/value=.(\\d{12})/)[1])"
KEPT = "async () => (await indexedDB.databases()).map(({ name }) => name)"
ME = "() => fetch('/api/auth/me').then((answer) => answer.json())"


def signed_in(phone, name: str, account: dict[str, Any]) -> Page:
    page = phone(name).page
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    pass_lock(page)
    return page


def a_code(page: Page, number: int) -> str:
    """What the doctor's phone would show as a QR code: a patient that it cannot send."""
    me = page.evaluate(ME)
    op = {
        "op_id": new_id(),
        "device_id": "old-phone",
        "author_id": me["user"]["id"],
        "kind": "patient.create",
        "recorded_at": "2026-06-01T09:12:00+08:00",
        "payload": {
            "name": f"新来的{number}",
            "id_card": an_id_card(900 + number, "19410203"),
            "phone": "13900001234",
            "village_id": page.evaluate(VILLAGE),
        },
    }
    text = json.dumps({"sealed": [sealed(me["seal"], op)]}).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def test_a_lost_phone_is_shut_out_only_after_a_question(server, phone) -> None:
    doctor = server.account("doctor")
    lost = signed_in(phone, "lost", doctor)
    page = signed_in(phone, "manager", server.account("manager"))
    page.goto("/devices")
    rounds.ready(page)
    button = page.locator(".phones", has_text=doctor["name"]).get_by_role("button", name="停用").first
    sheet = page.locator("#revoke-sheet")
    button.click()
    expect(sheet).to_contain_text(doctor["name"])
    expect(sheet).to_contain_text("没上传的记录也会一起清除")
    sheet.get_by_role("button", name="先不停用").click()
    expect(sheet).to_be_hidden()
    assert lost.evaluate("() => fetch('/api/auth/me').then((answer) => answer.status)") == 200
    button.click()
    sheet.get_by_role("button", name="停用", exact=True).click()
    expect(page.locator("main")).to_contain_text("已停用，等它联网后清除")
    assert lost.evaluate("() => fetch('/api/auth/me').then((answer) => answer.status)") == 401


def test_a_lost_phone_that_lies_locked_is_wiped_as_soon_as_it_meets_the_server(server, phone) -> None:
    doctor = server.account("doctor")
    lost = phone("lost")
    lost.sign_in(doctor)
    lost.rest()
    lost.close()
    assert server.change("UPDATE devices SET revoked_at = last_seen_at WHERE user_id = ?", doctor["id"])
    lost.open()
    lost.page.goto("/today")
    # Over the unlock page or, where the browser was quicker to ask the server, in its place.
    expect(lost.page.locator("body")).to_contain_text("这台手机已被停用")
    patiently(
        lambda: server.rows("SELECT 1 FROM devices WHERE user_id = ? AND wiped_at > ''", doctor["id"]),
        20,
        lambda: "the server never heard that it is wiped",
    )
    assert [name for name in lost.page.evaluate(KEPT) if name.startswith("nuanxun-store-")] == []


def test_records_of_several_codes_are_taken_on_together_and_leave_the_address_at_once(server, phone) -> None:
    doctor = signed_in(phone, "doctor", server.account("doctor"))
    first, second = a_code(doctor, 1), a_code(doctor, 2)
    doctor.goto(f"/handover#{first}")
    rounds.ready(doctor)
    expect(doctor.locator("#handed")).to_contain_text("1 条记录")
    expect(doctor.locator("#by-file")).to_be_hidden()
    assert doctor.evaluate("() => location.hash") == ""
    doctor.evaluate("(code) => { location.hash = code; }", second)
    expect(doctor.locator("#handed")).to_contain_text("2 条记录")
    until(doctor, "() => location.hash === ''")
    doctor.evaluate("() => { location.hash = 'not-one-of-ours'; }")
    expect(doctor.locator("#unreadable")).to_be_visible()
    expect(doctor.locator("#handed")).to_contain_text("2 条记录")
    doctor.get_by_role("button", name="收下").click()
    doctor.wait_for_url("**/handover/*")
    expect(doctor.locator(".counts")).to_contain_text("2收下")


def test_a_code_read_before_signing_in_is_there_afterwards(server, phone) -> None:
    account = server.account("doctor")
    code = a_code(signed_in(phone, "doctor", account), 3)
    page = phone("another").page
    page.goto(f"/handover#{code}")
    page.wait_for_url(lambda url: "/sign-in?next=" in url)
    rounds.ready(page)
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    pass_lock(page)
    page.wait_for_url("**/handover")
    expect(page.locator("#handed")).to_contain_text("1 条记录")
