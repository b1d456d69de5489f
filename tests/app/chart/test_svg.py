"""The drawing of a trend: every point where it belongs, nothing outside the frame."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chart import svg, trend
from app.chart.svg import Band, Scale

BANDS = [Band("red", 90), Band("green", 150), Band("yellow", 180), Band("red", None)]
START = date(2025, 6, 10)
NS = "{http://www.w3.org/2000/svg}"


def drawn(points, **given):
    text = svg.trend(points, BANDS, low=110, high=200, title="收缩压", **given)
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def points_of(root):
    line = root.find(f"{NS}polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def after(days):
    return START + timedelta(days=days)


def test_time_is_true_and_higher_is_higher():
    root = drawn([(START, 140.0), (after(30), 150.0), (after(120), 130.0)])
    (x1, y1), (x2, y2), (x3, y3) = points_of(root)
    assert (x3 - x1) == pytest.approx(4 * (x2 - x1), abs=2.5)
    assert y2 < y1 < y3


def test_the_newest_reading_is_the_shape_of_its_own_grade():
    for value, colour in ((186, "red"), (85, "red"), (150, "yellow"), (149, "green"), (180, "red")):
        root = drawn([(START, 140.0), (after(30), float(value))])
        newest = [path for path in root.iter(f"{NS}path") if path.get("class") == "newest"]
        assert [path.get("data-grade") for path in newest] == [colour]


def test_a_point_lies_in_the_band_of_its_grade():
    scale = Scale(START, after(100), 80, 200)
    root = drawn([(START, 80.0), (after(50), 149.0), (after(100), 186.0)])
    rects = [(r.get("class"), float(r.get("y")), float(r.get("height"))) for r in root.iter(f"{NS}rect")]
    assert [name for name, _, _ in rects] == ["band-red", "band-green", "band-yellow", "band-red"]
    for value in (80, 89, 90, 149, 150, 179, 180, 200):
        y = scale.y(value)
        inside = [name for name, top, height in rects if top - 0.11 <= y <= top + height + 0.11]
        assert f"band-{svg.colour_at(value, BANDS)}" in inside


def test_thresholds_are_named_at_the_right():
    words = [text.text for text in drawn([(START, 140.0), (after(9), 150.0)]).iter(f"{NS}text")]
    assert "150" in words and "180" in words and "90" not in words


def test_words_below_do_not_touch_each_other():
    root = drawn([(after(days), 140.0) for days in range(0, 361, 12)])
    labels = [text for text in root.iter(f"{NS}text") if text.get("y") == str(svg.LABEL_Y)]
    assert 3 <= len(labels) <= 5
    places = [float(label.get("x")) for label in labels[:-1]]
    assert all(b - a >= 40 for a, b in pairwise(places))
    assert labels[-1].get("data-when") == "day" and labels[-1].get("data-on") == "2026-06-05"


def test_events_stand_in_their_lane_and_are_escaped():
    root = drawn([(START, 140.0), (after(100), 150.0)], events=[(after(50), "加药"), (after(51), "<转诊>")])
    words = [text.text for text in root.iter(f"{NS}text") if text.get("class") == "event-word"]
    assert words == ["加药"], "a second word there would run into the first; its line stays"
    assert len([p for p in root.iter(f"{NS}path") if p.get("class") == "event"]) == 2


def test_a_single_reading_stands_in_the_middle():
    root = drawn([(START, 140.0)])
    newest = next(path for path in root.iter(f"{NS}path") if path.get("class") == "newest")
    assert newest.get("transform").startswith("translate(143 ")
    assert root.find(f"{NS}polyline") is None


def test_nothing_needs_inline_style():
    text = svg.trend([(START, 140.0), (after(9), 150.0)], BANDS, low=110, high=200, title='a"<b>')
    assert "style=" not in text and 'aria-label="a&quot;&lt;b&gt;"' in text


readings = st.lists(
    st.tuples(st.integers(0, 365).map(after), st.floats(50, 300)),
    min_size=1,
    max_size=30,
    unique_by=lambda p: p[0],
).map(sorted)


@given(readings)
def test_every_point_stays_inside_the_frame(points):
    root = drawn(points)
    for x, y in points_of(root) if len(points) > 1 else []:
        assert svg.LEFT <= x <= svg.RIGHT and svg.TOP <= y <= svg.BOTTOM
    for rect in root.iter(f"{NS}rect"):
        assert float(rect.get("height")) >= 0
    assert re.search(r"nan|inf", ET.tostring(root, encoding="unicode")) is None


def test_bands_follow_the_persons_own_target():
    assert trend.bp_target(["hypertension"], 78) == (150, 90)
    assert trend.bp_target(["hypertension", "diabetes_t2"], 78) == (140, 90)
    assert trend.bp_target(None, 60) == (140, 90)
    card = trend.blood_pressure([(START, {"sbp": 144, "dbp": 80})], (140, 90))
    assert 'data-bands="red:90,green:140,yellow:180,red:"' in card.figures[0].svg
    assert 'data-grade="yellow"' in card.figures[0].svg


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
