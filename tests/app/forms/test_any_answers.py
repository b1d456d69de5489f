"""Whatever a client sends: no crash, and either clean or an error that names the field."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.forms import engine

FORMS = sorted(engine.all_definitions())
KEYS = {key: [*engine.definition(key).fields, *engine.definition(key).computed] for key in FORMS}
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
ANY_JSON = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("key", FORMS)
@settings(max_examples=150)
@given(data=st.data())
def test_any_value_in_any_field_is_clean_or_named(key, data):
    field, value = data.draw(st.sampled_from(KEYS[key])), data.draw(ANY_JSON)
    before = {found["pointer"] for found in engine.check(key, {}).errors}
    answers = {field: value}
    found = engine.check(key, answers)
    assert all(one["code"] and one["message"].endswith("。") for one in found.errors)
    assert all(
        one["pointer"].startswith(("/answers/", "/visited_at", "/next_visit_on")) for one in found.errors
    )
    type_error = bool(engine.answers_schema(key).validate(answers))
    if type_error:
        assert any(one["pointer"].split("/")[2] == field for one in found.errors)
    mentioned = {one["pointer"] for one in found.errors} - before
    known = set(KEYS[key])
    assert all(pointer.split("/")[2] in known for pointer in mentioned if pointer.startswith("/answers/"))
    engine.compute(key, answers)
    engine.facts_from(key, answers, date(2026, 6, 10))
    engine.observations(key, answers)
    engine.summary(key, answers)


@pytest.mark.parametrize("key", FORMS)
@given(answers=ANY_JSON)
@settings(max_examples=60)
def test_any_json_as_answers_never_crashes(key, answers):
    engine.check(key, answers)
    engine.compute(key, answers)
    engine.facts_from(key, answers, "2026-06-10")
    engine.summary(key, answers)


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), 1e308, 2**53 + 1])
@pytest.mark.parametrize("field", ["sbp", "weight"])
def test_numbers_beyond_measure_are_refused(field, value):
    pointers = [found["pointer"] for found in engine.check("hypertension", {field: value}).errors]
    assert f"/answers/{field}" in pointers


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), float("inf"), 2**53 + 1])
def test_a_number_no_machine_holds_is_refused_where_no_limit_stands(value):
    pointers = [
        found["pointer"] for found in engine.check("hypertension", {"exercise_week_min": value}).errors
    ]
    assert "/answers/exercise_week_min" in pointers
