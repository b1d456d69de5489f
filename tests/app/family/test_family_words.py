"""A grade in a relative's words, for every reason the table knows."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from app.family import rules
from app.grading.rules import shipped_table

TABLE = shipped_table()
KEPT_BACK = [rule["code"] for rule in TABLE["rules"] if rule["family"] is None]
TOLD = [rule for rule in TABLE["rules"] if rule["family"]]


def test_the_headline_is_the_finding_and_when_something_must_happen() -> None:
    text = "血压偏高，请按时服药、少吃盐，两周内复查。"
    assert rules.headline_of(text) == (("血压偏高", "两周内复查"), "请按时服药、少吃盐。")
    assert rules.headline_of("容易跌倒，请清理过道、穿防滑鞋、夜里留灯。") == (
        ("容易跌倒",),
        "请清理过道、穿防滑鞋、夜里留灯。",
    )
    assert rules.headline_of("请提醒老人每天按时服药。") == (("请提醒老人每天按时服药",), "")


@pytest.mark.parametrize("rule", TOLD, ids=lambda rule: rule["code"])
def test_no_word_of_a_reason_is_lost(rule: dict) -> None:
    story = rules.story(rule["colour"], False, [{"code": rule["code"], "family": rule["family"]}], "general")
    said = "".join(story.headline) + story.advice
    for clause in rules.clauses(rule["family"]):
        assert clause.removeprefix("请") in said
    assert rule["code"] not in said


def test_reasons_kept_from_relatives_leave_no_trace() -> None:
    assert {"SUICIDE_RISK", "HOSPICE", "DEMENTIA", "DEMENTIA_ALONE", "COGNITION_POSITIVE"} <= set(KEPT_BACK)
    words = [{"code": code, "text": "认知初筛异常", "family": None} for code in KEPT_BACK]
    story = rules.story("red", False, words, TABLE["colours"]["red"]["family"])
    assert story.headline == ("需要重点关照",)
    assert (story.advice, story.figure) == ("", ())


def test_an_emergency_says_first_what_to_do() -> None:
    words = [{"code": "BP_EMERGENCY", "family": "血压非常高，请立即联系家庭医生或拨打120。"}]
    story = rules.story("red", True, words, TABLE["colours"]["emergency"]["family"])
    assert story.badge == "情况紧急"
    assert story.headline == ("情况紧急", "请立即联系家庭医生")
    assert "120" in story.advice


def test_one_figure_at_most_and_the_newest_complete_one() -> None:
    rows = [
        SimpleNamespace(code="bp", value={"sbp": 150, "dbp": 86}, number=None, observed_on=date(2026, 5, 1)),
        SimpleNamespace(code="bp", value={"sbp": 152, "dbp": 88}, number=None, observed_on=date(2026, 5, 29)),
        SimpleNamespace(code="bp", value={"sbp": 190}, number=None, observed_on=date(2026, 6, 1)),
        SimpleNamespace(code="weight", value=58.5, number=58.5, observed_on=date(2026, 6, 2)),
    ]
    assert rules.figure_of(("bp",), rows) == (date(2026, 5, 29), "152/88")
    assert rules.figure_of(("fpg", "rbg"), rows) is None
