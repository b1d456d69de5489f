"""The shorter ways that conditions take for numbers, lists and booleans end where the long one does."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.forms.compute import Values
from app.forms.conditions import OF_NUMBERS, OPERATORS, one_of, same, truth_of
from app.forms.engine import definition

CODE = st.booleans() | st.sampled_from([0, 1, 1.0, 2, 2.5, "", "1", "a", "true"])
ANY = CODE | st.none() | st.floats() | st.integers() | st.sampled_from([[], ["a"], [1], [True, "b"], {}])


def holds(condition, **known):
    return truth_of(condition)(defaultdict(lambda: None, known))


@given(left=ANY, right=CODE, operator=st.sampled_from(sorted(OF_NUMBERS)))
def test_a_comparison_with_a_literal_is_what_its_operator_says(left, right, operator):
    assert holds(["x", operator, right], x=left) is OPERATORS[operator](left, right)


@given(left=ANY, right=st.lists(CODE))
def test_a_value_is_in_a_list_when_it_is_the_same_as_one_of_it(left, right):
    assert holds(["x", "in", right], x=left) is one_of(right)(left) is any(same(left, one) for one in right)


@given(left=ANY, right=ANY, operator=st.sampled_from(sorted(OPERATORS)))
def test_a_name_stands_for_its_value(left, right, operator):
    if operator in ("in", "has_any"):
        right = [right]
    assert holds(["x", operator, "$y"], x=left, y=right) is OPERATORS[operator](left, right)


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        (None, True),
        ([], True),
        ([["x", "is", 1], ["y", "unknown"]], True),
        ([["x", "is", 1], ["y", "known"]], False),
        ({"any": [["x", "is", 2], ["x", "is", 1]]}, True),
        ({"all": [["x", "is", 2], ["x", "is", 1]]}, False),
        ({"not": ["y", "gt", 0]}, True),
    ],
)
def test_conditions_are_put_together(condition, want):
    assert holds(condition, x=1) is want


def test_what_nobody_gave_is_none():
    values = Values(definition("hypertension"), {"sbp": 150}, None)
    assert [values[name] for name in ("sbp", "dbp", "no_such_field", "@age", "@no_such", "@last.sbp")] == [
        150, None, None, None, None, None,
    ]  # fmt: skip


def test_the_context_follows_answers_that_come_later():
    values = Values(definition("general"), {}, {"conditions": ["copd"], "visited_on": "2026-06-10"})
    assert values["@conditions"] == ["copd"]
    values["conditions"], values["last_fall_date"] = ["chd"], "2026-06-01"
    assert values["@conditions"] == ["chd"]
    assert values["@days_since_date.last_fall_date"] == 9


def test_other_values_of_the_time_before_leave_these_alone():
    values = Values(definition("hypertension"), {"weight": 60}, {"visited_on": "2026-06-10"})
    later = values.with_last({"height": {"value": 160, "on": "2026-01-01"}})
    assert (values["bmi"], later["bmi"]) == (None, 23.4)
    assert (values["@history"], later["@history"]) == (False, True)
