import json
from pathlib import Path

import pytest

from app.rules.decide import decide, evaluate, matching

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
