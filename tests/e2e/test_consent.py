"""A relative bound by a QR code, what is withheld on their phone, and a record restricted under a visit."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.e2e import care
from tests.e2e.world import READY_OR_LOCKED, pass_lock, until

pytestmark = pytest.mark.xdist_group("browser")
FETCH_PACK = """async () => {
  const pack = await import('/static/js/offline/pack.js');
  return ['fresh', 'current'].includes(
    (await pack.refresh({ user_id: document.body.dataset.user })).outcome,
  );
}"""
PAGE_IS_GONE = """async (url) => {
  const pages = await import('/static/js/offline/pages.js');
  return !(await pages.get(url));
}"""


def test_a_code_from_the_clinic_opens_the_home_of_a_relative_and_withdrawing_closes_it(server, phone) -> None:
    clinic, account = phone("doctor"), server.account("doctor")
    clinic.sign_in(account)
    page, patient = clinic.page, account["patient_id"]
    page.goto(f"/patients/{patient}/family")
    page.locator("summary", has_text="邀请家属").click()
    page.locator("label.chip", has_text="看测量数值").click()
    page.locator("label.chip", has_text="本人").last.click()
    page.get_by_role("button", name="生成绑定码").click()
    code = page.locator("#binding-code").inner_text()

    relative, son = phone("relative"), server.account("family", 1)
    home = relative.page
    home.goto(f"/family/bind#{code}")  # what the camera reads, before anybody signed in here
    until(home, READY_OR_LOCKED)
    home.fill("#username", son["username"])
    home.fill("#password", son["password"])
    home.click("#sign-in button[type=submit]")
    home.wait_for_url(lambda url: "/unlock" in url)
    pass_lock(home)
    expect(home.locator("#code")).to_have_value(code)
    expect(home).to_have_url(f"{server.url}/family/bind")  # the code does not stay in the address
    home.fill("#relation", "舅舅")
    home.get_by_role("button", name="交给卫生室确认").click()
    expect(home.locator("main")).to_contain_text("等卫生室确认")

    page.goto(f"/patients/{patient}/family")
    page.locator("section.waiting", has_text="舅舅").get_by_role("button", name="确认绑定").click()
    expect(page.locator("a.row", has_text="舅舅")).to_be_visible()
    home.goto("/family")
    expect(home.locator(f'[data-person="{patient}"]')).to_be_visible()
    expect(home.locator(f'a[href="/orders/new?patient={patient}"]')).to_be_visible()

    page.locator("a.row", has_text="舅舅").click()
    consents = page.locator('form[action$="/consents"]')
    consents.locator("label.chip", has_text="代点服务").click()
    consents.locator("label.chip", has_text="本人").click()
    page.get_by_role("button", name="保存老人的意思").click()
    expect(page.locator("main")).to_contain_text("收回 代点服务")
    until(home, "async () => (await fetch('/family', { headers: { 'X-Sync': '1' } })).ok")
    home.goto("/family")
    home.reload()
    expect(home.locator(f'[data-person="{patient}"]')).to_contain_text("舅舅没有同意您代点服务")
    expect(home.locator(f'a[href="/orders/new?patient={patient}"]')).to_have_count(0)


def test_a_relative_without_an_account_joins_by_the_code_they_scanned(server, phone) -> None:
    clinic, account = phone("doctor"), server.account("doctor")
    clinic.sign_in(account)
    page, patient = clinic.page, account["patient_id"]
    page.goto(f"/patients/{patient}/family")
    page.locator("summary", has_text="邀请家属").click()
    expect(page.locator("#wish")).to_be_hidden()
    page.locator("label.chip", has_text="监护人").click()
    expect(page.locator("#wish")).to_be_visible()
    page.fill("#guardian", "王建国")
    page.fill("#guardian_relation", "儿子")
    page.locator("label.chip", has_text="无民事行为能力").click()
    page.fill("#basis", "监护证明")
    page.get_by_role("button", name="生成绑定码").click()
    code = page.locator("#binding-code").inner_text()

    home = phone("granddaughter").page
    home.goto(f"/sign-in/join#{code}")
    until(home, READY_OR_LOCKED)
    expect(home.locator("#code")).to_have_value(code)
    expect(home).to_have_url(f"{server.url}/sign-in/join")  # the code does not stay in the address
    home.fill("#relation", "奶奶")
    home.fill("#name", "王小梅")
    home.fill("#phone", "13812345671")
    home.get_by_role("button", name="下一步").click()
    expect(home.locator("main")).to_contain_text("138****5671")
    home.fill("#code", text_message(server))
    home.get_by_role("button", name="交给卫生室确认").click()
    pass_lock(home)
    expect(home.locator("main")).to_contain_text("等卫生室确认")

    page.goto(f"/patients/{patient}/family")
    waiting = page.locator("section.waiting", has_text="王小梅")
    expect(waiting).to_contain_text("监护人 王建国（儿子，老人无民事行为能力，监护证明）")
    waiting.get_by_role("button", name="确认绑定").click()
    expect(page.locator("a.row", has_text="王小梅")).to_be_visible()
    until(home, "async () => (await fetch('/family', { headers: { 'X-Sync': '1' } })).ok")
    home.goto("/family")
    expect(home.locator(f'[data-person="{patient}"]')).to_be_visible()


def text_message(server) -> str:
    """The code on its way to the telephone; a demo has it in the log."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "jobs", "once", "send-sms"]
    done = subprocess.run(
        command, cwd=server.tree, env=server.env, capture_output=True, text=True, check=True
    )
    found = re.search(r"家属注册验证码 (\d{6})", done.stderr)
    assert found is not None, done.stderr
    return found[1]


def test_a_visit_to_a_restricted_person_waits_on_the_phone_with_words(server, phone) -> None:
    nurse, account = phone("nurse"), server.account("nurse")
    nurse.sign_in(account)
    patient = account["patient_id"]
    lead, doctor = phone("doctor"), server.account("doctor")
    lead.sign_in(doctor)
    lead.page.goto(f"/patients/{patient}/rights")
    lead.page.locator("summary", has_text="要求删除").click()
    lead.page.locator("label.chip", has_text="本人").last.click()
    lead.page.fill("#why-restrict", "不想再被打扰")
    lead.page.get_by_role("button", name="限制处理").click()
    lead.page.locator("#restrict-sheet button[value=yes]").click()
    expect(lead.page.locator("main")).to_contain_text("已限制处理")

    page = nurse.page
    payload = care.visit(page, patient)
    old = care.add(page, "visit.create", payload, "生活自理能力评估", patient_id=patient, patient_name="某人")
    care.becomes(page, old, "rejected")
    page.goto("/outbox")
    expect(page.locator("main")).to_contain_text("已限制处理")
    until(page, FETCH_PACK)
    until(page, PAGE_IS_GONE, f"/patients/{patient}")
