"""axe-core on every main screen, in light, dark and care mode; width 320; the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import rounds
from tests.e2e.world import PHONE, ROOT, set_pin

pytestmark = pytest.mark.xdist_group("browser")

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
NARROW = {"width": 320, "height": 640}
DARK = ["color-contrast"]  # the one rule that colours can break
RUN = """async (only) => {
  const found = await axe.run(document, {
    resultTypes: ['violations'],
    ...(only ? { runOnly: { type: 'rule', values: only } } : {}),
  });
  return found.violations
    .filter((one) => one.impact === 'serious' || one.impact === 'critical')
    .map((one) => one.id + ': ' + one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(' | '));
}"""
WIDER_THAN_THE_SCREEN = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SMALL_IN_CARE_MODE = """() => {
  const touched = '.btn, .tab, .input, .chip > span, .sheet-row, .num-input';
  return [...document.querySelectorAll(touched)]
    .map((one) => [one, one.getBoundingClientRect().height])
    .filter(([, height]) => height > 0 && height < 59.5)
    .map(([one, height]) => one.className + ' ' + one.textContent.trim() + ' ' + Math.round(height));
}"""
CARE = "(on) => document.documentElement.toggleAttribute('data-care', on)"
WRONG_VISIT = """async ([patient_id, name]) => {
  const outbox = await import('/static/js/offline/outbox.js');
  await outbox.add({
    kind: 'visit.create', label: '高血压随访', patient_id, patient_name: name,
    payload: { patient_id, form: 'hypertension', form_version: 'none', visited_at: 'never', answers: {} },
  });
}"""


LATE_STEP = """async (order_id) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const payload = { order_id, to: 'cancelled', note: '孩子回来了，不用来了' };
  await outbox.add({ kind: 'order.transition', payload, base_revision: 99, label: '取消订单' });
}"""


class Reader:
    """Looks at a page in every guise and keeps what is wrong with it."""

    def __init__(self) -> None:
        self.faults: dict[str, list[str]] = {}

    def look(self, page: Page, name: str) -> None:
        page.evaluate(AXE)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        said = page.evaluate(RUN, None)
        page.emulate_media(color_scheme="dark")
        said += [f"dark {one}" for one in page.evaluate(RUN, DARK)]
        page.emulate_media(color_scheme="light")
        was = page.evaluate("() => document.documentElement.hasAttribute('data-care')")
        page.evaluate(CARE, True)
        said += [f"care: {one} is small" for one in page.evaluate(SMALL_IN_CARE_MODE)]
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        for care in (True, False):
            page.evaluate(CARE, care)
            if (over := page.evaluate(WIDER_THAN_THE_SCREEN)) > 0:
                said.append(f"{over} px wider than 320{' in care mode' if care else ''}")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.evaluate(CARE, was)
        if said:
            self.faults[name] = said

    def visit(self, page: Page, *paths: str) -> None:
        for path in paths:
            page.goto(path)
            rounds.ready(page)
            self.look(page, path)


def first(page: Page, pattern: str) -> str:
    found = re.search(pattern, page.content())
    assert found, f"no {pattern} on {page.url}"
    return found[0]


def a_patient(page: Page, grade: str) -> str:
    """The address of somebody with this grade."""
    page.goto(f"/patients?grade={grade}")
    rounds.ready(page)
    return str(page.locator("a.row").first.get_attribute("href"))


def signed_in(phone: Callable[[str], Any], account: dict[str, Any]) -> Page:
    """Without waiting for the visit pack: these pages are read from the server."""
    page = phone(account["username"]).page
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    set_pin(page)
    return page


def test_no_main_screen_has_a_serious_fault_or_is_wider_than_a_small_phone(server, phone) -> None:
    reader = Reader()
    doctor = phone("doctor")
    page = doctor.page
    reader.visit(page, "/sign-in", "/sign-in/join", "/offline")
    doctor.sign_in(server.account("doctor"))
    reader.visit(page, "/today", "/patients", "/patients?find=1&q=zzz", "/outbox", "/me", "/notices")
    red, yellow, unrated = (a_patient(page, grade) for grade in ("red", "yellow", "unrated"))
    reader.visit(page, red, yellow, unrated, "/patients/new", f"{yellow}/edit")
    who = f"?patient={red.rsplit('/', 1)[-1]}"
    reader.visit(
        page, *(f"/visits/new/{form}{who}" for form in ("hypertension", "diabetes", "adl", "general"))
    )
    reader.visit(page, "/patients/nobody", "/family")  # 404 and 403

    page.goto(yellow)
    rounds.ready(page)
    page.locator("#visits a.row").first.click()
    rounds.ready(page)
    visit = page.url
    reader.visit(page, visit, f"{visit}/correct")

    doctor.offline()
    page.goto(red)
    rounds.ready(page)
    name = page.locator("h1").inner_text().split()[0]
    rounds.start_visit(page, "hypertension")
    rounds.fill_hypertension(page, 186, 104, refer=True)
    reader.look(page, "the form in an emergency")
    rounds.save(page)
    reader.look(page, "saved")
    page.goto("/outbox")
    expect(page.locator("#main")).to_contain_text(name)
    reader.look(page, "/outbox, waiting")
    page.click("#export-qr")
    expect(page.locator("#qr-code svg")).to_be_visible()
    reader.look(page, "/outbox, a code")
    page.locator("#qr-sheet .icon-btn").click()
    page.goto(red)
    expect(page.locator(".banner")).to_contain_text("186/104")
    reader.look(page, "a patient in an emergency")
    doctor.offline(False)
    page.evaluate(WRONG_VISIT, [red.rsplit("/", 1)[-1], name])
    page.goto("/outbox")
    rounds.ready(page)
    page.click("#send-now")
    expect(page.locator(".card.needs")).to_be_visible()
    reader.look(page, "/outbox, refused")
    page.locator('.card.needs [data-part="mend"]').click()
    expect(page.locator(".mend-ways")).to_be_visible()
    reader.look(page, "a refused visit, opened again")

    family = signed_in(phone, server.account("family"))
    reader.visit(family, "/family", "/orders/new", "/orders")
    reader.visit(family, order := first(family, r"/orders/[0-9a-f]{8}-[0-9a-f-]{27}"))
    family.evaluate(LATE_STEP, order.rsplit("/", 1)[-1])
    expect(family.locator("#sides .card")).to_be_visible()
    reader.look(family, "an order, both sides")
    dispatcher = signed_in(phone, server.account("dispatcher"))
    reader.visit(dispatcher, "/desk")
    manager = signed_in(phone, server.account("manager"))
    reader.visit(manager, "/me", "/devices", "/devices?q=zzz", "/handover")
    manager.goto("/devices")
    rounds.ready(manager)
    manager.locator("[data-confirm]").first.click()
    reader.look(manager, "/devices, asking")
    assert reader.faults == {}


def test_a_sheet_opens_and_closes_by_keyboard_and_gives_the_focus_back(server, phone) -> None:
    page = signed_in(phone, server.account("doctor"))
    page.goto(a_patient(page, "yellow"))
    rounds.ready(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()  # strip, then the way past everything
    opener = page.locator('.dock [data-sheet="start"]')
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog#start")).to_be_visible()
    assert page.evaluate("() => Boolean(document.activeElement.closest('dialog'))")
    page.keyboard.press("Escape")
    expect(page.locator("dialog#start")).to_be_hidden()
    expect(opener).to_be_focused()
