"""Phone and server must never disagree, nor either of them with a second reading of the rules."""

import json
import subprocess
from pathlib import Path

import pytest

from app.grading.explain import explain
from app.grading.rules import grade, shipped_table
from tests.app.grading.people import Maker
from tests.app.grading.second_reading import second_reading

ROOT = Path(__file__).parents[3]
HOW_MANY = 24_000


def answer(facts):
    try:
        result = grade(facts)
    except ValueError:
        return {"error": "as_of"}
    return {"grade": result, "explain": explain(facts, result)}


def test_phone_and_server_give_the_same_grade_and_the_same_words(tmp_path):
    tidy, wild = Maker(seed=20260301, odd=0), Maker(seed=7, odd=0.08)
    people = [(tidy if index % 2 else wild).facts() for index in range(HOW_MANY)]
    lines = "\n".join(json.dumps(facts) for facts in people)
    script = ROOT / "tests" / "js" / "grade_ndjson.mjs"
    done = subprocess.run(
        ["node", str(script)], input=lines, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    phone = [json.loads(line) for line in done.stdout.split("\n")]
    server = [answer(facts) for facts in people]
    differing = [facts for facts, one, other in zip(people, phone, server, strict=True) if one != other]
    assert differing == []
    seen = {code for one in server if "grade" in one for code in one["grade"]["reasons"]}
    assert seen == {rule["code"] for rule in shipped_table()["rules"]}, (
        "the random people must set off every rule"
    )
    assert {one["grade"]["colour"] for one in server if "grade" in one} == {
        "red",
        "yellow",
        "green",
        "unrated",
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_table_says_what_a_second_plain_reading_says(seed):
    maker = Maker(seed=seed, odd=0)
    for _ in range(2_000):
        facts = maker.facts()
        assert grade(facts) == second_reading(facts), facts
