"""Every field of every form, out of range or of the wrong kind: refused by name, nothing stored."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.encounters.models import Visit
from app.extensions import db
from app.forms import engine
from tests.app.visits.sheets import SHEETS, payload

CHINESE = re.compile(r"[\u4e00-\u9fff]")
BEYOND = {
    "int": [10**6, -(10**6), 1.5, "12", True, [], {}, 2**53],
    "dec1": [1e15, -1, 12.34, "12.5", True, []],
    "dec3": [1e15, -1, "1", 0.00001],
    "text": [1, [], {}, True, "长" * 2000],
    "date": ["2026-02-30", "明天", 20260101, True, "0000-00-00", "2999-01-01"],
    "enum": [99, "nobody", [1], {}, 1.5],
    "bool": ["yes", 2, [], "true"],
    "multi": ["1", [99], [[1]], {"a": 1}, 5, [True]],
    "list": ["x", [1], [{"nobody": 1}], {"a": 1}, [[]]],
}


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


@pytest.fixture
def patient(make):
    return make.patient()


def wrong_answers(form):
    definition = engine.definition(form)
    for key, field in definition.fields.items():
        for value in BEYOND[field["type"]]:
            yield key, value
        if "hard" in field and field["type"] in ("int", "dec1"):
            yield key, field["hard"]["min"] - 1
            yield key, field["hard"]["max"] + 1


@pytest.mark.parametrize("form", list(SHEETS))
def test_every_field_out_of_range_is_refused_by_name(app, make, doctor, patient, form):
    cases = list(wrong_answers(form))
    ops = [
        make.op(doctor, "visit.create", payload(patient, form, answers={key: value})) for key, value in cases
    ]
    results = [result for at in range(0, len(ops), 100) for result in make.push(doctor, *ops[at : at + 100])]
    for (key, value), result in zip(cases, results, strict=True):
        assert result["status"] == "rejected", (key, value)
        named = [e for e in result["errors"] if e["pointer"].startswith(f"/payload/answers/{key}")]
        assert named and CHINESE.search(named[0]["message"]), (key, value, result)
    with app.app_context():
        assert db.session.scalar(db.select(Visit.id)) is None


HEADER = [
    ("patient_id", 5),
    ("patient_id", ""),
    ("patient_id", "x" * 40),
    ("form", "nobody"),
    ("form", ""),
    ("form", None),
    ("form_version", 0),
    ("form_version", 2),
    ("form_version", "1"),
    ("form_version", True),
    ("form_version", 10**9),
    ("visited_at", "yesterday"),
    ("visited_at", "2026-06-01"),
    ("visited_at", "2026-06-01T09:12:00"),
    ("visited_at", "1999-06-01T09:12:00+08:00"),
    ("visited_at", "9999-12-31T23:59:59+00:00"),
    ("visited_at", "0001-01-01T00:00:00+14:00"),
    ("visited_at", "1940-01-01T00:00:00+08:00"),
    ("visited_at", 1),
    ("mode", "moon"),
    ("mode", 2),
    ("mode", ""),
    ("answers", []),
    ("answers", "x"),
    ("answers", None),
    ("answers", {f"k{n}": 1 for n in range(600)}),
    ("next_visit_on", "2026-02-30"),
    ("next_visit_on", "2000-01-01"),
    ("next_visit_on", "2199-01-01"),
    ("next_visit_on", 5),
    ("next_visit_on", "next week"),
    ("next_visit_on", ""),
    ("location", {"lat": 91, "lon": 0}),
    ("location", {"lat": 0, "lon": -181}),
    ("location", {"lat": "1", "lon": 1}),
    ("location", {"lat": 1}),
    ("location", {"lat": 1, "lon": 1, "accuracy_m": -1}),
    ("location", []),
    ("location", {"lat": 1, "lon": 1, "altitude": 1}),
    ("grade", "red"),
    ("grade", {"colour": "blue"}),
    ("grade", {"colour": "red", "extra": 1}),
    ("grade", {"emergency": "yes"}),
    ("grade", {"reasons": "BP"}),
    ("grade", {"reasons": [1]}),
    ("grade", {"due_in_days": -1}),
    ("grade", {"due_in_days": 1.5}),
    ("surprise", 1),
]


@pytest.mark.parametrize(("name", "value"), HEADER, ids=lambda value: str(value)[:30])
def test_every_header_field_is_refused_by_name(app, make, doctor, patient, name, value):
    result = make.push(doctor, make.op(doctor, "visit.create", {**payload(patient), name: value}))[0]
    if name == "next_visit_on" and value == "":
        assert result["status"] == "applied"  # an empty date is no date
        return
    assert (result["status"], result["code"]) == ("rejected", "invalid")
    assert any(
        e["pointer"].startswith(f"/payload/{name}") and CHINESE.search(e["message"]) for e in result["errors"]
    )
    with app.app_context():
        assert db.session.scalar(db.select(Visit.id)) is None


@pytest.mark.parametrize("name", ["patient_id", "form", "form_version", "visited_at", "mode", "answers"])
def test_what_is_required_is_named_when_it_is_absent(make, doctor, patient, name):
    sent = {key: value for key, value in payload(patient).items() if key != name}
    errors = make.push(doctor, make.op(doctor, "visit.create", sent))[0]["errors"]
    assert [(e["pointer"], e["message"]) for e in errors] == [(f"/payload/{name}", "必填")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    *sorted({key for form in SHEETS for key in engine.definition(form).fields}),
    "bmi",
    "emergency",
    "nobody",
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(SHEETS)), st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6) | JSON)
def test_no_answers_whatever_break_the_server(make, doctor, patient, form, answers):
    given_answers = {**SHEETS[form], **answers} if isinstance(answers, dict) else answers
    sent = {**payload(patient, form), "answers": given_answers}
    result = make.push(doctor, make.op(doctor, "visit.create", sent))[0]
    assert result["status"] in ("applied", "rejected")
    assert result["status"] == "applied" or result["code"] == "invalid"
    if result["status"] == "applied":
        assert doctor.get(f"/visits/{result['entity_id']}").status_code == 200
