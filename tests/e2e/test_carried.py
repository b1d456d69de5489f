"""导出: what a phone cannot send goes as a file or as QR codes, and somebody else hands it over."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e import care, rounds
from tests.e2e.world import Phone, Server, set_pin

pytestmark = pytest.mark.xdist_group("browser")
LABEL = "生活自理能力评估"


def offline_visits(phone: Phone, account: dict[str, Any], count: int) -> list[str]:
    """On 待上传, with so many visits that only this phone has."""
    phone.sign_in(account)
    phone.offline()
    patient = account["patient_id"]
    made = [
        care.add(
            phone.page,
            "visit.create",
            care.visit(phone.page, patient, note=f"第{n}条"),
            LABEL,
            patient_id=patient,
        )
        for n in range(count)
    ]
    phone.page.goto("/outbox")
    rounds.ready(phone.page)
    return made


def visits(server: Server, op_ids: list[str]) -> int:
    marks = ",".join("?" for _ in op_ids)
    [(count,)] = server.rows(f"SELECT count(*) FROM visits WHERE id IN ({marks})", *op_ids)
    return int(count)


def decoded(page: Page) -> str:
    """What a camera reads off the screen."""
    shot = page.locator("#qr-code").screenshot(scale="device")
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(shot)))
    return str(code.text)


def test_a_file_from_the_phone_is_handed_over_by_the_manager_and_nothing_doubles(
    server, phone, tmp_path: Path
) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    made = offline_visits(doctor, account, 6)
    expect(page.locator("#export-qr")).to_be_hidden()  # six codes are too many for anybody
    with page.expect_download() as coming:
        page.click("#export-file")
    carried = tmp_path / coming.value.suggested_filename
    coming.value.save_as(carried)
    assert carried.suffix == ".nxq"
    assert "第1条" not in carried.read_text() and len(json.loads(carried.read_text())["sealed"]) == 6
    expect(page.locator("#export-says")).to_contain_text("已存 6 条")

    manager = phone("manager").page
    signed_in(manager, server.account("manager"), "/handover")
    manager.set_input_files("#file", carried)
    manager.get_by_role("button", name="交给服务器").click()
    expect(manager.locator(".counts")).to_contain_text("6收下")
    assert visits(server, made) == 6

    doctor.offline(False)
    page.click("#send-now")
    for op_id in made:
        care.becomes(page, op_id, "done")
    record = care.read(page, made[0])
    assert record and record["result"]["status"] == "duplicate"
    expect(page.locator("#receipts")).to_contain_text("服务器回执 6/6")
    expect(page.locator("#export")).to_be_hidden()
    assert visits(server, made) == 6


def test_codes_read_off_the_screen_one_by_one_are_taken_on(server, phone) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    made = offline_visits(doctor, account, 3)
    page.emulate_media(color_scheme="dark")
    page.click("#export-qr")
    expect(page.locator("#qr-sheet")).to_contain_text("请镇卫生院管理员用手机相机扫，或把文件交给他。")
    codes = []
    for place in (1, 2, 3):
        expect(page.locator("#qr-place")).to_have_text(f"第 {place}/3 个")
        box = page.locator("#qr-code svg").bounding_box()
        assert box and box["width"] >= 280
        codes.append(decoded(page))
        page.locator("#qr-next").click()
    expect(page.locator("#qr-sheet")).to_be_hidden()
    assert len(set(codes)) == 3 and all(code.startswith(f"{server.url}/handover#") for code in codes)

    manager = phone("manager").page
    signed_in(manager, server.account("manager"), "/handover")
    for code in codes:
        manager.goto(code)
    expect(manager.locator("#handed")).to_contain_text("3 条记录")
    manager.get_by_role("button", name="收下").click()
    expect(manager.locator(".counts")).to_contain_text("3收下")
    assert visits(server, made) == 3


def test_a_phone_whose_data_key_is_gone_still_gives_its_records_as_a_file(
    server, phone, tmp_path: Path
) -> None:
    doctor, account = phone("doctor"), server.account("doctor")
    page = doctor.page
    made = offline_visits(doctor, account, 2)
    page.evaluate(
        """async (user) => {
          const vault = await import('/static/js/vault/vault.js');
          const idle = await import('/static/js/vault/idle.js');
          await vault.end(user, 'offline');
          await idle.lock();
        }""",
        account["id"],
    )
    export = page.locator('[data-lock="export"]')
    expect(export).to_be_visible()
    with page.expect_download() as coming:
        export.click()
    carried = tmp_path / "carried.nxq"
    coming.value.save_as(carried)
    assert {entry["op_id"] for entry in json.loads(carried.read_text())["sealed"]} == set(made)


def signed_in(page: Page, account: dict[str, Any], path: str) -> None:
    page.goto("/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    set_pin(page)
    page.goto(path)
    rounds.ready(page)
