"""需处理: what was refused or overtaken is opened, mended and sent; nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.e2e import care, rounds
from tests.e2e.gate import Gate
from tests.e2e.world import Phone, Server, phones_for, until
from tests.factories import an_id_card

pytestmark = pytest.mark.xdist_group("browser")
MENDING = "改好，再上传"
GIVEN_BACK = """async (op_id) => {
  const outbox = await import('/static/js/offline/outbox.js');
  const record = await outbox.get(op_id);
  return record.state === 'rejected' && !record.unreadable;
}"""
NOTHING_HEALED = """async () => {
  const receipts = await import('/static/js/offline/receipts.js');
  return !(await receipts.last(document.body.dataset.user)).healed;
}"""
APPLIED = "SELECT op_id, replaces, entity_id, revision FROM revisions WHERE author_id = ? AND op_id = ?"


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    standing = Gate(server.url)
    yield standing
    standing.close()


@pytest.fixture
def through(gate: Gate, playwright: Playwright, tmp_path: Path) -> Iterator[Callable[[str], Phone]]:
    """through("name") is a phone whose every request passes the gate."""
    with phones_for(playwright, tmp_path, gate.url) as another:
        yield another


def one_more(server: Server, account: dict[str, Any], record: dict[str, Any], old: str) -> tuple[str, int]:
    """On the server the new one stands under its own name and says whom it replaces; the old one does not."""
    assert server.rows(APPLIED, account["id"], old) == []
    [(_, replaces, entity, revision)] = server.rows(APPLIED, account["id"], record["op_id"])
    assert replaces == old
    return entity, revision


def test_a_refused_visit_is_mended_in_its_form_taken_back_and_sent_once(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    payload = care.visit(page, patient, meal=7)
    old = care.add(page, "visit.create", payload, "生活自理能力评估", patient_id=patient, patient_name="某人")
    care.becomes(page, old, "rejected")
    care.to_care(page, old)
    expect(page.locator(f"#op-{old} .need-faults")).to_contain_text("进餐")
    care.mend(page, old)
    expect(page.locator("#form-errors")).to_contain_text("有 1 处要改")
    expect(page.locator("#save-button")).to_have_text(MENDING)
    assert rounds.chosen(page, "dressing") == ["3"]

    other = doctor.context.new_page()  # the same card opened twice
    other.goto(page.url)
    rounds.ready(other)
    rounds.choose(page, "meal", 3)
    rounds.choose(other, "meal", 5)
    rounds.save(page)
    care.becomes(page, old, "mended")
    other.locator("#save-button").click()
    expect(other.locator("#page-says")).to_contain_text("已经在别的页面改好")
    other.close()

    page.locator('[data-saved="undo"]').click()  # within its ten seconds
    care.becomes(page, old, "rejected")
    expect(page.locator("#save-button")).to_have_text(MENDING)
    rounds.save(page)
    fresh = care.waiting_one(doctor, {old})
    assert fresh["replaces"] == old
    page.goto("/outbox")
    rounds.ready(page)
    page.click("#send-now")
    care.becomes(page, fresh["op_id"], "done")
    care.becomes(page, old, "gone")
    one_more(server, account, fresh, old)
    assert server.rows("SELECT count(*) FROM visits WHERE id IN (?, ?)", old, fresh["op_id"]) == [(1,)]
    page.goto(f"/visits/new/adl?patient={patient}&op={old}")  # an old tab, an old link
    rounds.ready(page)
    expect(page.locator("#notice-settled")).to_contain_text("这条记录已经处理过了")


def test_a_visit_of_somebody_who_left_the_scope_waits_and_can_be_read(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    payload = care.visit(page, patient, note="爱人说上周摔过一次")
    server.change("UPDATE patients SET team_id = NULL WHERE id = ?", patient)
    op_id = care.add(
        page, "visit.create", payload, "生活自理能力评估", patient_id=patient, patient_name="某人"
    )
    page.goto("/outbox")
    rounds.ready(page)
    expect(page.locator("#waiting")).to_contain_text("等另一条先上传")  # it may be on its way, for a day
    server.change("DROP TRIGGER audit_lines_unchanged")  # a day passes
    server.change("UPDATE audit_lines SET at = datetime(at, '-25 hours') WHERE object_id = ?", op_id)
    page.click("#send-now")
    care.becomes(page, op_id, "rejected")
    care.to_care(page, op_id)
    expect(page.locator(f"#op-{op_id}")).to_contain_text("不在您的服务范围内")
    page.get_by_role("link", name="打开看看").click()
    expect(page.locator("#visit-form")).to_have_attribute("data-started", "1")
    assert page.locator('[name="note"]').input_value() == "爱人说上周摔过一次"
    page.get_by_role("link", name="先放着").click()
    page.wait_for_url("**/outbox")
    care.becomes(page, op_id, "rejected")


def test_a_correction_that_was_overtaken_builds_on_the_newest_revision(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    made = care.push(page, "visit.create", care.visit(page, patient))
    visit_id = made["entity_id"]
    mine = care.visit(page, patient, meal=5)
    del mine["patient_id"]
    theirs = {**mine, "answers": {**care.ADL, "meal": 3}, "visit_id": visit_id, "reason": "另一位改的"}
    care.push(page, "visit.correct", theirs, 1)
    mine |= {"visit_id": visit_id, "reason": "写错了"}
    old = care.add(page, "visit.correct", mine, "生活自理能力评估 更正", patient_id=patient, base_revision=1)
    care.becomes(page, old, "conflict")
    care.mend(page, old)
    says = page.locator("#page-says")
    expect(says).to_contain_text("已被他人更正")
    expect(says).to_contain_text("进餐：您写的")
    assert page.locator("#f-reason").input_value() == "写错了"
    rounds.save(page)
    fresh = care.waiting_one(doctor, {old})
    assert fresh["base_revision"] == 2
    page.evaluate(care.SEND)
    care.becomes(page, fresh["op_id"], "done")
    assert one_more(server, account, fresh, old) == (visit_id, 3)


def test_a_file_changed_meanwhile_shows_both_sides_at_each_field(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    [(base,)] = server.rows("SELECT revision FROM patients WHERE id = ?", patient)
    care.push(page, "patient.update", {"patient_id": patient, "address": "东头第三家"}, base)
    mine = {
        "patient_id": patient,
        "phone": "13900002222",
        "address": "西头第一家",
        "lives_alone": True,
        "conditions": [],
    }
    old = care.add(page, "patient.update", mine, "修改档案", patient_id=patient, base_revision=base)
    care.becomes(page, old, "conflict")
    care.mend(page, old)
    expect(page.locator(".mend-head")).to_contain_text("档案已被他人更新")
    assert page.locator("#phone").input_value() == "13900002222"
    assert page.locator("#address").input_value() == "西头第一家"
    assert page.locator('input[name="lives_alone"]:checked').get_attribute("value") == "1"
    assert page.locator('input[name="conditions"]:checked').get_attribute("value") == "none"
    note = page.locator(".group", has=page.locator("#address")).locator(".mend-note")
    expect(note).to_contain_text("服务器上是“东头第三家”")
    note.get_by_role("button", name="用服务器的").click()
    assert page.locator("#address").input_value() == "东头第三家"
    page.get_by_role("button", name=MENDING).click()
    page.wait_for_url(lambda url: url.endswith(f"/patients/{patient}"))
    fresh = care.waiting_one(doctor, {old})
    care.becomes(page, fresh["op_id"], "done")
    assert one_more(server, account, fresh, old) == (patient, base + 2)
    assert server.rows("SELECT address, phone, lives_alone FROM patients WHERE id = ?", patient) == [
        ("东头第三家", "13900002222", 1)
    ]


def test_a_doubled_identity_number_is_put_right_and_its_visit_follows(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    known, right = an_id_card(801, "19410203"), an_id_card(802, "19410203")
    person = {"name": "新来的", "phone": "13900001234", "village_id": account["village_id"]}
    care.push(page, "patient.create", {**person, "id_card": known})
    doctor.offline()
    old = care.add(page, "patient.create", {**person, "id_card": known}, "新建档案", patient_name="新来的")
    seen = care.add(page, "visit.create", care.visit(page, old), "生活自理能力评估", patient_id=old)
    doctor.offline(False)
    page.evaluate(care.SEND)
    care.becomes(page, old, "rejected")
    doctor.offline()  # the form lies on the phone, and so does the record
    care.mend(page, old)
    field = page.locator("#id_card")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".group", has=field)).to_contain_text("这个身份证号已有档案")
    assert page.locator("#village_id").input_value() == account["village_id"]
    field.fill(right)
    page.get_by_role("button", name=MENDING).click()
    page.wait_for_url("**/patients")
    fresh = care.waiting_one(doctor, {old, seen})
    doctor.offline(False)
    page.evaluate(care.SEND)
    care.becomes(page, fresh["op_id"], "done")
    page.evaluate(care.SEND)
    care.becomes(page, seen, "done")
    one_more(server, account, fresh, old)
    assert server.rows("SELECT patient_id FROM visits WHERE id = ?", seen) == [(fresh["op_id"],)]


def test_a_refused_order_is_mended_and_two_tabs_make_one(server, phone) -> None:
    relative, account = phone("family"), server.account("family")
    page = relative.page
    relative.sign_in(account)
    page.goto("/orders/new")
    rounds.ready(page)
    service = page.locator('input[name="service"]').first.get_attribute("value")
    wish = {
        "patient_id": account["patient_id"],
        "service": service,
        "wanted_at": "2020-01-01T09:00:00+08:00",
        "phone": "13900001234",
        "note": "门铃坏了，请敲窗",
    }
    old = care.add(page, "order.create", wish, "点服务", patient_id=account["patient_id"])
    care.becomes(page, old, "rejected")
    care.mend(page, old)
    expect(page.locator(".mend-head")).to_contain_text("有 1 处要改")
    expect(page.locator("#order-form")).to_contain_text("已经过去")
    assert page.locator("#note").input_value() == "门铃坏了，请敲窗"
    other = relative.context.new_page()
    other.goto(page.url)
    rounds.ready(other)
    for tab in (page, other):
        tab.locator("label.chip", has=tab.locator('input[name="wanted_at"]')).first.click()
    page.get_by_role("button", name=MENDING).click()
    page.wait_for_url("**/orders")
    other.get_by_role("button", name=MENDING).click()
    expect(other.locator(".form-says")).to_contain_text("已经在别的页面改好")
    fresh = care.waiting_one(relative, {old})
    care.becomes(page, fresh["op_id"], "done")
    one_more(server, account, fresh, old)
    found = server.rows(
        "SELECT id FROM orders WHERE requester_id = ? AND note = ?", account["id"], wish["note"]
    )
    assert found == [(fresh["op_id"],)]


def an_order(server: Server, provider: dict[str, Any], state: str = "scheduled") -> tuple[str, int]:
    [(order_id, revision)] = server.rows(
        "SELECT id, revision FROM orders WHERE assignee_id = ? AND state = ?", provider["id"], state
    )
    return order_id, revision


def relative_of(server: Server, order_id: str) -> dict[str, Any]:
    [(user_id,)] = server.rows(
        "SELECT user_id FROM family_links JOIN orders USING (patient_id) WHERE orders.id = ?", order_id
    )
    return next(account for account in server.accounts if account["id"] == user_id)


def move(page: Page, order_id: str, to: str, label: str, base: int, **payload: Any) -> str:
    given = {"order_id": order_id, "to": to, **payload}
    return care.add(page, "order.transition", given, f"助浴 {label}", base_revision=base)


def test_an_order_the_family_cancelled_meanwhile_shows_both_sides_without_a_network(server, phone) -> None:
    helper, account = phone("provider"), server.account("provider")
    page = helper.page
    order_id, revision = an_order(server, account)
    helper.sign_in(account)
    family = phone("family")
    family.sign_in(relative_of(server, order_id))
    helper.offline()
    accepted = move(page, order_id, "accepted", "接单", revision)
    setting_out = move(page, order_id, "en_route", "出发", revision + 1)
    begun = move(page, order_id, "in_service", "开始服务", revision + 2)
    gone = {"order_id": order_id, "to": "cancelled", "note": "孩子回来了"}
    care.push(family.page, "order.transition", gone, revision)
    helper.offline(False)
    page.evaluate(care.SEND)
    for op_id in (accepted, setting_out, begun):
        care.becomes(page, op_id, "conflict")
    helper.offline()
    care.to_care(page, accepted)
    card = page.locator(f"#op-{accepted}")
    expect(card).to_contain_text("订单已被家属取消。")
    expect(card.locator('[data-part="drop"]')).to_have_text("放弃接单")
    card.get_by_role("link", name="查看双方").click()
    page.wait_for_url("**/orders/*op=*")
    sides = page.locator(f"#sides #op-{accepted}")
    expect(sides.locator('[data-part="mine"]')).to_have_text("已接单")
    expect(sides.locator('[data-part="theirs"]')).to_have_text("已取消")
    expect(sides.locator('[data-part="theirs-note"]')).to_contain_text("孩子回来了")
    expect(sides).to_contain_text("宁家女儿")
    expect(sides.get_by_role("button")).to_have_text(["按服务器的"])  # what is cancelled takes no more steps
    sides.get_by_role("button", name="按服务器的").click()
    care.becomes(page, accepted, "gone")
    expect(sides).to_have_count(0)
    kept = page.locator(f"#sides #op-{begun}")
    expect(kept).to_contain_text("您做过的“服务中”")
    kept.get_by_role("button", name="知道了").click()
    care.becomes(page, begun, "gone")
    found = server.rows("SELECT kept_only FROM order_events WHERE id = ?", begun)
    assert found == [(1,)]


def test_a_step_the_machine_still_allows_is_made_again_on_the_newest_revision(server, phone) -> None:
    helper, account = phone("provider"), server.account("provider")
    page = helper.page
    order_id, revision = an_order(server, account)
    helper.sign_in(account)
    desk = phone("desk")
    desk.sign_in(server.account("dispatcher"))
    helper.offline()
    old = move(page, order_id, "accepted", "接单", revision)
    [(when,)] = server.rows("SELECT scheduled_at FROM orders WHERE id = ?", order_id)
    again = {"order_id": order_id, "to": "scheduled", "assignee_id": account["id"], "note": "改到下午"}
    care.push(desk.page, "order.transition", again, revision)
    assert when
    helper.offline(False)
    page.evaluate(care.SEND)
    care.becomes(page, old, "conflict")
    helper.offline()
    page.goto(f"/orders/{order_id}?op={old}")
    rounds.ready(page)
    sides = page.locator(f"#sides #op-{old}")
    expect(sides.locator('[data-part="theirs-note"]')).to_contain_text("改到下午")
    sides.get_by_role("button", name="仍要接单").click()
    care.becomes(page, old, "mended")
    fresh = care.waiting_one(helper, {old})
    assert fresh["base_revision"] == revision + 1
    expect(page.locator("#state-words")).to_have_text("已接单")
    helper.offline(False)
    page.evaluate(care.SEND)
    care.becomes(page, fresh["op_id"], "done")
    assert one_more(server, account, fresh, old) == (order_id, revision + 2)


def test_a_step_refused_for_want_of_a_reason_opens_its_own_form(server, phone) -> None:
    clinic, account = phone("desk"), server.account("dispatcher")
    page = clinic.page
    [(order_id, revision)] = server.rows("SELECT id, revision FROM orders WHERE state = 'submitted'")
    clinic.sign_in(account)
    old = move(page, order_id, "rejected", "不受理", revision)
    care.becomes(page, old, "rejected")
    care.mend(page, old)
    sheet = page.locator(f"#reject-{order_id}")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("请写明原因")
    sheet.locator("textarea").fill("这段时间人手已满")
    sheet.get_by_role("button", name=MENDING).click()
    care.becomes(page, old, "gone")
    [(state,)] = server.rows("SELECT state FROM orders WHERE id = ?", order_id)
    assert state == "rejected"


def test_what_a_lost_data_key_made_unreadable_comes_back_from_the_server(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    label = "生活自理能力评估"
    refused = care.add(page, "visit.create", care.visit(page, patient, meal=9), label, patient_id=patient)
    care.becomes(page, refused, "rejected")
    doctor.offline()
    good = care.add(page, "visit.create", care.visit(page, patient), label, patient_id=patient)
    bad = care.add(page, "visit.create", care.visit(page, patient, meal=7), label, patient_id=patient)
    page.evaluate("async () => (await import('/static/js/vault/idle.js')).lock()")
    until(page, "() => Boolean(document.querySelector('[data-page=unlock]:not([hidden])'))")
    doctor.offline(False)
    page.locator('[data-lock="forgot"]').click()
    page.locator('[data-lock="reset"]').click()
    page.wait_for_url("**/sign-in*")
    doctor.sign_in(account)
    care.becomes(page, good, "done")
    for op_id, meal in ((bad, 7), (refused, 9)):
        until(page, GIVEN_BACK, op_id, seconds=40)
        record = care.read(page, op_id)
        assert record and record["payload"]["answers"]["meal"] == meal
    care.to_care(page, bad)
    expect(page.locator(f"#op-{bad} .need-who")).to_contain_text("随访")
    care.mend(page, bad)
    rounds.choose(page, "meal", 3)
    rounds.save(page)
    fresh = care.waiting_one(doctor, {good, bad, refused})
    page.evaluate(care.SEND)
    care.becomes(page, fresh["op_id"], "done")
    one_more(server, account, fresh, bad)


def test_sealed_records_are_shown_by_kind_and_time_while_nothing_gets_through(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    page.goto("/outbox")
    rounds.ready(page)
    doctor.offline()
    care.add(page, "visit.create", care.visit(page, account["patient_id"]), "生活自理能力评估")
    page.evaluate(
        """async () => {
          const crypt = await import('/static/js/vault/crypto.js');
          const vault = await import('/static/js/vault/vault.js');
          const { user_id } = vault.holding();
          vault.drop();
          vault.adopt({user_id, key: await crypt.newDataKey()});
          const page = await import('/static/js/offline/outbox_page.js');
          await page.paint();
        }"""
    )
    row = page.locator("#waiting a.row")
    expect(row).to_contain_text("随访")
    expect(row).to_contain_text("内容已加密")
    expect(row).not_to_contain_text("生活自理")


def test_a_receipt_for_what_never_arrived_is_noticed_healed_and_said(server, gate, through) -> None:
    doctor, account = through("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    page.goto("/outbox")
    rounds.ready(page)
    label = "生活自理能力评估"
    true = care.add(page, "visit.create", care.visit(page, patient), label, patient_id=patient)
    care.becomes(page, true, "done")
    expect(page.locator("#receipts")).to_contain_text("服务器回执 1/1")
    expect(page.locator("#receipt-checked")).to_contain_text("已与服务器核对")
    gate.lie(times=1)  # says applied, and passes nothing on
    doctor.offline()
    false = [
        care.add(page, "visit.create", care.visit(page, patient, note=f"第{n}条"), label, patient_id=patient)
        for n in range(2)
    ]
    doctor.offline(False)
    page.click("#send-now")
    healed = page.locator("#healed")
    expect(healed).to_contain_text("有 2 条服务器上没有，已重新上传")
    for op_id in false:
        care.becomes(page, op_id, "done")
        assert server.rows(APPLIED, account["id"], op_id)
    expect(page.locator("#receipts")).to_contain_text("服务器回执 3/3")
    page.reload()
    rounds.ready(page)
    expect(healed).to_be_visible()
    healed.get_by_role("button", name="知道了").click()
    expect(healed).to_be_hidden()
    until(page, NOTHING_HEALED)
