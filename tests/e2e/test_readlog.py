"""What a phone showed without signal comes to the server when there is signal again."""

from __future__ import annotations

import time

import pytest

from tests.e2e import rounds

pytestmark = pytest.mark.xdist_group("browser")
NOTED = """async () => {
  const pages = await import('/static/js/offline/pages.js');
  return (await pages.draftsFrom('read|')).map((read) => read.patient_id);
}"""
READS = (
    "SELECT patient_id, result, claimed_at <= at FROM audit_lines"
    " WHERE user_id = ? AND claimed_at IS NOT NULL ORDER BY id"
)


def test_a_page_opened_without_signal_is_in_the_audit_afterwards(server, phone) -> None:
    account = server.account("doctor")
    doctor = phone("reader")
    doctor.sign_in(account)
    page = doctor.page
    patient = account["patient_id"]
    before = server.rows(READS, account["id"])
    doctor.offline()
    for _ in range(2):
        page.goto(f"/patients/{patient}")
        rounds.ready(page)
    end = time.monotonic() + 20
    while page.evaluate(NOTED) != [patient] and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert page.evaluate(NOTED) == [patient]
    assert server.rows(READS, account["id"]) == before
    doctor.offline(False)
    page.goto("/outbox")
    while len(server.rows(READS, account["id"])) == len(before) and time.monotonic() < end + 40:
        page.wait_for_timeout(200)
    assert server.rows(READS, account["id"])[len(before) :] == [(patient, "offline:patient", 1)]
