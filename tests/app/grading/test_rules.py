import copy
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grading.derive import (
    age_on,
    bp_reading,
    day_number,
    days_since,
    kept_bp,
    newest_first,
    number,
    number_text,
)
from app.grading.rules import grade, shipped_table

CONTRACTS = Path(__file__).parents[2] / "contracts"
VECTORS = json.loads((CONTRACTS / "grading_vectors.json").read_text(encoding="utf-8"))
EDGES = json.loads((CONTRACTS / "grading_edges.json").read_text(encoding="utf-8"))
AS_OF = date(2026, 3, 1)


def ago(days: int) -> str:
    return (AS_OF - timedelta(days=days)).isoformat()


def a_person(**changes):
    """Healthy, 70, everything recorded on 20 February 2026."""
    return {**copy.deepcopy(EDGES["base"]), **changes}


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["id"])
def test_published_vectors_are_met_exactly(vector):
    assert grade(vector["input"]) == vector["expected"]


@pytest.mark.parametrize("case", EDGES["cases"], ids=lambda case: case["name"])
def test_edges_are_met_exactly(case):
    assert grade({**EDGES["base"], **case["set"]}) == case["expected"]


def test_the_table_ships_under_the_version_the_vectors_were_made_for():
    assert shipped_table()["rule_version"] == VECTORS["rule_version"]


@pytest.mark.parametrize(
    "as_of", [None, "", "2026-02-29", "2026-3-1", "01/03/2026", 20260301, date(2026, 3, 1)]
)
def test_no_grade_without_a_day_to_grade_on(as_of):
    with pytest.raises(ValueError, match="as_of"):
        grade(a_person(as_of=as_of))


@pytest.mark.parametrize("facts", [None, [], "x", {}])
def test_no_grade_without_facts(facts):
    with pytest.raises(ValueError, match="as_of"):
        grade(facts)


# -- every number is data ------------------------------------------------------------------------


def test_a_district_changes_a_window_by_editing_the_table():
    facts = a_person(conditions=["hypertension"], bp=[{"date": ago(101), "sbp": 130, "dbp": 80}])
    table = copy.deepcopy(shipped_table())
    table["windows"]["fresh"] = 120
    assert grade(facts)["reasons"] == ["DATA_STALE_BP"]
    assert grade(facts, table)["reasons"] == []


def test_a_district_changes_due_days_and_base_by_editing_the_table():
    table = copy.deepcopy(shipped_table())
    table["base_days"] = [{"id": "rest", "all": [], "then": 45}]
    next(rule for rule in table["rules"] if rule["code"] == "TUBE_CARE")["due"] = 3
    assert grade(a_person(), table)["due_in_days"] == 45
    assert grade(a_person(tubes=["1"]), table)["due_in_days"] == 3


@pytest.mark.parametrize(
    ("profile", "birth_date", "conditions", "sbp", "dbp", "controlled"),
    [
        ("PHS3", "1955-06-15", [], 149, 89, True),
        ("PHS3", "1955-06-15", [], 150, 89, False),
        ("HTN20", "1955-06-15", [], 139, 89, True),
        ("HTN20", "1955-06-15", [], 140, 80, False),
        ("HTN20", "1940-06-15", [], 149, 89, True),
        ("HTN20", "1940-06-15", ["ckd"], 140, 80, False),
        ("HTN25", "1955-06-15", [], 129, 79, True),
        ("HTN25", "1955-06-15", [], 129, 80, False),
        ("HTN25", "1940-06-15", [], 149, 89, True),
    ],
)
def test_the_blood_pressure_target_follows_the_profile(profile, birth_date, conditions, sbp, dbp, controlled):
    table = {**shipped_table(), "bp_target_profile": profile}
    facts = a_person(
        birth_date=birth_date,
        conditions=["hypertension", *conditions],
        bp=[{"date": ago(3), "sbp": sbp, "dbp": dbp}],
    )
    assert ("BP_UNCONTROLLED" not in grade(facts, table)["reasons"]) == controlled


def facts_named(expression):
    if isinstance(expression, list):
        named = [expression[0]]
        return named + ([expression[2]["fact"]] if isinstance(expression[2], dict) else [])
    if "not" in expression or "unless" in expression:
        return facts_named(expression.get("not", expression.get("unless")))
    return [name for part in expression.get("all", expression.get("any")) for name in facts_named(part)]


def test_every_condition_reads_a_fact_that_somebody_derives():
    table = shipped_table()
    names = {"age", "conditions", "conditions_count", "major_diseases", "tubes", *table["flags"]}
    names |= {f"{key}.{part}" for key in ("bp", "bp1", "bp2") for part in ("days", "sbp", "dbp")}
    names |= {f"glu.{part}" for part in ("days", "max", "min", "fpg_max", "rbg_max")}
    names |= {f"{key}.{part}" for key in ("fpg1", "fpg2") for part in ("days", "mmol_l")}
    names |= {"bp.target_sbp", "bp.target_dbp"}
    for prefix, group in (("window", "windows"), ("limit", "limits"), ("list", "lists")):
        names |= {f"{prefix}.{key}" for key in table[group]}
    for name, fields in table["records"].items():
        names |= {f"{name}.days", *(f"{name}.{field}" for field in fields)}
    for row in [*table["rules"], *table["missing"]]:
        assert set(facts_named(row)) <= names, row


def test_every_list_of_rows_that_must_answer_ends_in_one_that_always_does():
    table = shipped_table()
    for rows in [table["base_days"], *table["bp_target_profiles"].values()]:
        assert rows[-1]["all"] == []


def test_rules_are_numbered_once_in_order_and_emergencies_are_red():
    rules = shipped_table()["rules"]
    numbers = [rule["number"] for rule in rules]
    assert numbers == [*range(1, 23), *range(30, 57)]
    assert len({rule["code"] for rule in rules}) == len(rules)
    assert all(rule["emergency"] == (rule["number"] <= 9) for rule in rules)
    assert all((rule["colour"] == "red") == (rule["number"] <= 22) for rule in rules)


# -- small derived facts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("1948-02-29", "2027-02-28", 78),
        ("1948-02-29", "2027-03-01", 79),
        ("1948-02-29", "2028-02-28", 79),
        ("1948-02-29", "2028-02-29", 80),
        ("1946-03-01", "2026-03-01", 80),
        ("1946-03-02", "2026-03-01", 79),
        ("2026-03-01", "2026-03-01", 0),
        ("2026-03-02", "2026-03-01", None),
        ("1946-02-29", "2026-03-01", None),
        (None, "2026-03-01", None),
    ],
)
def test_age_is_full_years(born, on, age):
    assert age_on(born, on) == age


@pytest.mark.parametrize(
    "value",
    ["0000-01-01", "2026-13-01", "2026-00-10", "2026-02-30", "２026-01-01", "2026-01-01\n", 5, None, []],
)
def test_what_is_no_date_has_no_day(value):
    assert day_number(value) is None


def test_days_are_counted_over_leap_days_and_not_into_the_future():
    assert days_since("2024-02-28", "2024-03-01") == 2
    assert days_since("2023-02-28", "2023-03-01") == 1
    assert days_since("2026-03-01", "2026-03-01") == 0
    assert days_since("2026-03-02", "2026-03-01") is None


@pytest.mark.parametrize("value", [True, "7", None, [], {}, float("nan"), float("inf"), 10**400, 1e9])
def test_what_is_no_measured_number_is_missing(value):
    assert number(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0, "7"),
        (7, "7"),
        (16.70, "16.7"),
        (-0.0, "0"),
        (0.00001, "0"),
        (123456789.5, "123456789.5"),
        (0.0001, "0.0001"),
    ],
)
def test_numbers_are_printed_as_stored_without_trailing_zeros(value, text):
    assert number_text(value) == text


# -- properties ----------------------------------------------------------------------------------

readings = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.integers(-5, 760).map(ago),
            "sbp": st.none() | st.integers(40, 310),
            "dbp": st.none() | st.integers(10, 210),
        }
    ),
    max_size=8,
)
glucose = st.lists(
    st.fixed_dictionaries({"date": st.integers(-5, 410).map(ago), "mmol_l": st.floats(0, 60)}), max_size=6
)
people = st.builds(
    a_person,
    conditions=st.none()
    | st.lists(st.sampled_from(["hypertension", "diabetes_t2", "copd", "dementia", "osteoporosis"])),
    bp=readings,
    fpg=glucose,
    rbg=glucose,
    birth_date=st.none() | st.integers(60 * 365, 90 * 365).map(ago),
    adl=st.none()
    | st.fixed_dictionaries({"date": st.integers(0, 410).map(ago), "score": st.integers(0, 37)}),
    lives_alone=st.none() | st.booleans(),
)
emergencies = st.sampled_from(
    [
        {"red_flags": {"date": ago(0), "codes": ["chest_pain"]}},
        {"spo2": {"date": ago(0), "pct": 80}},
        {"pulse": {"date": ago(0), "bpm": 35}},
        {"temp": {"date": ago(0), "c": 39.5}},
        {"depression": {"date": ago(0), "positive": True, "suicidal": True}},
    ]
)


@given(people, emergencies)
def test_an_emergency_makes_the_grade_red_whatever_else_is_recorded(person, emergency):
    result = grade({**person, **emergency})
    assert result["colour"] == "red"
    assert result["emergency"]
    assert result["due_in_days"] <= 14


@given(people, st.sampled_from([{"sbp": 190, "dbp": 100}, {"sbp": 80, "dbp": 50}, {"sbp": None, "dbp": 112}]))
def test_an_emergency_reading_of_today_is_never_hidden_by_another(person, reading):
    person["bp"] = [*person["bp"], {"date": ago(0), **reading}]
    assert grade(person)["emergency"]


@given(people, st.randoms(use_true_random=False))
def test_the_order_of_measurements_does_not_matter(person, random):
    shuffled = copy.deepcopy(person)
    for key in ("bp", "fpg", "rbg"):
        random.shuffle(shuffled[key])
    assert grade(shuffled) == grade(person)


@given(people, st.dictionaries(st.text(max_size=5).map(lambda key: f"x_{key}"), st.integers() | st.text()))
def test_keys_nobody_knows_are_ignored(person, extra):
    assert grade({**person, **extra}) == grade(person)


@given(people, st.sampled_from(["conditions", "bp", "adl"]))
def test_forgetting_what_is_needed_never_ends_in_green(person, key):
    assert grade({**person, key: None})["colour"] != "green"


READING = st.fixed_dictionaries(
    {
        "date": st.sampled_from(
            ["2026-03-01", "2026-02-28", "2026-02-01", "2025-03-01", "2026-03-02", "x", None]
        ),
        "sbp": st.none() | st.sampled_from([49, 85, 120, 150, 185]),
        "dbp": st.none() | st.sampled_from([19, 60, 90, 115, 150]),
    }
)


@given(st.lists(READING, max_size=8))
def test_readings_are_kept_down_to_the_second_complete_one(readings):
    table = shipped_table()
    read = [bp_reading(one, "2026-03-01", table) for one in readings]
    every = newest_first((one for one in read if one is not None), ("urgent", "sbp", "dbp"))
    second = [place for place, one in enumerate(every) if one["complete"]][1:2]
    assert kept_bp(readings, "2026-03-01", table) == (every[: second[0] + 1] if second else every)


@given(people, st.integers(1, 40))
def test_records_of_the_future_are_no_records(person, days):
    future = {**person, "bp": [*person["bp"], {"date": ago(-days), "sbp": 200, "dbp": 120}]}
    assert grade(future) == grade(person)


@given(people)
def test_the_next_visit_is_never_later_than_the_colour_allows(person):
    result = grade(person)
    assert result["due_in_days"] <= {"red": 30, "yellow": 60, "green": 180, "unrated": 30}[result["colour"]]
    assert not (result["colour"] == "green" and result["reasons"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("2026-02-20"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["date", "sbp", "codes", "score"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*EDGES["base"], "red_flags", "tubes", "fpg", "hospice"]), json_values)
)
def test_odd_shapes_never_crash(odd):
    result = grade({**a_person(), **odd, "as_of": "2026-03-01"})
    assert result["colour"] in ("red", "yellow", "green", "unrated")
