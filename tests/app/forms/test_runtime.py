"""The form alive in a real browser: what the script adds to the plain HTML."""

import os
import shutil
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, select_autoescape

from app.forms import engine

ROOT = Path(__file__).parents[3]
ENV = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=select_autoescape())
PAGE = """{% import "forms/form.html" as forms %}<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><body>
<form id="visit-form">{{ forms.form_body(d, {}, last, [], visit) }}</form>{{ forms.save_bar() }}
<script type="module" src="/start.js"></script></body></html>"""
START = """
import { attach } from '/static/js/forms/runtime.js';
const form = document.getElementById('visit-form');
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const known = { birth_date: '1948-03-01', conditions: ['hypertension'], today: '2026-06-10' };
const patient = { ...known, last: read('form-last') };
window.form = attach(form, read('form-definition'), { patient });
form.addEventListener('submit', (event) => {
  event.preventDefault();
  window.saved = window.form.validate();
});
"""
LAST = {
    "weight": {"value": 59.0, "on": "2026-05-25"},
    "height": {"value": 152, "on": "2026-05-25"},
    "meds": {"value": [{"drug_name": "氨氯地平", "dose_per_time": 5, "unit": "mg"}], "on": "2026-05-25"},
}
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}


def answer(route):
    path = route.request.url.split("forms.test", 1)[1]
    if path == "/start.js":
        route.fulfill(body=START, content_type="text/javascript")
    elif path.startswith("/static/") and (ROOT / path[1:]).is_file():
        route.fulfill(path=ROOT / path[1:], content_type=TYPES[Path(path).suffix])
    elif path.startswith("/visit/"):
        visit = {"today": "2026-06-10", "visited_on": "2026-06-10"}
        made = engine.definition(path.split("/")[2])
        html = ENV.from_string(PAGE).render(d=made, last=LAST, visit=visit)
        route.fulfill(body=html, content_type="text/html; charset=utf-8")
    else:
        route.fulfill(status=404, body="")


@pytest.fixture(scope="module")
def browser(playwright):
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    yield made
    made.close()


@pytest.fixture
def page(browser):
    made = browser.new_page(viewport={"width": 390, "height": 844})
    faults = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.route("**/*", answer)
    made.goto("http://forms.test/visit/hypertension")
    made.wait_for_function("window.form")
    yield made
    made.close()
    assert faults == []


def answers(page):
    return page.evaluate("window.form.state().answers")


def test_danger_is_said_while_typing_and_asks_for_the_referral(page):
    page.fill("#f-sbp", "186")
    assert "危急值，建议立即转诊。" in page.inner_text("#m-sbp")
    assert not page.is_visible("[data-choice=no]") and page.is_visible("[data-choice=refused]")
    page.click("#save-button")
    assert page.evaluate("window.saved") is False
    assert page.evaluate("document.activeElement.name") == "referral"


def test_a_figure_out_of_range_is_refused_once_the_field_is_left(page):
    page.fill("#f-dbp", "1")
    assert page.inner_text("#m-sbp") == ""
    page.press("#f-dbp", "Tab")
    assert page.inner_text("#m-sbp") == "舒张压须在 20–200 mmHg 之间。"
    assert page.get_attribute("#f-dbp", "aria-invalid") == "true"


def test_body_mass_is_worked_out_with_the_height_of_before(page):
    page.fill("#f-weight", "58.5")
    assert page.inner_text("[data-computed=bmi]").split() == ["体质指数", "25.3", "偏高"]


def test_no_symptoms_clears_the_others_and_the_other_way_round(page):
    page.check("[name=symptoms][value='2']")
    page.check("[name=symptoms][value='1']")
    assert answers(page)["symptoms"] == [1]
    page.check("[name=symptoms][value='3']")
    assert answers(page)["symptoms"] == [3]


def test_the_class_is_suggested_until_chosen_by_hand_and_mended_by_one_touch(page):
    page.fill("#f-sbp", "132")
    page.fill("#f-dbp", "78")
    assert answers(page)["visit_class"] == 1
    page.fill("#f-sbp", "162")
    assert answers(page)["visit_class"] == 2
    page.check("[name=visit_class][value='1']")
    assert "不能选“控制满意”" in page.inner_text("#m-visit_class")
    page.click("text=改成 控制不满意")
    assert answers(page)["visit_class"] == 2


def test_enter_goes_to_the_next_field_and_saves_nothing(page):
    page.focus("#f-sbp")
    page.keyboard.type("132")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "f-dbp"
    assert page.evaluate("window.saved") is None


def test_medication_comes_from_last_time_and_rows_come_and_go(page):
    assert [row["drug_name"] for row in answers(page)["meds"]] == ["氨氯地平"]
    page.click("[data-field=meds] [data-add]")
    page.keyboard.type("二甲双胍")
    page.click(".entry-body:not([hidden]) [data-done]")
    assert [row["drug_name"] for row in answers(page)["meds"]] == ["氨氯地平", "二甲双胍"]
    page.click("[data-edit] >> nth=0")
    page.click(".entry-body:not([hidden]) [data-remove]")
    assert [row["drug_name"] for row in answers(page)["meds"]] == ["二甲双胍"]


def test_a_question_that_does_not_apply_is_hidden_and_not_answered(page):
    page.check("[name=adverse_reaction][value='2']")
    page.fill("[name=adverse_text]", "咳嗽")
    page.check("[name=adverse_reaction][value='1']")
    assert not page.is_visible("[name=adverse_text]")
    assert "adverse_text" not in answers(page)


def test_a_draft_comes_back_as_it_was(page):
    draft = {
        "symptoms": [2], "emergency_flags": ["syncope"], "sbp": 186, "dbp": 104, "referral": False,
        "emergency_action": 2, "emergency_reason": "不愿去", "visit_class": 4, "height": 150.5,
        "meds": [{"drug_name": "氨氯地平", "dose_per_time": 2.5, "unit": "mg"}],
    }  # fmt: skip
    page.evaluate("draft => window.form.fill(draft, { mode: 'phone' })", draft)
    assert answers(page) == draft
    assert page.evaluate("window.form.state().header.mode") == "phone"


def test_what_the_server_refused_stands_at_the_field_until_it_is_mended(page):
    refused = [{"pointer": "/answers/sbp", "code": "range", "message": "收缩压与医院记录不符。"}]
    page.fill("#f-sbp", "142")
    page.evaluate("errors => window.form.showErrors(errors, '服务器没有收下这条记录。')", refused)
    assert "有 1 处要改" in page.inner_text("#form-errors")
    assert page.inner_text("#m-sbp") == "收缩压与医院记录不符。"
    page.fill("#f-sbp", "132")
    assert "医院" not in page.inner_text("#m-sbp")
