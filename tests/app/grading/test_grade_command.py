"""`flask grade < facts.ndjson`."""

import json

import pytest

from app.grading.cli import answer, command

FACTS = {
    "as_of": "2026-06-10",
    "birth_date": "1950-01-01",
    "conditions": ["hypertension"],
    "bp": [{"date": "2026-06-10", "sbp": 186, "dbp": 104}],
}


def test_one_result_a_line_in_the_same_order(app):
    lines = [json.dumps(FACTS), "", "nonsense", json.dumps({**FACTS, "bp": []})]
    result = app.test_cli_runner().invoke(command, input="\n".join(lines) + "\n")
    assert result.exit_code == 0
    first, second, third = [json.loads(line) for line in result.stdout.splitlines()]
    assert (first["colour"], first["reasons"]) == ("red", ["BP_EMERGENCY"])
    assert set(second) == {"error"}
    assert third["reasons"] == ["DATA_STALE_BP"]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b"{}",
        b'{"as_of": "tomorrow"}',
        b'{"as_of": NaN}',
        b"\xff",
        b'{"as_of":1,"as_of":2}',
        b"[" * 100_000,
    ],
)
def test_a_bad_line_says_what_is_wrong_and_stops_nothing(line):
    assert set(answer(line)) == {"error"}
