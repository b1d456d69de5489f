"""From what is recorded to the facts of grading.md §3."""

from datetime import date

import pytest

from app.grading import facts

BORN = date(1948, 3, 1)
TODAY = date(2026, 6, 10)


def register(**given):
    return {
        "birth_date": BORN,
        "conditions": None,
        "conditions_on": None,
        "lives_alone": None,
        "hospice": False,
        "home_bed_open": False,
        "tubes": [],
        **given,
    }


def test_nothing_recorded_is_missing_and_not_normal():
    made = facts.build(register(), [], TODAY)
    assert made == {
        "birth_date": "1948-03-01",
        "as_of": "2026-06-10",
        "conditions": None,
        "hospice": False,
        "home_bed_open": False,
        "tubes": [],
    }


def test_readings_become_a_list_and_the_rest_the_newest_record():
    seen = [
        ("bp", {"sbp": 150, "dbp": 90}, date(2026, 5, 1)),
        ("fpg", 6.1, date(2026, 5, 1)),
        ("pulse", 80, date(2026, 5, 1)),
        ("bp", {"sbp": 140, "dbp": 80}, date(2026, 6, 1)),
        ("pulse", 90, date(2026, 6, 1)),
        ("weight", 58.5, date(2026, 6, 1)),
    ]
    made = facts.build(register(), seen, TODAY)
    assert made["bp"] == [
        {"date": "2026-06-01", "sbp": 140, "dbp": 80},
        {"date": "2026-05-01", "sbp": 150, "dbp": 90},
    ]
    assert made["fpg"] == [{"date": "2026-05-01", "mmol_l": 6.1}]
    assert made["pulse"] == {"date": "2026-06-01", "bpm": 90}
    assert "weight" not in made


def test_a_past_day_is_graded_as_it_was():
    seen = [("bp", {"sbp": 150, "dbp": 90}, date(2026, 5, 1)), ("adl", 19, date(2026, 6, 1))]
    made = facts.build(register(), seen, date(2026, 5, 20))
    assert "adl" not in made
    assert made["bp"][0]["date"] == "2026-05-01"


def test_readings_no_rule_looks_at_are_left_out():
    seen = [
        ("bp", {"sbp": 150, "dbp": 90}, date(2024, 6, 9)),
        ("bp", {"sbp": 151, "dbp": 90}, date(2024, 6, 10)),
    ]
    assert [reading["sbp"] for reading in facts.build(register(), seen, TODAY)["bp"]] == [151]


@pytest.mark.parametrize(
    ("registered", "on", "seen", "want"),
    [
        (["stroke"], date(2026, 5, 1), [], ["stroke"]),
        (["stroke"], date(2026, 5, 1), [("conditions", [], date(2026, 6, 1))], []),
        (["stroke"], date(2026, 6, 2), [("conditions", [], date(2026, 6, 1))], ["stroke"]),
        (None, None, [("conditions", ["copd"], date(2026, 6, 1))], ["copd"]),
        (None, None, [], None),
    ],
)
def test_conditions_are_the_newer_word_of_register_and_visit(registered, on, seen, want):
    made = facts.build(register(conditions=registered, conditions_on=on), seen, TODAY)
    assert made["conditions"] == want
