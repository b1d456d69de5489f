"""The cases both languages must agree on, one by one: tests/contracts/forms_cases.json."""

import json
from pathlib import Path

import pytest

from app.forms import engine

CASES = json.loads((Path(__file__).parents[2] / "contracts" / "forms_cases.json").read_text(encoding="utf-8"))


def pairs(findings):
    return sorted([found["pointer"], found["code"]] for found in findings)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['form']}: {case['why']}" for case in CASES])
def test_answers_are_judged_as_the_form_says(case):
    form, answers, context, want = (case[part] for part in ("form", "answers", "context", "want"))
    found = engine.check(form, answers, context)
    assert pairs(found.errors) == sorted(want["errors"])
    assert pairs(found.warnings) == sorted(want["warnings"])
    computed = engine.compute(form, answers, context)
    assert {key: computed[key] for key in want.get("computed", {})} == want.get("computed", {})
    if "facts" in want:
        assert engine.facts_from(form, answers, context["visited_on"], context) == want["facts"]
    if "observations" in want:
        assert engine.observations(form, answers, context) == want["observations"]
    if "summary" in want:
        assert engine.summary(form, answers) == want["summary"]
