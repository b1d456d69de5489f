"""What other rooms rely on: the schema, posted forms, facts there and back, last values."""

from datetime import date

import pytest
from werkzeug.datastructures import MultiDict

from app.forms import engine
from app.forms.html import choice_of
from app.forms.values import plain


def test_the_schema_keeps_answers_exactly_and_names_what_is_wrong():
    schema = engine.answers_schema("hypertension")
    assert schema.load({"sbp": 132, "weight": 58.5, "height": None}) == {
        "sbp": 132,
        "weight": 58.5,
        "height": None,
    }
    wrong = schema.validate({"sbp": "132", "weight": 58.55, "colour": "red"})
    assert wrong == {
        "sbp": ["收缩压须为整数。"],
        "weight": ["体重须为数字，最多一位小数。"],
        "colour": ["表里没有这一项。"],
    }


@pytest.mark.parametrize(
    ("posted", "want"),
    [
        ({"sbp": "132"}, {"sbp": 132}),
        ({"sbp": " １３２ "}, {"sbp": 132}),
        ({"sbp": "132.0"}, {"sbp": 132}),
        ({"sbp": ""}, {}),
        ({"sbp": "12x"}, {"sbp": "12x"}),
        ({"weight": "58.5"}, {"weight": 58.5}),
        ({"weight": "58．5"}, {"weight": 58.5}),
        ({"symptoms": ["2", "3"]}, {"symptoms": [2, 3]}),
        ({"symptoms": ["99"]}, {"symptoms": ["99"]}),
        ({"emergency_flags": []}, {}),
        ({"bp_arm": "L", "bp_reading_n": "2"}, {"bp_arm": "L", "bp_reading_n": 2}),
        ({"referral": "yes"}, {"referral": True}),
        ({"referral": "handled"}, {"referral": False, "emergency_action": 1}),
        ({"referral": "maybe"}, {"referral": "maybe"}),
        ({"lost_reason": "1", "death_date": "2026-06-01"}, {"lost_reason": 1, "death_date": "2026-06-01"}),
        ({"other_signs": "a\r\nb"}, {"other_signs": "a\nb"}),
        ({"mode": "home", "visited_on": "2026-06-10", "csrf": "x"}, {}),
    ],
)
def test_posted_texts_become_typed_answers(posted, want):
    answers = engine.parse_html("hypertension", posted)
    assert answers == {"emergency_flags": [], **want}


def test_rows_of_medication_are_read_and_blank_ones_dropped():
    posted = MultiDict(
        [
            ("meds-0-drug_name", "氨氯地平"),
            ("meds-0-dose_per_time", "2.5"),
            ("meds-0-unit", "mg"),
            ("meds-0-times_per_day", "1"),
            ("meds-1-drug_name", ""),
            ("meds-7-usage", "睡前"),
        ]
    )
    rows = engine.parse_html("hypertension", posted)["meds"]
    assert rows == [
        {"drug_name": "氨氯地平", "dose_per_time": 2.5, "unit": "mg", "times_per_day": 1},
        {"usage": "睡前"},
    ]


def test_an_unreadable_figure_is_named_at_its_field():
    answers = engine.parse_html("hypertension", {"sbp": "12x"})
    found = engine.check("hypertension", answers)
    assert {"pointer": "/answers/sbp", "code": "type", "message": "收缩压须为整数。"} in found.errors


def test_the_button_of_an_answer_is_the_most_telling_one():
    field = engine.definition("hypertension").fields["referral"]
    assert choice_of(field, {"referral": False, "emergency_action": 2}) == "refused"
    assert choice_of(field, {"referral": False}) == "no"
    assert choice_of(field, {}) is None


@pytest.mark.parametrize(
    ("weight", "height", "want"),
    [
        (64.8, 180, 20.0),
        (57.8, 152, 25.0),
        (50.05, 100, 50.1),
        (20, 220, 4.1),
        (61.4, 160, 24.0),
        (61.3, 160, 23.9),
    ],
)
def test_bmi_rounds_half_up(weight, height, want):
    from app.forms.compute import bmi

    assert bmi(weight, height) == want


def test_facts_survive_the_way_through_observations():
    answers = {
        "sbp": 132, "dbp": 78, "fpg": 7.8, "rbg": 9.1, "pulse": 104, "temperature": 36.5, "med_adherence": 2,
        "adverse_reaction": 2, "visit_class": 4, "emergency_flags": ["pulse_persistent"],
    }  # fmt: skip
    rows = [(row["code"], row["value"], "2026-06-10") for row in engine.observations("diabetes", answers)]
    assert engine.facts_of_observations(rows) == engine.facts_from("diabetes", answers, date(2026, 6, 10))


def test_facts_of_a_general_visit_survive_the_way_through_observations():
    answers = {
        "conditions": ["copd"], "lives_alone": True, "falls_12m": 2, "injurious": True, "spo2": 91,
        "cog3_immediate": True, "cog3_delayed_n": 3, "emo_sad": True, "suicidal_ideation": False,
    }  # fmt: skip
    rows = [(row["code"], row["value"], "2026-06-10") for row in engine.observations("general", answers)]
    assert engine.facts_of_observations(rows) == engine.facts_from("general", answers, "2026-06-10")


def test_readings_are_merged_by_day_and_newest_first():
    march = {"bp": [{"date": "2026-03-01", "sbp": 150, "dbp": 90}], "adl": {"date": "2026-03-01", "score": 3}}
    june = {"bp": [{"date": "2026-06-01", "sbp": 140, "dbp": 80}], "adl": {"date": "2026-06-01", "score": 9}}
    merged = engine.merge_facts(march, june)
    assert [reading["sbp"] for reading in merged["bp"]] == [140, 150]
    assert engine.merge_facts(june, march)["adl"]["score"] == 9
    assert (
        engine.merge_facts(merged, {"bp": [{"date": "2026-03-01", "sbp": 151, "dbp": 90}]})["bp"][1]["sbp"]
        == 151
    )


def test_last_values_come_from_the_newer_of_observation_and_visit():
    latest = {
        "bp": ({"sbp": 162, "dbp": 94}, "2026-05-25"),
        "weight": (59.0, "2025-05-01"),
        "pulse": (76, "2026-05-25"),
    }
    previous = ({"weight": 58.0, "meds": [{"drug_name": "氨氯地平"}]}, "2026-03-01")
    last = engine.last_values("hypertension", latest, previous)
    assert last["sbp"] == {"value": 162, "on": "2026-05-25"}
    assert last["weight"] == {"value": 58.0, "on": "2026-03-01"}
    assert last["heart_rate"]["value"] == 76
    assert last["meds"]["value"] == [{"drug_name": "氨氯地平"}]


def test_figures_are_written_as_people_write_them():
    assert [plain(25.0), plain(25.3), plain(0.001), plain(7)] == ["25", "25.3", "0.001", "7"]
