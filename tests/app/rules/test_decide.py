import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.decide import OPERATORS, decide, evaluate, matching, surely

FACT = (
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 2.5, "a", "b", "", [], ["a"], ["a", 1], [True]])
)
NAME = st.sampled_from("xyz")
VALUE = FACT | NAME.map(lambda name: {"fact": name})
TEST = st.tuples(NAME, st.sampled_from(sorted(OPERATORS)), VALUE) | st.tuples(
    NAME, st.just("known"), st.booleans()
)
EXPRESSION = st.recursive(
    TEST.map(list),
    lambda inner: (
        st.fixed_dictionaries({"not": inner})
        | st.fixed_dictionaries({"unless": inner})
        | st.fixed_dictionaries({"all": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(inner, max_size=3)})
    ),
    max_leaves=8,
)
CASES = json.loads((Path(__file__).parents[2] / "contracts" / "decide.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES["decide"], ids=lambda case: case["why"])
def test_decide_answers_as_the_contract_says(case):
    assert decide(CASES["tables"][case["table"]], case["facts"]) == case["want"]


@pytest.mark.parametrize("case", CASES["evaluate"], ids=lambda case: case["why"])
def test_evaluate_answers_as_the_contract_says(case):
    assert evaluate(case["if"], case["facts"]) is case["want"]


def test_an_operator_the_twins_do_not_have_stops_loudly():
    with pytest.raises(KeyError):
        evaluate(["n", "eq", 1], {"n": 1})


def test_matching_gives_only_rows_known_to_apply_in_table_order():
    rows = [
        {"id": 1, "all": [["a", "ge", 1]]},
        {"id": 2, "all": [["b", "ge", 1]]},
        {"id": 3, "all": [["a", "ge", 2]]},
        {"id": 4, "all": []},
    ]
    assert [row["id"] for row in matching(rows, {"a": 1})] == [1, 4]


def test_no_rows_match_nothing():
    assert matching([], {"a": 1}) == []


@given(asked=st.lists(EXPRESSION, max_size=4), facts=st.dictionaries(NAME, FACT))
def test_rows_match_when_their_condition_evaluates_to_true_and_to_nothing_else(asked, facts):
    rows = [part if isinstance(part, dict) else {"all": [part]} for part in asked]
    assert matching(rows, facts) == [row for row in rows if evaluate(row, facts) is True]
    assert [surely(part, facts) for part in asked] == [evaluate(part, facts) is True for part in asked]
