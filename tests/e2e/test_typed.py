"""What was typed and not saved outlives a killed browser, and a session that ends under somebody's hands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e import care, rounds
from tests.e2e.world import unlock, until

pytestmark = pytest.mark.xdist_group("browser")
KEPT = """async (part) => {
  const pages = await import('/static/js/offline/pages.js');
  for (const key of await pages.draftKeys()) {
    if (key.includes(part) && JSON.stringify(await pages.getDraft(key)).includes('三里桥')) return true;
  }
  return false;
}"""
TYPED = re.compile("三里桥向东第二家")
NO_DRAFTS = """async () => {
  await (await import('/static/js/vault/vault.js')).open();
  return !(await (await import('/static/js/offline/drafts.js')).names()).length;
}"""


def test_typed_text_outlives_a_killed_browser_on_every_form_people_type_into(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    doctor.rest()
    patient = account["patient_id"]
    made = care.push(doctor.page, "visit.create", care.visit(doctor.page, patient))
    forms = {
        f"/patients/{patient}/edit": ("patient.update", "#address"),
        "/patients/new": ("patient.create", "#name"),
        f"/orders/new?patient={patient}": ("order.create", "#note"),
        f"/visits/{made['entity_id']}/correct": ("adl", "#f-reason"),
    }
    for path, (part, selector) in forms.items():
        page = doctor.page
        page.goto(path)
        rounds.ready(page)
        until(page, "() => !document.querySelector('[data-started=\"\"]')")
        if part == "order.create":
            page.locator("#contact summary").click()
        page.locator(selector).press_sequentially("三里桥向东第二家")
        until(page, KEPT, part)
        doctor.kill()
        doctor.open()
        doctor.unlock(path)
        page = doctor.page
        expect(page.locator(selector)).to_have_value(TYPED)
        expect(page.locator(".draft-says")).to_contain_text("已恢复草稿")
        page.locator(".draft-says").get_by_role("button", name="清空").click()
        expect(page.locator(".draft-says")).to_have_count(0)
        rounds.ready(page)
        expect(page.locator(selector)).not_to_have_value(TYPED)
    until(doctor.page, NO_DRAFTS)


def test_a_saved_form_leaves_no_draft_and_a_locked_one_keeps_it(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    path = f"/patients/{account['patient_id']}/edit"
    page.goto(path)
    rounds.ready(page)
    page.fill("#address", "三里桥")
    page.evaluate("async () => (await import('/static/js/vault/idle.js')).lock()")
    unlock(page)
    rounds.ready(page)
    expect(page.locator("#address")).to_have_value("三里桥")
    page.get_by_role("button", name="保存（可离线）").click()
    page.wait_for_url(lambda url: not url.endswith("/edit"))
    until(page, NO_DRAFTS)


def test_a_session_that_ends_on_a_form_costs_no_letter_and_another_person_is_refused(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    other = server.account("doctor", 1)
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    page.goto(f"/visits/new/adl?patient={patient}")
    rounds.ready(page)
    expect(page.locator("#visit-form")).to_have_attribute("data-started", "1")
    doctor.context.clear_cookies()
    rounds.fill_adl(page, care.ADL)
    page.locator('[name="note"]').fill("三里桥")
    page.evaluate(care.SEND)
    strip = page.locator("#strip")
    expect(strip).to_contain_text("请重新登录")
    strip.click()
    sheet = page.locator("dialog[aria-label=重新登录]")
    sign_in(sheet, other)
    expect(sheet.get_by_role("alert")).to_contain_text("这一页是另一个人的")
    assert page.evaluate("() => fetch('/api/auth/me').then((answer) => answer.status)") == 401
    sheet.get_by_role("button", name="先不登录").click()
    rounds.save(page)
    notice = page.locator("#notice-signed-out")
    expect(notice).to_contain_text("登录已过期")
    record = doctor.outbox()[0]
    assert record["payload"]["answers"]["note"] == "三里桥"
    notice.get_by_role("button", name="登录").click()
    sign_in(page.locator("dialog[aria-label=重新登录]"), account)
    care.becomes(page, record["op_id"], "done")
    expect(page.locator("#notice-signed-out")).to_have_count(0)
    assert server.rows("SELECT author_id FROM visits WHERE id = ?", record["op_id"]) == [(account["id"],)]


def test_what_was_typed_stands_where_it_was_after_signing_in_again(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    page.goto("/patients/new")
    rounds.ready(page)
    doctor.context.clear_cookies()
    page.fill("#name", "三里桥")
    page.evaluate(care.SEND)
    page.locator("#strip").click()
    sheet = page.locator("dialog[aria-label=重新登录]")
    sign_in(sheet, account)
    expect(sheet).to_be_hidden()
    expect(page.locator("#strip")).not_to_contain_text("请重新登录")
    assert page.locator("#name").input_value() == "三里桥"


def sign_in(sheet: Any, account: dict[str, Any]) -> None:
    sheet.locator('input[name="username"]').fill(account["username"])
    sheet.locator('input[name="password"]').fill(account["password"])
    sheet.get_by_role("button", name="登录，接着上传").click()
