import json
from pathlib import Path

import pytest

from app.grading.explain import colour_words, explain, filled, missing_text
from app.grading.rules import grade, shipped_table

BASE = json.loads((Path(__file__).parents[2] / "contracts" / "grading_edges.json").read_text("utf-8"))["base"]
KEPT_FROM_RELATIVES = {
    "HOSPICE",
    "SUICIDE_RISK",
    "DEPRESSION_POSITIVE",
    "DEMENTIA",
    "DEMENTIA_ALONE",
    "COGNITION_POSITIVE",
}
DAY = "2026-02-20"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"bp": [{"date": DAY, "sbp": 186, "dbp": 104}]}, "血压达危急值 186/104mmHg"),
        ({"bp": [{"date": DAY, "sbp": 186, "dbp": None}]}, "血压达危急值 186/—mmHg"),
        (
            {"fpg": [{"date": DAY, "mmol_l": 3.0}], "rbg": [{"date": DAY, "mmol_l": 18.50}]},
            "血糖 18.5mmol/L≥16.7",
        ),
        ({"fpg": [{"date": DAY, "mmol_l": 2.70}], "rbg": [{"date": DAY, "mmol_l": 6}]}, "低血糖 2.7mmol/L"),
        ({"red_flags": {"date": DAY, "codes": ["chest_pain", "syncope"]}}, "出现危急症状：胸痛、晕厥"),
        ({"red_flags": {"date": DAY, "codes": ["new_code"]}}, "出现危急症状：new_code"),
        ({"temp": {"date": DAY, "c": 40.0}}, "体温 40℃"),
        ({"tubes": [1, "2", "urinary"]}, "带管居家：胃管、导尿管、导尿管"),
        ({"skin": {"date": DAY, "stage": 3}}, "3期压力性损伤"),
        ({"skin": {"date": DAY, "stage": 5}}, "不可分期压力性损伤"),
        ({"ltc": {"date": DAY, "level": 4}}, "重度失能Ⅱ级"),
        ({"adherence": {"date": DAY, "code": 3}}, "不服药"),
        ({"discharge": {"date": "2026-02-26"}, "birth_date": "1940-01-01"}, "出院3天高风险"),
        ({"conditions": ["stroke", "osteoporosis", "chd"]}, "患重大慢性病：冠心病、脑卒中"),
        ({"birth_date": "1940-01-01"}, "高龄（86岁）"),
    ],
)
def test_the_reason_names_what_was_measured(changes, text):
    facts = {**BASE, **changes}
    assert explain(facts, grade(facts))[0]["text"] == text


def test_reasons_come_in_the_order_of_the_grade_with_colour_and_emergency():
    facts = {**BASE, "conditions": ["chd"], "spo2": {"date": DAY, "pct": 80}}
    told = explain(facts, grade(facts))
    assert [(one["code"], one["colour"], one["emergency"]) for one in told] == [
        ("SPO2_LOW", "red", True),
        ("MAJOR_DISEASE", "yellow", False),
    ]


def test_hospice_mood_and_cognition_have_no_words_for_relatives_and_everything_else_has():
    silent = {rule["code"] for rule in shipped_table()["rules"] if rule["family"] is None}
    assert silent == KEPT_FROM_RELATIVES


def test_relatives_read_no_diagnosis_of_mind_or_end_of_life():
    advice = "".join(rule["family"] or "" for rule in shipped_table()["rules"])
    advice += "".join(words["family"] for words in shipped_table()["colours"].values())
    assert not any(
        word in advice for word in ("安宁", "轻生", "自伤", "认知", "失智", "痴呆", "抑郁", "精神", "肿瘤")
    )


def test_no_placeholder_is_left_in_any_sentence():
    for rule in shipped_table()["rules"]:
        for template in (rule["text"], rule["family"] or ""):
            assert "{" not in filled(template, {}, shipped_table())


def test_a_reason_of_another_table_version_is_shown_as_its_code():
    told = explain(BASE, {"reasons": ["OLD_RULE"]})
    assert told == [
        {"code": "OLD_RULE", "colour": None, "emergency": False, "text": "OLD_RULE", "family": None}
    ]


def test_every_missing_key_has_a_label():
    for row in shipped_table()["missing"]:
        assert missing_text(row["key"]) != row["key"]
    assert missing_text("unheard_of") == "unheard_of"


def test_every_emergency_a_form_can_record_has_a_label():
    definitions = Path(__file__).parents[3] / "app" / "forms" / "definitions"
    codes = {
        option["code"]
        for path in definitions.glob("*.json")
        for field in json.loads(path.read_text("utf-8")).get("fields", [])
        if field["key"] == "emergency_flags"
        for option in field["options"]
    }
    assert "chest_pain" in codes
    assert codes <= set(shipped_table()["labels"]["red_flags"])


def test_colour_is_never_without_a_word_and_an_emergency_has_its_own():
    words = {
        key: colour_words({"colour": key, "emergency": False})["word"]
        for key in ("red", "yellow", "green", "unrated")
    }
    assert words == {"red": "红", "yellow": "黄", "green": "绿", "unrated": "待评估"}
    assert colour_words({"colour": "red", "emergency": True})["word"] == "危急"
