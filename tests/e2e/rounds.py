"""What a doctor's thumb does on a form, as small helpers the browser tests share."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.e2e.engines.page import expect

MODES = {"home": "上门", "clinic": "门诊", "phone": "电话"}


def open_patient(page: Page, name: str) -> None:
    """From the list, by search, as people do."""
    page.goto("/patients?find=1")
    ready(page)
    page.locator("#list-q").fill(name)
    page.locator("a.row", has_text=name).first.click()
    expect(page.locator("h1")).to_contain_text(name)
    ready(page)


def ready(page: Page) -> None:
    """The scripts of the page have started: before that a tap follows the plain link."""
    expect(page.locator("html[data-ready]")).to_be_attached()


def start_visit(page: Page, form: str) -> None:
    """On a patient page: 开始随访, then the form of this key."""
    page.locator('.dock [data-sheet="start"]').click()
    page.locator(f'dialog a[href^="/visits/new/{form}"]').click()
    page.locator("#visit-form").wait_for()
    expect(page.locator("#visit-form")).to_have_attribute("data-started", "1")


def number(page: Page, name: str, value: Any) -> None:
    page.locator(f'#visit-form input[name="{name}"]').first.fill(str(value))


def choose(page: Page, name: str, value: Any) -> None:
    """A chip, by the code it stands for."""
    page.locator(f'#visit-form label.chip:has(input[name="{name}"][value="{value}"])').click()


def chosen(page: Page, name: str) -> list[str]:
    inputs = page.locator(f'#visit-form input[name="{name}"]:checked')
    return [inputs.nth(i).get_attribute("value") or "" for i in range(inputs.count())]


LIFE = {"smoke_daily": 0, "drink_daily": 0, "exercise_times_week": 3, "exercise_min": 30}


def fill_hypertension(page: Page, sbp: int, dbp: int, *, refer: bool) -> None:
    number(page, "sbp", sbp)
    number(page, "dbp", dbp)
    choose(page, "symptoms", 2 if refer else 1)
    number(page, "heart_rate", 82)
    number(page, "weight", 58.5)
    height(page, 152)
    for name, value in LIFE.items():
        number(page, name, value)
    for name, value in {
        "salt": 2,
        "psych_adjust": 1,
        "compliance_behaviour": 2,
        "adverse_reaction": 1,
    }.items():
        choose(page, name, value)
    adherence(page)
    choose(page, "visit_class", 2 if sbp >= 140 or dbp >= 90 else 1)
    referral(page, refer)


def fill_diabetes(page: Page, fpg: float) -> None:
    number(page, "sbp", 128)
    number(page, "dbp", 78)
    choose(page, "symptoms", 1)
    number(page, "weight", 61)
    height(page, 158)
    number(page, "fpg", fpg)
    number(page, "staple_food", 250)
    for name, value in LIFE.items():
        number(page, name, value)
    for name, value in {
        "dorsalis_pedis": 1,
        "psych_adjust": 1,
        "compliance_behaviour": 1,
        "adverse_reaction": 1,
        "hypo_reaction": 1,
    }.items():
        choose(page, name, value)
    adherence(page)
    choose(page, "visit_class", 2 if fpg >= 7 else 1)
    referral(page, False)


def fill_adl(page: Page, scores: dict[str, int]) -> None:
    for name, score in scores.items():
        choose(page, name, score)


def height(page: Page, centimetres: int) -> None:
    """Asked once; later it is folded away and carried over."""
    field = page.locator('#visit-form input[name="height"]')
    if field.is_visible():
        field.fill(str(centimetres))


def adherence(page: Page) -> None:
    if page.locator("#visit-form [data-row]").count() and not chosen(page, "med_adherence"):
        choose(page, "med_adherence", 1)


def referral(page: Page, refer: bool) -> None:
    choose(page, "referral", "yes" if refer else "no")
    if refer:
        page.locator('#visit-form [name="referral_reason"]').fill("血压达危急值")
        page.locator('#visit-form [name="referral_org_dept"]').fill("区人民医院 急诊科")


def save(page: Page) -> None:
    page.locator("#save-button").click()
    expect(page.locator("#saved-title")).to_have_text("已保存在本机")
