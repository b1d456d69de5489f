"""The main job, end to end: a round without signal, an order without signal, everything synced once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import rounds
from tests.e2e.gate import Gate
from tests.e2e.records import PULL, RECORD, people, pick
from tests.e2e.world import unlock, until

pytestmark = pytest.mark.xdist_group("browser")

ORDER_IS = "async ([id, state]) => (await (await fetch('/api/orders/' + id)).json()).state === state"


def test_a_days_round_and_a_family_order_without_signal_arrive_exactly_once(server, phone, request) -> None:
    # Chromium sends by itself as it starts, before a test can say it is offline: the line is cut outside.
    gate = Gate(server.url)
    request.addfinalizer(gate.close)
    doctor = phone("doctor", gate.url)
    doctor.sign_in(server.account("doctor"))
    patients = people(doctor.page)
    used: set[str] = set()
    high = pick(patients, used, has="hypertension", lacks="diabetes_t2")
    sweet = pick(patients, used, has="diabetes_t2")
    frail = next(p for p in patients if p["id"] not in used)

    family = phone("family")
    family.sign_in(server.account("family"))

    # -- no signal ------------------------------------------------------------------------------------
    gate.mode = "shut"
    page = doctor.page
    rounds.open_patient(page, high["name"])
    rounds.start_visit(page, "hypertension")
    rounds.fill_hypertension(page, 186, 104, refer=True)
    expect(page.locator("#grade-preview")).to_contain_text("危急")
    expect(page.locator("#grade-preview")).to_contain_text("血压达危急值")
    rounds.save(page)
    expect(page.locator("#main")).to_contain_text("血压达危急值")
    expect(page.locator("#main")).to_contain_text("医院还没有收到")

    rounds.open_patient(page, sweet["name"])
    rounds.start_visit(page, "diabetes")
    rounds.fill_diabetes(page, 7.8)
    expect(page.locator("#grade-preview")).to_contain_text("空腹血糖")
    rounds.save(page)

    rounds.open_patient(page, frail["name"])
    rounds.start_visit(page, "adl")
    rounds.fill_adl(page, {"meal": 3, "grooming": 3, "dressing": 3, "toileting": 5, "activity": 5})
    expect(page.locator("#visit-form")).to_contain_text("19 分")
    expect(page.locator("#visit-form")).to_contain_text("不能自理")
    rounds.save(page)

    # -- seen as pending everywhere -------------------------------------------------------------------
    page.goto("/today")
    expect(page.locator("#strip")).to_contain_text("离线")
    expect(page.locator("#strip")).to_contain_text("3 条仅在本机")
    page.locator('.count[data-count="visited"], a.count:has-text("已访")').first.click()
    for person in (high, sweet, frail):
        expect(page.locator("a.row", has_text=person["name"]).first).to_contain_text("待上传")
    page.goto(f"/patients/{high['id']}")
    expect(page.locator("#main")).to_contain_text("待上传")
    expect(page.locator(".banner")).to_contain_text("186/104")
    page.goto("/outbox")
    for person in (high, sweet, frail):
        expect(page.locator("#main")).to_contain_text(person["name"])

    # -- the battery dies, the phone comes back, still no signal ---------------------------------------
    before = sorted(op["op_id"] for op in doctor.outbox())
    assert len(before) == 3
    doctor.close()
    doctor.open()
    page = doctor.page
    page.goto("/outbox")
    expect(page.locator("#strip")).to_contain_text("3 条仅在本机")
    unlock(page)
    expect(page.locator("#strip")).to_contain_text("3 条仅在本机")
    assert sorted(op["op_id"] for op in doctor.outbox()) == before
    page.goto(f"/patients/{high['id']}")
    expect(page.locator(".banner")).to_contain_text("186/104")

    # -- the family orders without signal --------------------------------------------------------------
    family.offline()
    ask = family.page
    ask.goto("/orders/new")
    rounds.ready(ask)
    ask.locator("#service-H01").check()
    ask.locator("label", has_text="明天上午").click()
    ask.get_by_role("button", name="提交").click()
    expect(ask.locator("#main")).to_contain_text("还在这台手机上")
    expect(ask.locator("#main")).to_contain_text("待上传")

    # -- signal ---------------------------------------------------------------------------------------
    gate.open()
    family.offline(False)
    page.goto("/outbox")
    page.get_by_role("button", name="立即上传").click()
    expect(page.locator("#strip")).to_contain_text("已全部上传", timeout=30_000)
    sent = doctor.outbox()
    assert sorted(op["op_id"] for op in sent) == before
    assert {op["state"] for op in sent} == {"done"}

    changes = page.evaluate(PULL)
    for op in sent:
        arrived = [c for c in changes if c["op_id"] == op["op_id"]]
        assert len(arrived) == 1 and arrived[0]["payload"] == op["payload"]
        shown = page.evaluate(RECORD, f"/api/visits/{op['op_id']}")
        phones_own = op["payload"]["grade"]
        servers = shown["record"]["grade"]
        for key in ("colour", "emergency", "reasons", "missing", "due_in_days"):
            assert servers[key] == phones_own[key], key
    page.goto("/today")
    page.locator('.count[data-count="visited"], a.count:has-text("已访")').first.click()
    row = page.locator("a.row", has_text=high["name"]).first
    expect(row).to_be_visible()
    expect(row).not_to_contain_text("待上传")

    ask.goto("/outbox")
    ask.get_by_role("button", name="立即上传").click()
    expect(ask.locator("#strip")).to_contain_text("已全部上传", timeout=30_000)
    [order] = family.outbox()
    assert order["state"] == "done"

    # -- the clinic carries it to done, the family confirms ----------------------------------------------
    clinic = phone("clinic")
    clinic.sign_in(server.account("village"))
    desk = clinic.page
    desk.goto("/desk")
    expect(desk.locator(f'[href*="{order["op_id"]}"], [data-order="{order["op_id"]}"]').first).to_be_visible()
    me = clinic.page.evaluate("() => document.body.dataset.user")
    carry(desk, order["op_id"], ["scheduled", "accepted", "en_route", "in_service", "done"], performer=me)
    ask.goto(f"/orders/{order['op_id']}")
    ask.reload()
    carry(ask, order["op_id"], ["confirmed"])
    shown = ask.evaluate(RECORD, f"/api/orders/{order['op_id']}")
    assert shown["state"] == "confirmed"
    assert shown["revision"] == 7


def carry(page: Page, order_id: str, states: list[str], performer: str = "") -> None:
    """Press the buttons of the order's page, one state after the other, each confirmed by the server."""
    for state in states:
        page.goto(f"/orders/{order_id}")
        rounds.ready(page)
        form = page.locator(f'form[data-op="order.transition"]:has([name="to"][value="{state}"])').first
        opener = page.locator(f'[data-sheet="{form.evaluate("f => f.closest(`dialog`)?.id || ``")}"]')
        if opener.count():
            opener.first.click()
        if state == "scheduled":
            form.locator('[name="assignee_id"]').select_option(performer)
        own = form.get_attribute("id") or "none"
        form.locator("button:not([type=button])").or_(page.locator(f'button[form="{own}"]')).last.click()
        until(page, ORDER_IS, [order_id, state])
