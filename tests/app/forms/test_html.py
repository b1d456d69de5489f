"""The form as HTML without a script: every field can be filled in, posted and read again."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, select_autoescape

from app.forms import engine

ROOT = Path(__file__).parents[3]
FORMS = sorted(engine.all_definitions())
ENV = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=select_autoescape())
LAST = {
    "sbp": {"value": 162, "on": "2026-05-25"},
    "dbp": {"value": 94, "on": "2026-05-25"},
    "weight": {"value": 59.0, "on": "2026-05-25"},
    "height": {"value": 152, "on": "2025-05-25"},
    "meds": {"value": [{"drug_name": "氨氯地平", "dose_per_time": 5, "unit": "mg"}], "on": "2026-05-25"},
}


class Controls(HTMLParser):
    """Names and attributes of every control outside <template>."""

    def __init__(self, html):
        super().__init__()
        self.found, self.inside, self.ids, self.labels, self.tags = [], 0, set(), set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.inside += tag == "template"
        self.ids.add(attrs.get("id"))
        self.labels.add(attrs.get("for"))
        if tag in ("input", "select", "textarea") and not self.inside:
            self.found.append({"tag": tag, **attrs})

    def handle_endtag(self, tag):
        self.inside -= tag == "template"

    def named(self, name):
        return [control for control in self.found if control.get("name") == name]


def render(key, values=None, last=None, errors=(), visit=None):
    source = '{% import "forms/form.html" as forms %}{{ forms.form_body(d, values, last, errors, visit) }}'
    return ENV.from_string(source).render(
        d=engine.definition(key), values=values or {}, last=last or {}, errors=list(errors), visit=visit or {}
    )


@pytest.mark.parametrize("key", FORMS)
def test_every_field_has_a_control_with_the_limits_of_its_definition(key):
    controls = Controls(render(key))
    for name, field in engine.definition(key).fields.items():
        if field.get("part_of") or field["type"] == "list":
            continue
        found = controls.named(name)
        assert found, name
        if "hard" in field and field["type"] in ("int", "dec1"):
            assert float(found[0]["min"]) == field["hard"]["min"]
            assert float(found[0]["max"]) == field["hard"]["max"]
            assert found[0]["inputmode"] in ("numeric", "decimal")
        if field["type"] in ("enum", "multi") and "choices" not in field:
            assert [c["value"] for c in found] == [str(option["code"]) for option in field["options"]]


@pytest.mark.parametrize("key", FORMS)
def test_every_control_is_labelled_and_every_description_exists(key):
    html = render(key, last=LAST)
    controls = Controls(html)
    for control in controls.found:
        inside_label = control.get("type") in ("radio", "checkbox")
        assert inside_label or control["id"] in controls.labels, control
        if described := control.get("aria-describedby"):
            assert set(described.split()) <= controls.ids


@pytest.mark.parametrize("key", FORMS)
def test_no_style_or_handler_stands_in_the_markup(key):
    for tag, attrs in Controls(render(key, last=LAST)).tags:
        assert "style" not in attrs
        assert not any(name.startswith("on") for name in attrs)
        assert tag != "script" or attrs["type"] == "application/json"


def test_last_values_stand_beside_the_fields():
    html = render("hypertension", last=LAST)
    assert "上次 162/94" in html and "5月25日" in html
    assert "上次 59.0" in html
    assert "身高 <b>152</b> cm" in html


def test_medication_of_the_last_visit_is_copied_into_a_fresh_form_only():
    assert 'value="氨氯地平"' in render("hypertension", last=LAST)
    assert 'value="氨氯地平"' not in render("hypertension", values={"sbp": 132}, last=LAST)


def test_an_error_stands_at_its_field_and_in_the_summary():
    answers = engine.parse_html("hypertension", {"sbp": "12x"})
    errors = engine.check("hypertension", answers).errors
    html = render("hypertension", values=answers, errors=errors)
    assert html.count("收缩压须为整数。") == 2  # above all fields and at its own
    assert f"有 {len(errors)} 处要改" in html
    assert Controls(html).named("sbp")[0]["aria-invalid"] == "true"


def as_browser_posts(html):
    """Values the rendered controls would post."""
    posted = {}
    for control in Controls(html).found:
        if control.get("type") in ("radio", "checkbox") and "checked" not in control:
            continue
        if "value" in control and control["tag"] == "input":
            posted.setdefault(control["name"], []).append(control["value"])
    return posted


@pytest.mark.parametrize(
    ("key", "answers"),
    [
        ("adl", {"meal": 3, "grooming": 0, "dressing": 0, "toileting": 10, "activity": 1}),
        (
            "diabetes",
            {
                "symptoms": [2, 9],
                "fpg": 7.8,
                "dorsalis_pedis": 2,
                "dorsalis_pedis_side": "左侧",
                "weight": 60.0,
            },
        ),
        (
            "hypertension",
            {"emergency_flags": ["syncope"], "sbp": 186, "referral": False, "emergency_action": 2},
        ),
        (
            "general",
            {"conditions": ["chd"], "lives_alone": True, "cog3_delayed_n": 0, "last_fall_date": "2026-05-01"},
        ),
    ],
)
def test_answers_come_back_unchanged_through_the_page(key, answers):
    back = engine.parse_html(key, as_browser_posts(render(key, values=answers, visit={"mode": "home"})))
    empty = {name: [] for name, field in engine.definition(key).fields.items() if field.get("empty_ok")}
    assert back == {**empty, **answers}


@pytest.mark.parametrize("key", FORMS)
def test_the_paper_prints_every_field_of_the_norm(key):
    form = engine.definition(key)
    source = '{% import "forms/print.html" as p %}{{ p.printed(d, values, {}, visit, person) }}'
    html = ENV.from_string(source).render(
        d=form, values={"sbp": 132, "meal": 3}, visit={"mode": "home"}, person={"name": "宁如意"}
    )
    assert form.raw["paper_zh"] in html and "随访医生签名" in html
    for field in form.fields.values():
        if not field.get("shown_when") and not field.get("target_of"):
            assert field["zh"] in html
