"""The visits on a patient's page: each row leads to its own, and what is only on the phone finds its row."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e import care, rounds

pytestmark = pytest.mark.xdist_group("browser")
ROWS = "#visits .visit-row:not([id])"
NAMES = "(rows) => rows.map((row) => row.getAttribute('href').split('/').pop())"
BY_ROW = """SELECT id, form, visited_on FROM visits WHERE patient_id = ? AND voided = 0
            ORDER BY visited_at DESC, id DESC"""


def test_rows_lead_to_their_visits_and_a_correction_without_signal_is_on_its_own(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    for meal in (3, 5):  # of one day and form: only the second is named as such
        assert care.push(page, "visit.create", care.visit(page, patient, meal=meal))["status"] == "applied"
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    known = server.rows(BY_ROW, patient)[:10]
    address = f"/patients/{patient}/visits/{known[0][2].replace('-', '')}-adl"
    # The phone's own page stands first, until the server's has come.
    expect(page.locator(ROWS).first).to_have_attribute("href", f"{address}-2")
    names = page.locator(ROWS).evaluate_all(NAMES)
    assert names[1] == address.rpartition("/")[2] and len(set(names)) == len(names) == len(known)
    for place in (1, 0):
        page.goto(f"/patients/{patient}")
        rounds.ready(page)
        page.locator(ROWS).nth(place).click()
        page.wait_for_url(f"**/visits/{known[place][0]}")

    page.goto(f"/visits/{known[1][0]}/correct")
    expect(page.locator("#visit-form")).to_have_attribute("data-started", "1")
    doctor.offline()
    page.fill("#f-reason", "写错了")
    rounds.choose(page, "meal", 0)
    rounds.save(page)
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    expect(page.locator(ROWS).nth(1)).to_contain_text("待上传")
    expect(page.locator(ROWS).nth(1)).to_contain_text("有更正")
    expect(page.locator(ROWS).nth(0)).not_to_contain_text("有更正")


def test_a_visit_that_has_arrived_is_on_the_page_once(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    doctor.sign_in(account)
    patient = account["patient_id"]
    op_id = care.add(
        page,
        "visit.create",
        care.visit(page, patient),
        "生活自理能力评估",
        patient_id=patient,
        patient_name="某人",
    )
    care.becomes(page, op_id, "done")
    [(_, _, day)] = [row for row in server.rows(BY_ROW, patient) if row[0] == op_id]
    address = f"/patients/{patient}/visits/{day.replace('-', '')}-adl"
    page.goto(f"/patients/{patient}")
    rounds.ready(page)
    # On the phone's own page it lies on top, on the server's it has a row.
    both = page.locator(f'#record-{op_id}, #visits a[href="{address}"]')
    expect(both).to_have_count(1)
    page.evaluate("async () => (await import('/static/js/offline/fresh.js')).reload()")
    expect(page.locator(ROWS).first).to_have_attribute("href", address)
    expect(both).to_have_count(1)
