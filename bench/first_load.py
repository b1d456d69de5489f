"""What the first load of a phone costs: bytes on the wire, requests, and the time to a list that can be used.

    python -m bench.first_load [--slow] [--files] [--large]

A Chromium that has never been here opens the real server through a wire that counts (bench/wire.py): headers
and the worker's own requests included. Three stretches:

    door   the sign-in page, until the worker is active and has kept what a phone needs first
    list   signing in and setting a PIN, until 今日 answers a tap
    rest   what then comes unasked: the rest of the shell; the stream of the pack is named apart

--slow: a line of 300 ms and 1.6/0.75 Mbit/s, and a quarter of the processor's speed for the pages (the worker
keeps its own). --large: the demo of a town instead of the small one. Bytes hardly differ from run to run;
seconds belong to the machine and its load, which is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Playwright, sync_playwright

from bench.measure import Options, Row
from bench.wire import PLAIN, WEAK, Wire
from tests.e2e.world import READY_OR_LOCKED, Phone, Server, make_demo, serving, set_pin, until

DATABASES = ("sqlite",)  # the phone's load alone
SLOWER = 4
ACTIVE = "async () => Boolean((await navigator.serviceWorker.getRegistration())?.active)"
READY = "() => Boolean(document.querySelector('html[data-ready] #list .row'))"
USABLE = "() => Boolean(document.querySelector('html[data-ready] #list .row') && window.usableAt)"
# To the millisecond, since much is asked for right after it.
NOTE_WHEN = """new MutationObserver(() => {
  if (window.usableAt || !document.querySelector('html[data-ready] #list .row')) return;
  window.usableAt = (performance.timeOrigin + performance.now()) / 1000;
}).observe(document, { attributes: true, childList: true, subtree: true });"""
QUIET_S = 3.0
PACK = "/api/pack"
STRETCHES = ("door", "list", "rest")


def measure(
    playwright: Playwright, server: Server, folder: Path, *, slow: bool
) -> tuple[Wire, dict[str, float]]:
    wire = Wire(server.url, WEAK if slow else PLAIN, "door")
    took: dict[str, float] = {}
    phone = Phone(playwright, folder, wire.url)
    try:
        page = phone.page
        phone.context.set_default_timeout(180_000)
        phone.context.add_init_script(NOTE_WHEN)
        if slow:
            session = phone.context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        began = time.monotonic()
        page.goto("/sign-in")
        until(page, READY_OR_LOCKED, seconds=180)
        took["door_s"] = round(time.monotonic() - began, 2)
        until(page, ACTIVE, seconds=180)
        took["worker_s"] = round(time.monotonic() - began, 2)
        _quiet(wire, page)
        wire.stretch = "list"
        doctor = server.account("doctor")
        page.fill("#username", doctor["username"])
        page.fill("#password", doctor["password"])
        began = time.monotonic()
        page.click("#sign-in button[type=submit]")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        set_pin(page)
        until(page, USABLE, seconds=180)
        took["list_s"] = round(time.monotonic() - began, 2)
        usable_at = page.evaluate("() => window.usableAt")
        phone.wait_for_pack(doctor["id"])
        _quiet(wire, page)
        for one in wire.crossed:
            if one.stretch == "list" and one.at > usable_at:
                one.stretch = "rest"
    finally:
        phone.close()
        wire.close()
    return wire, took


def _quiet(wire: Wire, page: Page) -> None:
    """Until nothing has moved for a while."""
    while time.monotonic() - wire.moved_at < QUIET_S:
        page.wait_for_timeout(200)


def summary(wire: Wire, took: dict[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stretch in STRETCHES:
        found[f"{stretch}_bytes"], found[f"{stretch}_requests"] = wire.figures(stretch, but=(PACK,))
    found["until_usable_bytes"] = found["door_bytes"] + found["list_bytes"]
    found["pack_bytes"] = sum(wire.figures(stretch, PACK)[0] for stretch in STRETCHES)
    return found | took | {"connections": wire.connections, "load": round(os.getloadavg()[0], 1)}


def run(_folder: Path, options: Options) -> Iterable[Row]:
    """The weak line beside the time that the same bytes take on it, with nothing to wait for."""
    for case, slow in (("this machine", False), ("weak line, processor ÷ 4", True)):
        with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name, sync_playwright() as playwright:
            folder = Path(name)
            make_demo(folder / "nuanxun.db", small=options.quick)
            with serving(folder) as server:
                found = summary(*measure(playwright, server, folder / "phone", slow=slow))
        found.pop("load")
        seconds = round(found["door_s"] + found["list_s"], 2)
        if not slow:
            yield Row(case, found)
            continue
        least = round(found["until_usable_bytes"] / WEAK.down_bytes_s, 2)
        yield Row(case, found, {"seconds": least}, round(seconds / least, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow", action="store_true", help="a weak line and a quarter of the processor")
    parser.add_argument("--files", action="store_true", help="name every answer")
    parser.add_argument("--large", action="store_true", help="the demo of a town")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nuanxun-bench-") as name:
        folder = Path(name)
        make_demo(folder / "nuanxun.db", small=not asked.large)
        with serving(folder) as server, sync_playwright() as playwright:
            wire, took = measure(playwright, server, folder / "phone", slow=asked.slow)
    if asked.files:
        for one in wire.crossed:
            print(f"{one.stretch:5} {one.down:7} {one.path}")
    found = summary(wire, took)
    print(json.dumps(found))
    print(
        f"door {found['door_bytes'] / 1000:.1f} KB in {found['door_requests']} answers, "
        f"list {found['list_bytes'] / 1000:.1f} KB in {found['list_requests']}, "
        f"rest {found['rest_bytes'] / 1000:.1f} KB in {found['rest_requests']}; "
        f"pack {found['pack_bytes'] / 1000:.1f} KB; list usable after {took['list_s']} s"
    )


if __name__ == "__main__":
    main()
