"""What is kept of earlier visits beside the grade is what the tables say, whatever was done to them."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from app.demo import reset as demo
from app.extensions import db, writing
from app.grading import past
from app.grading.models import CurrentGrade
from app.grading.past import Past
from app.observations.models import REMEMBERED
from app.visits import dossier
from tests.app.visits.sheets import payload
from tests.app.visits.test_together import ops_of, some_visit

moments = st.datetimes(min_value=datetime(1990, 1, 1), timezones=st.just(UTC))
days = st.dates(min_value=date(1990, 1, 1))
values = st.one_of(st.none(), st.booleans(), st.floats(0, 300), st.lists(st.text()))
rows = st.fixed_dictionaries(
    {
        "value": values,
        "observed_on": days,
        "observed_at": moments,
        "visit_id": st.one_of(st.none(), st.uuids().map(str)),
        "id": st.just(past.WRITTEN_BEFORE),
    }
)
pasts = st.builds(
    Past,
    st.dictionaries(st.sampled_from(REMEMBERED), rows),
    st.dictionaries(st.text(), days),
    st.dictionaries(st.text(), st.tuples(days, st.one_of(st.none(), days))),
    st.one_of(st.none(), st.tuples(moments, st.uuids().map(str))),
)


@given(pasts)
def test_it_comes_back_from_json_as_it_was(one: Past) -> None:
    assert past.read(json.loads(json.dumps(past.kept(one)))) == one


def beside_the_grade(patient: str) -> CurrentGrade:
    return db.session.get_one(CurrentGrade, patient)


def told(patient: str) -> Past:
    return dossier.told_by_tables([patient])[patient]


def compared(patient: str) -> bool:
    """Whether something is kept; then it is what the tables say. Of several visits at the last moment the
    tables need not name the right one."""
    grade, known = beside_the_grade(patient), told(patient)
    assert grade.last_done_on == past.last_done(known.done)
    kept, true = grade.past, past.kept(known)
    if kept is None:
        return False
    for name in ("newest", "days", "done"):
        assert kept[name] == true[name]
    at, latest = kept["newest_at"], true["newest_at"]
    assert at == latest or (at[0] == latest[0] and at[1] < latest[1])
    return True


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_tables_say_after_visits_corrections_and_cancellations(app, make, seed: int) -> None:
    nurse, rng = make.signed_in("village"), random.Random(seed)
    patient = make.patient(birth="19400101", **rng.choice(({}, {"conditions": ["hypertension"]})))
    stand: dict[str, tuple[int, dict[str, Any]]] = {}
    for _ in range(12):
        if stand and rng.random() < 0.4:
            visit_id = rng.choice(list(stand))
            revision, visit = stand.pop(visit_id)
            body: dict[str, Any] = {"visit_id": visit_id, "reason": "写错了"}
            if rng.random() < 0.5:
                body["void"] = True
            else:
                body |= {key: visit[key] for key in ("form", "form_version", "mode", "answers")}
                body["visited_at"] = some_visit(rng, patient)["visited_at"]
                stand[visit_id] = revision + 1, {**visit, "visited_at": body["visited_at"]}
            op = make.op(nurse, "visit.correct", body, base_revision=revision)
        else:
            visit = some_visit(rng, patient)
            [op] = ops_of(make, nurse, [visit], [rng.randrange(1000)])
            stand[op["op_id"]] = 1, visit
        result = make.push(nurse, op)[0]
        assert result["status"] == "applied", result
        with app.app_context():
            is_kept = compared(patient)
        assert is_kept or op["payload"].get("void")


def test_the_next_visit_asks_the_tables_only_for_whom_nothing_is_kept(app, make) -> None:
    nurse = make.signed_in("village")
    patients = [make.patient() for _ in range(3)]
    for patient in patients:
        make.push(nurse, make.op(nurse, "visit.create", payload(patient, answers={"sbp": 131})))
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM observations" in statement:
            asked.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    again = [make.op(nurse, "visit.create", payload(patient)) for patient in patients]
    assert [r["status"] for r in make.push(nurse, *again)] == ["applied"] * 3
    assert asked == []
    with app.app_context():
        db.session.get_one(CurrentGrade, patients[1]).past = None
        db.session.commit()
    later = [make.op(nurse, "visit.create", payload(patient)) for patient in patients]
    assert [r["status"] for r in make.push(nurse, *later)] == ["applied"] * 3
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 1
    with app.app_context():
        assert all(compared(patient) for patient in patients)


def test_the_people_of_the_demo_have_it_from_the_beginning(app) -> None:
    with app.app_context():
        token = writing.set(True)
        demo.reset(small=True)
        patients = list(db.session.scalars(select(CurrentGrade.patient_id)))
        assert patients
        assert all(compared(patient) for patient in patients)
        db.session.rollback()
        writing.reset(token)
