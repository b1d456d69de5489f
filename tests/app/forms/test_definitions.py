"""House test: every definition file is well formed, so that a new form fails here and not on a phone."""

import pytest

from app.forms import engine
from app.forms.conditions import OPERATORS
from app.forms.definition import rows_of

FORMS = list(engine.all_definitions().values())
TOP = {"key", "version", "zh", "paper_zh", "en", "icon", "source", "assumes", "layout", "fields", "computed"}
TOP |= {"checks", "yields", "summary"}
FIELD = {"key", "zh", "en", "short", "type", "unit", "hard", "soft", "required", "empty_ok", "even_if_lost"}
FIELD |= {
    "shown_when",
    "options",
    "other",
    "max",
    "columns",
    "widget",
    "step",
    "help",
    "target_of",
    "part_of",
}
FIELD |= {"choices", "item", "row", "row_detail", "add", "max_rows", "blank_rows", "copy_last", "suggest"}
FIELD |= {"source", "mark"}
COMPUTED = {
    "key",
    "zh",
    "en",
    "type",
    "unit",
    "hard",
    "soft",
    "fn",
    "args",
    "cases",
    "else",
    "labels",
    "shown",
}
TYPES = {"int", "dec1", "dec3", "text", "date", "enum", "multi", "bool", "list"}
CHECK = {"id", "when", "action", "at", "zh", "fix", "sound"}


def every_field():
    for form in FORMS:
        for field in form.fields.values():
            yield form, field
            for item in field.get("item", []):
                yield form, item


FIELDS = [pytest.param(form, field, id=f"{form.key}.{field['key']}") for form, field in every_field()]


def names_in(condition):
    """Every name a condition reads, both sides."""
    if isinstance(condition, dict):
        return [name for part in condition.values() for name in names_in(part)]
    if condition and isinstance(condition[0], str):
        name, operator, *right = condition
        assert operator in OPERATORS
        return [name] + [one[1:] for one in right if isinstance(one, str) and one.startswith("$")]
    return [name for part in condition or [] for name in names_in(part)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.key)
def test_a_definition_has_the_known_keys_and_no_field_twice(form):
    assert set(form.raw) == TOP
    keys = [field["key"] for field in form.raw["fields"]] + [field["key"] for field in form.raw["computed"]]
    assert len(keys) == len(set(keys))
    assert isinstance(form.version, int) and form.zh and form.en and form.icon
    assert all(set(field) <= COMPUTED for field in form.computed.values())


@pytest.mark.parametrize(("form", "field"), FIELDS)
def test_a_field_is_well_formed(form, field):
    assert set(field) <= FIELD
    assert field["type"] in TYPES and field["zh"] and field["en"]
    if field["type"] in ("int", "dec1", "dec3"):
        assert field["hard"]["min"] < field["hard"]["max"]
    if field["type"] == "text":
        assert 0 < field["max"] <= 500
    if field["type"] in ("enum", "multi", "bool"):
        codes = [option["code"] for option in field["options"]]
        assert len(codes) > 1 and len(codes) == len({repr(code) for code in codes})
        assert all(option["zh"] and option["en"] for option in field["options"])
    for limit in field.get("soft", []):
        assert limit["op"] in OPERATORS and limit["level"] in ("warn", "emergency") and limit["zh"]
        assert not str(limit["value"]).startswith("$")  # a literal, never the name of another value
        if "hard" in field:
            assert field["hard"]["min"] <= limit["value"] <= field["hard"]["max"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.key)
def test_every_field_stands_on_the_screen_once(form):
    shown = [key for section in form.layout for key in rows_of(section)]
    assert len(shown) == len(set(shown))
    assert set(form.fields) <= set(shown)
    assert set(shown) <= set(form.fields) | set(form.computed)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.key)
def test_every_name_a_definition_reads_exists(form):
    known = set(form.fields) | set(form.computed)
    read = []
    for field in form.fields.values():
        read += names_in(field.get("shown_when"))
        read += names_in(field["required"]["when"]) if isinstance(field.get("required"), dict) else []
        read += [name for choice in field.get("choices", []) for name in names_in(choice.get("shown_when"))]
        read += [field[part] for part in ("other", "target_of", "part_of", "suggest") if part in field]
    for field in form.computed.values():
        read += [name for condition, _ in field.get("cases", []) for name in names_in(condition)]
        read += field.get("args") or []
    for rule in form.checks:
        assert set(rule) <= CHECK and rule["action"] in ("reject", "warn")
        read += names_in(rule["when"]) + ([rule["at"]] if not rule["at"].startswith("/") else [])
        read += [rule["fix"]["key"], rule["fix"]["value"][1:]] if "fix" in rule else []
    for rule in form.yields:
        read += rule.get("needs", []) + ([rule["value"]] if "measure" in rule else [])
    for line in form.raw["summary"]:
        read += line["needs"]
    assert {name for name in read if not name.startswith("@")} <= known | {"insulin"}


def test_the_four_forms_of_this_release_are_there():
    assert set(engine.all_definitions()) == {"adl", "diabetes", "general", "hypertension"}


def test_an_unknown_form_is_a_loud_stop():
    with pytest.raises(KeyError):
        engine.definition("nothing")


def test_the_self_care_scores_add_up_to_37_at_worst():
    worst = [
        max(option["score"] for option in f["options"])
        for f in engine.definition("adl").fields.values()
        if f.get("columns") == 1
    ]
    assert sum(worst) == 37
