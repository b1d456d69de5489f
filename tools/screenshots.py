"""Pictures of the main screens, made from a fresh full demo: `make screenshots`.

A server of its own on a free port, data in a temporary folder, real phones (390 × 844) that go through
a doctor's morning without signal and a family's order. Writes docs/screenshots/*.png.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e import rounds  # noqa: E402
from tests.e2e.world import (  # noqa: E402  # noqa: E402
    FLAGS,
    PACK_IS_HERE,
    Server,
    environment,
    free_port,
    press,
    set_pin,
    until,
    wait_for,
)

PICTURES = ROOT / "docs" / "screenshots"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
SCALE = 1.5  # sharp on a page, and each picture stays below 150 KB


@contextmanager
def demo_server(folder: Path) -> Iterator[Server]:
    """The whole demo, served from `folder` until the block ends."""
    port = free_port()
    env = environment(folder / "demo.db")
    server = Server(f"http://127.0.0.1:{port}", env, folder)
    server.flask("db", "upgrade")
    server.flask("demo", "reset", "--yes")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--port", str(port), "--workers", "1"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(server.url)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


class Camera:
    """One phone with its profile on disk; shots are taken of what it shows."""

    def __init__(self, playwright: Playwright, folder: Path, url: str, size: dict[str, int] = PHONE) -> None:
        self.context: BrowserContext = playwright.chromium.launch_persistent_context(
            str(folder),
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            headless=True,
            args=[*FLAGS, "--lang=zh-CN"],  # date fields follow it where the browser has its words
            viewport=size,  # type: ignore[arg-type]
            device_scale_factor=SCALE,
            has_touch=True,
            is_mobile=size is PHONE,
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
            base_url=url,
        )
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.pages[0]

    def sign_in(self, account: dict[str, Any]) -> None:
        """Until the whole visit pack is on the phone."""
        self.page.goto("/sign-in")
        self.page.fill("#username", account["username"])
        self.page.fill("#password", account["password"])
        self.page.click("#sign-in button[type=submit]")
        set_pin(self.page)
        until(
            self.page,
            "() => Boolean(navigator.serviceWorker && navigator.serviceWorker.controller)",
            seconds=60,
        )
        until(self.page, PACK_IS_HERE, seconds=180)

    def go(self, path: str) -> None:
        self.page.goto(path)
        rounds.ready(self.page)

    def shoot(self, name: str) -> None:
        until(self.page, "() => document.fonts.status === 'loaded'")
        self.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
        print(f"{name}.png  {(PICTURES / f'{name}.png').stat().st_size // 1024} KB")


def door(camera: Camera) -> None:
    camera.go("/sign-in")
    camera.shoot("sign-in")


def doctor(camera: Camera, account: dict[str, Any]) -> None:
    """A morning without signal: 186/104, a diabetes visit, an assessment; all of it waits on the phone."""
    page = camera.page
    camera.sign_in(account)
    camera.go("/outbox")
    camera.shoot("empty")
    camera.go("/me")
    camera.shoot("me")

    camera.context.set_offline(True)
    rounds.open_patient(page, "宁如意")
    rounds.start_visit(page, "hypertension")
    rounds.fill_hypertension(page, 186, 104, refer=True)
    page.locator("#visit-form input[name=dbp]").focus()
    page.evaluate("() => scrollTo(0, 0)")
    expect(page.locator("#grade-preview")).to_contain_text("危急")
    camera.shoot("form")
    rounds.save(page)
    camera.shoot("saved")

    rounds.open_patient(page, "甄知足")
    rounds.start_visit(page, "diabetes")
    rounds.fill_diabetes(page, 7.8)
    rounds.save(page)
    rounds.open_patient(page, "常平安")
    rounds.start_visit(page, "adl")
    rounds.fill_adl(page, {"meal": 0, "grooming": 1, "dressing": 0, "toileting": 1, "activity": 1})
    rounds.save(page)

    camera.go("/today")
    expect(page.locator("#strip")).to_contain_text("3 条仅在本机")
    camera.shoot("today")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    camera.shoot("today-dark")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    rounds.open_patient(page, "宁如意")
    expect(page.locator(".banner")).to_contain_text("186/104")
    camera.shoot("patient")
    camera.go("/outbox")
    camera.shoot("outbox")
    camera.go("/me")
    page.locator("#lock-now").click()
    press(page, "246")
    camera.shoot("unlock")
    press(page, "813")


def family(camera: Camera, account: dict[str, Any]) -> None:
    page = camera.page
    camera.sign_in(account)
    camera.go("/family")
    camera.shoot("family")
    camera.go("/orders/new")
    page.locator("#service-Y02").check()
    page.locator("label", has_text="明天下午").click()
    camera.shoot("order")
    camera.go("/orders")
    page.locator("a.order-row", has_text="助浴").first.click()
    rounds.ready(page)
    camera.shoot("tracking")
    camera.go("/family")
    page.locator(".care-toggle").click()
    expect(page.locator("html[data-care]")).to_be_attached()
    rounds.ready(page)
    camera.shoot("family-care")


def desk(camera: Camera, account: dict[str, Any]) -> None:
    camera.sign_in(account)
    camera.go("/desk")
    camera.shoot("desk")
    camera.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    camera.go("/desk")
    camera.shoot("desk-wide")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        with demo_server(folder) as server:
            cameras = [Camera(playwright, folder / f"phone{number}", server.url) for number in range(4)]
            door(cameras[0])
            doctor(cameras[1], server.account("doctor"))
            family(cameras[2], server.account("family"))
            desk(cameras[3], server.account("dispatcher"))
            for camera in cameras:
                camera.context.close()


if __name__ == "__main__":
    main()
