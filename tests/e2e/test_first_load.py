"""The first load of a phone: what crosses the wire, and the list before everybody is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Playwright, expect

from bench import first_load
from tests.e2e.gate import Gate
from tests.e2e.world import Phone, Server, pass_lock, until

# Two answers more than it takes: browsers may look for a newer worker in between (304).
UNTIL_USABLE_BYTES, UNTIL_USABLE_ANSWERS = 60_000, 14
HERE = "() => Boolean(document.getElementById('panel'))"


def sign_in(phone: Phone, account: dict) -> None:
    page = phone.page
    page.goto("/sign-in")
    until(page, first_load.ACTIVE)
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("#sign-in button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    pass_lock(page)
    until(page, first_load.READY)


def without_the_pack(server: Server, gate: Gate, through: Callable[[str], Phone]) -> Page:
    """A doctor's first list, while the pack is held back."""
    gate.held["/api/pack"] = threading.Event()
    phone = through("doctor's")
    sign_in(phone, server.account("doctor"))
    return phone.page


def test_until_the_list_is_usable_the_wire_carries_sixty_kilobytes(
    playwright: Playwright, server: Server, tmp_path: Path
) -> None:
    """Door, worker and headers included. That people are no matter: tests/app/test_budgets.py."""
    wire, took = first_load.measure(playwright, server, tmp_path / "phone", slow=False)
    found = first_load.summary(wire, took)
    crossed = [(one.stretch, one.path, one.down) for one in wire.crossed if one.stretch != "rest"]
    assert found["until_usable_bytes"] <= UNTIL_USABLE_BYTES, crossed
    assert found["door_requests"] + found["list_requests"] <= UNTIL_USABLE_ANSWERS, crossed
    again = [path for _, path, down in crossed if down > 1000]
    assert len(again) == len(set(again)), "nothing comes twice"


def test_before_everybody_is_there_the_server_answers_what_is_chosen_and_then_the_phone(
    server: Server, gate: Gate, through: Callable[[str], Phone]
) -> None:
    page = without_the_pack(server, gate, through)
    assert not page.evaluate(HERE)
    rows = page.locator("#list .row").all_inner_texts()
    assert rows and gate.count("/today") == 1

    # In that moment a choice is a question to the server.
    page.click('.count[data-state="late"]')
    page.wait_for_url("**/today?state=late")
    until(page, first_load.READY)
    expect(page.locator('.count[data-state="late"]')).to_have_attribute("aria-current", "true")
    assert 0 < page.locator("#list .row").count() < len(rows) and gate.count("/today") == 2
    assert page.evaluate(HERE)
    page.select_option("select[name=village]", index=1)
    page.click('.count[data-state="all"]')
    assert page.url.endswith("/today") and gate.count("/today") == 2  # now the phone itself answers


def test_everybody_comes_with_the_pack_and_nothing_on_the_page_moves(
    server: Server, gate: Gate, through: Callable[[str], Phone]
) -> None:
    page = without_the_pack(server, gate, through)
    main = page.locator("#main").element_handle()
    rows = page.locator("#list .row").all_inner_texts()
    assert not page.evaluate(HERE)
    gate.held.pop("/api/pack").set()
    until(page, HERE, seconds=30)
    assert page.locator("#list .row").all_inner_texts()[: len(rows)] == rows
    assert main.evaluate("(main) => main.isConnected")  # not swapped: nobody's place on it is lost

    # From now on the phone itself answers, without asking.
    asked = gate.count("/today")
    page.click('.count[data-state="all"]')
    expect(page.locator('.count[data-state="all"]')).to_have_attribute("aria-current", "true")
    page.click("#list-find")
    page.fill("#list-q", page.locator("#list .row-name b").first.inner_text())
    expect(page.locator("#list .row")).to_have_count(1)
    assert page.url.endswith("/today") and gate.count("/today") == asked
