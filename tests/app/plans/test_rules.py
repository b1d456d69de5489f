"""Which forms are due, and when."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.grading.rules import grade as grade_of
from app.plans import rules

TODAY = date(2026, 6, 10)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def facts(**more):
    """Somebody of 70 whose minimum data is complete and normal, measured today."""
    on = TODAY.isoformat()
    return {
        "as_of": on,
        "birth_date": "1956-01-01",
        "conditions": [],
        "bp": [{"date": on, "sbp": 128, "dbp": 78}],
        "fpg": [{"date": on, "mmol_l": 5.6}],
        "adl": {"date": on, "score": 0},
        "falls": {"date": on, "count_12m": 0, "injurious": False, "risk_high": False},
        "cognition": {"date": on, "tool": "cog3", "positive": False},
        "depression": {"date": on, "positive": False, "suicidal": False},
    } | more


def plan(known, last_done=None, registered=-400, asked=None):
    found = rules.tasks(known, grade_of(known), last_done or {}, day(registered), TODAY, asked)
    return [(task.form, (task.due_on - TODAY).days) for task in found]


BAD_BP = [{"date": TODAY.isoformat(), "sbp": 156, "dbp": 88}]
BAD_FPG = [{"date": TODAY.isoformat(), "mmol_l": 8.1}]
BOTH = ["hypertension", "diabetes_t2"]
CASES = [
    ("healthy people come in half a year", facts(), {"general": day(0)}, [("general", 180)]),
    ("hypertension under control in 90 days", facts(conditions=["hypertension"]), {"hypertension": day(0)},
     [("hypertension", 90)]),
    ("days count from the visit, not from its upload", facts(conditions=["hypertension"]),
     {"hypertension": day(-3)}, [("hypertension", 87)]),
    ("bad pressure in 14 days", facts(conditions=["hypertension"], bp=BAD_BP), {"hypertension": day(0)},
     [("hypertension", 14)]),
    ("each disease by its own readings", facts(conditions=BOTH, bp=BAD_BP),
     {"hypertension": day(0), "diabetes": day(-10)}, [("hypertension", 14), ("diabetes", 80)]),
    ("a hospice patient is seen every week, by the form whose turn it is",
     facts(conditions=BOTH, hospice=True), {"hypertension": day(0), "diabetes": day(-10)},
     [("diabetes", 7), ("hypertension", 90)]),
    ("two forms done together stay together", facts(conditions=BOTH, hospice=True),
     {"hypertension": day(0), "diabetes": day(0)}, [("hypertension", 7), ("diabetes", 7)]),
    ("suspected hypertension is measured again within 28 days", facts(bp=BAD_BP), {"general": day(0)},
     [("general", 28)]),
    ("a visit put off is late by its own day, not by the silence rule",
     facts(conditions=["hypertension"], bp=[{"date": day(-110).isoformat(), "sbp": 128, "dbp": 78}]),
     {"hypertension": day(-110)}, [("hypertension", -20)]),
    ("the emergency of a visit is followed up within two weeks",
     facts(conditions=["hypertension"], bp=[{"date": TODAY.isoformat(), "sbp": 186, "dbp": 104}]),
     {"hypertension": day(0)}, [("hypertension", 14)]),
    ("never assessed: the minimum data within 30 days of registration", facts(adl=None), {},
     [("adl", -370), ("general", -370)]),
    ("adl missing is a task of its own", facts(adl=None, conditions=["hypertension"]),
     {"hypertension": day(0)}, [("adl", -370), ("hypertension", 90)]),
    ("asked in vain, asked again a month later", facts(cognition=None), {"general": day(0)},
     [("general", 30)]),
    ("an assessment of 400 days ago is due again 30 days after it lapsed",
     facts(adl={"date": day(-401).isoformat(), "score": 0}, conditions=["hypertension"]),
     {"hypertension": day(0)}, [("adl", 30), ("hypertension", 90)]),
    ("hypertensives are measured by their own form",
     facts(conditions=["hypertension"], bp=[]), {"hypertension": day(-5)}, [("hypertension", 85)]),
]  # fmt: skip


@pytest.mark.parametrize(("why", "known", "last_done", "want"), CASES, ids=[case[0] for case in CASES])
def test_due_forms(why, known, last_done, want):
    registered = -400 if "adl" in str(want) else 0
    if why.startswith("an assessment"):
        registered = -900
    assert plan(known, last_done, registered) == want


def test_an_emergency_without_a_visit_is_due_now():
    known = facts(conditions=["hypertension"], bp=[{"date": TODAY.isoformat(), "sbp": 186, "dbp": 104}])
    assert plan(known, {}, registered=-2) == [("hypertension", 0)]


def test_the_clinician_may_bring_a_date_forward_but_not_put_it_off():
    known = facts(conditions=["hypertension"], bp=BAD_BP)
    assert plan(known, {"hypertension": TODAY}, asked={"hypertension": day(5)}) == [("hypertension", 5)]
    assert plan(known, {"hypertension": TODAY}, asked={"hypertension": day(60)}) == [("hypertension", 14)]


def test_first_assessment_is_called_so_until_the_first_visit():
    first = rules.tasks(facts(adl=None), grade_of(facts(adl=None)), {}, TODAY, TODAY)
    assert [task.label for task in first] == ["生活自理能力评估", "首次评估"]
    later = rules.tasks(facts(), grade_of(facts()), {"general": TODAY}, TODAY, TODAY)
    assert [task.label for task in later] == ["老年人一般访视"]


def test_time_alone_makes_nobody_overdue_overnight():
    task = rules.Task("general", "老年人一般访视", day(-100), "routine")
    assert rules.not_into_the_past(task, day(40), TODAY).due_on == TODAY
    assert rules.not_into_the_past(task, None, TODAY).due_on == TODAY
    assert rules.not_into_the_past(task, day(-3), TODAY).due_on == day(-3), "what was late stays late"


offsets = st.integers(-300, 0)
some_facts = st.fixed_dictionaries(
    {},
    optional={
        "conditions": st.none() | st.lists(st.sampled_from([*BOTH, "stroke", "dementia"]), unique=True),
        "bp": st.lists(
            st.builds(lambda n, s, d: {"date": day(n).isoformat(), "sbp": s, "dbp": d},
                      offsets, st.integers(80, 200), st.integers(50, 120)), max_size=3),
        "adl": st.none() | st.builds(lambda n, s: {"date": day(n).isoformat(), "score": s}, offsets,
                                     st.integers(0, 37)),
        "cognition": st.none(),
        "hospice": st.booleans(),
    },
).map(lambda more: facts(**more))  # fmt: skip
visits = st.dictionaries(st.sampled_from(rules.ORDER), offsets.map(day))


@given(some_facts, visits, offsets, st.dictionaries(st.sampled_from(rules.ORDER), offsets.map(day)))
def test_plans_are_whole_and_stable(known, last_done, registered, asked):
    grade = grade_of(known)
    found = rules.tasks(known, grade, last_done, day(registered), TODAY, asked)
    assert found, "nobody in care is without a next visit"
    assert len({task.form for task in found}) == len(found)
    assert [task.due_on for task in found] == sorted(task.due_on for task in found)
    assert found == rules.tasks(known, grade, last_done, day(registered), TODAY, asked)
    conditions = known["conditions"] or []
    for code, form in rules.FORM_OF_CONDITION.items():
        assert (code in conditions) == (form in {task.form for task in found})
    if last_done:
        silent = set(grade["reasons"]) & rules.SILENCE
        latest = max(last_done.values()) + timedelta(days=grade["due_in_days"])
        if not silent and grade["reasons"]:
            assert found[0].due_on <= latest, "somebody comes within the days the grade allows"
