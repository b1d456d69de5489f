"""The data block says all that grading can ever look at, in few bytes: the grade on the phone is the same."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.chart import data, trend
from app.forms.engine import facts_of_observations, merge_facts
from app.grading import facts as grading_facts
from app.grading.rules import grade

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 6, 10)
BOTH = (True, False)

pressure = st.fixed_dictionaries(
    {
        "sbp": st.one_of(st.none(), st.integers(40, 310)),
        "dbp": st.one_of(st.none(), st.integers(15, 210)),
    }
)
whole = st.fixed_dictionaries({"sbp": st.integers(120, 190), "dbp": st.integers(60, 115)})
glucose = st.sampled_from([0.2, 2.5, 3.5, 3.9, 5.6, 7.0, 11.1, 13.9, 14, 16.7, 60])
said = st.one_of(
    st.tuples(st.just("bp"), st.one_of(pressure, whole)),
    st.tuples(st.sampled_from(["fpg", "rbg"]), glucose),
    st.tuples(st.just("pulse"), st.sampled_from([38, 72, 104, {"bpm": 110, "persistent": True}])),
    st.tuples(st.just("temp"), st.sampled_from([34.5, 36.4, 38.0])),
    st.tuples(st.just("spo2"), st.sampled_from([85, 91, 97])),
    st.tuples(st.just("adl"), st.sampled_from([0, 4, 12, 19])),
    st.tuples(st.just("adherence"), st.sampled_from([1, 2])),
    st.tuples(st.just("red_flags"), st.sampled_from([{"codes": []}, {"codes": ["chest_pain"]}])),
    st.tuples(st.just("adverse"), st.builds(lambda yes: {"present": yes}, st.booleans())),
    st.tuples(st.just("complication"), st.builds(lambda yes: {"new_or_worse": yes}, st.booleans())),
    st.tuples(st.just("cognition"), st.builds(lambda yes: {"tool": "t", "positive": yes}, st.booleans())),
    st.tuples(st.just("depression"), st.sampled_from([{"positive": b, "suicidal": b} for b in BOTH])),
    st.tuples(
        st.just("falls"),
        st.builds(
            lambda n, on: {"count_12m": n, "injurious": n > 1, "last_fall_date": on, "risk_high": False},
            st.integers(0, 2),
            st.sampled_from([None, "2026-05-01"]),
        ),
    ),
)
past = st.integers(0, 900).map(lambda days: TODAY - timedelta(days=days))
history = st.lists(st.tuples(said, past).map(lambda pair: (*pair[0], pair[1])), max_size=25)
registers = st.fixed_dictionaries(
    {
        "birth_date": st.sampled_from([date(1940, 2, 29), date(1956, 7, 1), date(1965, 1, 1)]),
        "conditions": st.sampled_from([None, [], ["hypertension"], ["diabetes_t2"], ["copd"]]),
        "conditions_on": st.none(),
        "lives_alone": st.sampled_from([None, True, False]),
        "hospice": st.booleans(),
        "home_bed_open": st.just(False),
        "tubes": st.sampled_from([[], ["ng"]]),
    }
)
later = st.integers(0, 400).map(lambda days: (TODAY + timedelta(days=days)).isoformat())


@settings(max_examples=300)
@given(registers, history, history, later)
def test_what_was_left_out_never_changes_a_grade(register, seen, unsent, as_of):
    """Also with visits merged in that the server does not know yet, of whatever day."""
    facts = grading_facts.build(register, sorted(seen, key=lambda one: one[2]), TODAY)
    lean = grading_facts.needed(facts, TODAY)
    assert grade({**lean, "as_of": as_of}) == grade({**facts, "as_of": as_of})
    # What a phone measures is complete and plausible: anything else its form refuses.
    sound = [one for one in unsent if one[0] != "bp" or None not in one[1].values()]
    merged = facts_of_observations(one for one in sound[:2])
    with_all, with_lean = merge_facts(facts, merged), merge_facts(lean, merged)
    assert grade({**with_lean, "as_of": as_of}) == grade({**with_all, "as_of": as_of})


def test_few_readings_are_enough():
    seen = [("bp", {"sbp": 140, "dbp": 80}, TODAY - timedelta(days=7 * n)) for n in range(50)]
    facts = grading_facts.build(register(), sorted(seen, key=lambda one: one[2]), TODAY)
    assert len(grading_facts.needed(facts, TODAY)["bp"]) == 4


def test_an_emergency_behind_newer_half_readings_stays():
    days = [TODAY - timedelta(days=n) for n in (3, 2, 1)]
    values = [{"sbp": 150, "dbp": 80}, {"sbp": 190, "dbp": None}, {"sbp": 130, "dbp": None}]
    facts = grading_facts.build(register(), [("bp", v, d) for v, d in zip(values, days, strict=True)], TODAY)
    assert [one["sbp"] for one in grading_facts.needed(facts, TODAY)["bp"]] == [190, 150]


def register():
    return {"birth_date": date(1950, 1, 1), "conditions": ["hypertension"], "conditions_on": None,
            "lives_alone": None, "hospice": False, "home_bed_open": False, "tubes": []}  # fmt: skip


def tables_of(ordered):
    """The rows of the page's tables, as chart/queries makes them."""
    pressure = [(on, value) for code, value, on in ordered if code == "bp"]
    glucose = [(on, float(value)) for code, value, on in ordered if code == "fpg"]
    cards = [trend.blood_pressure(pressure, (150, 90)), trend.fasting_glucose(glucose, False)]
    return {card.key: card.rows for card in cards if card is not None}


def as_read(rows):
    """As static/js/chart/readings.js takes them from the table."""
    return [[day.isoformat(), [float(part) for part in words.split("/")]] for day, words in rows]


@settings(max_examples=15)
@given(st.lists(st.tuples(registers, history), min_size=10, max_size=10))
def test_the_phone_reads_the_block_as_the_server_does(people):
    blocks, expected = [], []
    for given_register, seen in people:
        ordered = sorted(seen, key=lambda one: one[2])
        facts = grading_facts.build(given_register, ordered, TODAY)
        latest = {code: (value, on.isoformat()) for code, value, on in ordered}
        lean = data.lean(facts)
        known = data.seen(lean, latest)
        rows = tables_of(ordered)
        left, read = data.tabled(known, rows)
        days = sorted({on for _, _, on in seen[::2]}, reverse=True)  # of the visits that the page lists
        by, before = data.by_row(days, left, {"adl": {"note": ["x", TODAY.isoformat()]}})
        blocks.append(
            {
                "birth_date": facts["birth_date"], "facts": data.plain(lean), "by": by, "read": read,
                "before": before, "days": [day.isoformat() for day in days],
                "tables": {code: as_read(found) for code, found in rows.items()},
            }
        )  # fmt: skip
        expected.append((grade(facts), data.values_of(known)))
    text = "\n".join(json.dumps(block) for block in blocks)
    command = ["node", str(ROOT / "tests" / "js" / "patient_data_ndjson.mjs")]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    for line, (result, measured) in zip(done.stdout.split("\n"), expected, strict=True):
        unfolded = json.loads(line)
        assert grade({**unfolded["facts"], "as_of": TODAY.isoformat()}) == result
        assert unfolded["measured"] == measured
        assert unfolded["last"] == {"adl": {"note": {"value": "x", "on": TODAY.isoformat()}}}
