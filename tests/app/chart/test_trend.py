"""What a trend says: bands of the person's own target, the sentence, the readings of a year."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.chart import trend

START = date(2025, 6, 10)


def after(days):
    return START + timedelta(days=days)


def test_bands_follow_the_persons_own_target():
    assert trend.bp_target(["hypertension"], 78) == (150, 90)
    assert trend.bp_target(["hypertension", "diabetes_t2"], 78) == (140, 90)
    assert trend.bp_target(None, 60) == (140, 90)
    card = trend.blood_pressure([(START, {"sbp": 144, "dbp": 80})], (140, 90))
    assert [figure.bands for figure in card.figures] == [
        "red:90,green:140,yellow:180,red:", "green:90,yellow:110,red:",
    ]  # fmt: skip
    sugar = trend.fasting_glucose([(START, 6.2)], True)
    assert sugar.figures[0].bands == "red:3.9,green:7.0,yellow:13.9,red:"


@pytest.mark.parametrize(
    ("values", "word"),
    [([148, 152, 158, 166, 162, 186], "一路上升"), ([180, 160, 140], "一路下降"),
     ([140, 170, 128, 152], "总体上升"),
     ([140, 142, 139, 141], "平稳"), ([140, 170, 141], "有起伏"), ([140, 160], "总体上升")],
)  # fmt: skip
def test_the_sentence_says_where_it_goes(values, word):
    assert trend.direction(values, 10) == word


def test_half_readings_and_second_readings_of_a_day_are_not_drawn():
    card = trend.blood_pressure(
        [
            (START, {"sbp": 190, "dbp": None}),
            (START, {"sbp": 150, "dbp": 90}),
            (START, {"sbp": 142, "dbp": 88}),
        ],
        (150, 90),
    )
    assert card.newest == "142/88" and card.rows == ((START, "142/88"),)
    assert trend.blood_pressure([(START, {"sbp": 190, "dbp": None})], (150, 90)) is None
    assert trend.fasting_glucose([], True) is None


def test_what_happened_between_the_readings():
    visits = [
        (START, "hypertension", {"meds": [{"drug_name": "氨氯地平"}]}),
        (after(30), "diabetes", {"meds": [{"drug_name": "二甲双胍"}]}),
        (
            after(60),
            "hypertension",
            {"meds": [{"drug_name": "氨氯地平"}, {"drug_name": "缬沙坦"}], "referral": True},
        ),
    ]
    assert trend.medicine_events(visits) == [(after(60), "加药"), (after(60), "转诊")]


def test_only_what_happened_between_the_readings_is_drawn():
    readings = [(after(days), {"sbp": 140, "dbp": 80}) for days in (0, 60)]
    events = [(after(-1), "转诊"), (after(30), "加药"), (after(61), "转诊")]
    assert trend.blood_pressure(readings, (150, 90), events).events == ((after(30), "加药"),)


def test_the_table_holds_every_reading_that_is_drawn_newest_first():
    readings = [(after(days), {"sbp": 100 + days, "dbp": 80}) for days in range(0, 90, 2)]
    card = trend.blood_pressure(readings, (150, 90))
    assert len(card.rows) == trend.MOST and card.rows[0] == (after(88), "188/80")
