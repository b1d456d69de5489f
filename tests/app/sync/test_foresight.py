"""A push is judged before the lock is taken, and once more when something moved meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.accounts.models import User
from app.encounters.models import Visit
from app.extensions import db, writing
from app.grading.models import GradeRecord
from app.observations.models import Observation
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.shared import clock
from app.sync import feed, foresight, service
from app.sync.judge import Judge
from app.sync.models import Revision
from tests.app.visits.sheets import payload
from tests.factories import OTHER_VILLAGE, Factory


@pytest.fixture
def nurse(make: Factory) -> Any:
    return make.signed_in("village")


def author() -> User:
    return db.session.scalars(select(User).where(User.role == "village")).one()


def ahead(user: User, *ops: dict[str, Any]) -> foresight.Batch:
    batch = foresight.Batch.of(ops, clock.now())
    foresight.foresee(user, batch)
    return batch


def taken(user: User, batch: foresight.Batch) -> list[str]:
    token = writing.set(True)
    try:
        return [result["status"] for result in service.take(user, batch)]
    finally:
        writing.reset(token)


def test_visits_that_are_new_and_right_are_not_judged_twice(app, make, nurse, monkeypatch) -> None:
    patients = [make.patient() for _ in range(3)]
    ops = [make.op(nurse, "visit.create", payload(p)) for p in [*patients, patients[0]]]
    monkeypatch.setattr(Judge, "some", None)
    assert [r["status"] for r in make.push(nurse, *ops)] == ["applied"] * 4
    monkeypatch.undo()
    assert [r["status"] for r in make.push(nurse, *ops)] == ["duplicate"] * 4
    with app.app_context():
        visits = {visit.id: visit for visit in db.session.scalars(select(Visit))}
        assert [visits[op["op_id"]].flags for op in ops] == [[], [], [], ["same_day"]]
        done = db.session.scalars(select(PlanItem.visit_id).where(PlanItem.done_on.is_not(None)))
        assert set(visits) == set(done)


def test_looking_ahead_changes_nothing(app, make, nurse) -> None:
    patient = make.patient()
    with app.app_context():
        before = (feed.position(), feed.touched([patient]))
        user = author()
        batch = ahead(user, make.op(nurse, "visit.create", payload(patient, "general")))
        assert batch.foreseen is not None
        assert (feed.position(), feed.touched([patient])) == before
        assert db.session.scalar(select(Visit.id)) is None
        assert db.session.get_one(Patient, patient).lives_alone is None


def test_what_moved_meanwhile_is_judged_again(app, make, nurse) -> None:
    patient = make.patient()
    late = make.op(nurse, "visit.create", payload(patient))
    with app.app_context():
        user = author()
        batch = ahead(user, late)
        assert batch.foreseen is not None
        make.push(nurse, make.op(nurse, "visit.create", payload(patient)))
        assert taken(user, batch) == ["applied"]
        assert db.session.get_one(Visit, late["op_id"]).flags == ["same_day"]


def test_only_what_concerns_those_who_moved_is_judged_again(app, make, nurse, monkeypatch) -> None:
    patients = [make.patient() for _ in range(4)]
    ops = [make.op(nurse, "visit.create", payload(p)) for p in [*patients, patients[1]]]
    judged: list[str] = []
    honest = Judge.judge

    def judge(self, looked, apply):
        judged.append(looked.raw["op_id"])
        return honest(self, looked, apply)

    with app.app_context():
        user = author()
        batch = ahead(user, *ops)
        make.push(nurse, make.op(nurse, "visit.create", payload(patients[1])))
        monkeypatch.setattr(Judge, "judge", judge)
        assert taken(user, batch) == ["applied"] * 5
        assert judged == [ops[1]["op_id"], ops[4]["op_id"]]
        visits = {visit.id: visit for visit in db.session.scalars(select(Visit))}
        assert [visits[op["op_id"]].flags for op in ops] == [[], ["same_day"], [], [], ["same_day"]]
        in_feed = select(Revision.seq, Revision.op_id).where(Revision.op_id.in_([op["op_id"] for op in ops]))
        assert len(db.session.execute(in_feed).all()) == 5
        observed = select(Observation.visit_id, func.count()).group_by(Observation.visit_id)
        counts = dict(db.session.execute(observed).all())
        assert len({counts[op["op_id"]] for op in ops}) == 1, "each visit's measures are there, and once"
        graded = db.session.scalars(select(GradeRecord.visit_id).where(GradeRecord.visit_id.is_not(None)))
        assert len(list(graded)) == 6
        done = list(db.session.scalars(select(PlanItem.visit_id).where(PlanItem.done_on.is_not(None))))
        assert len(done) == len(set(done)) == 6


def test_one_operation_sent_on_two_lines_at_once_is_applied_once(app, make, nurse) -> None:
    patient = make.patient()
    op = make.op(nurse, "visit.create", payload(patient))
    with app.app_context():
        user = author()
        batch = ahead(user, op)
        make.push(nurse, op)
        assert taken(user, batch) == ["duplicate"]


@pytest.mark.parametrize("late, answer", [("mended", "duplicate"), ("mend", "conflict")])
def test_of_a_record_and_its_mend_only_the_first_to_come_is_applied(app, make, nurse, late, answer) -> None:
    """The other one was judged ahead."""
    mended, mend = (make.op(nurse, "visit.create", payload(make.patient())) for _ in range(2))
    mend["replaces"] = mended["op_id"]
    ahead_of, meanwhile = (mended, mend) if late == "mended" else (mend, mended)
    with app.app_context():
        user = author()
        batch = ahead(user, ahead_of)
        assert batch.foreseen is not None
        assert make.push(nurse, meanwhile)[0]["status"] == "applied"
        assert taken(user, batch) == [answer]


def test_more_came_meanwhile_than_is_looked_through(app, make, nurse, monkeypatch) -> None:
    """Then each is looked for by itself."""
    patients = [make.patient() for _ in range(3)]
    ops = [make.op(nurse, "visit.create", payload(patient)) for patient in patients]
    with app.app_context():
        user = author()
        batch = ahead(user, *ops)
        make.push(nurse, ops[1], make.op(nurse, "visit.create", payload(patients[2])))
        monkeypatch.setattr(feed, "MANY", 2)
        assert taken(user, batch) == ["applied", "duplicate", "applied"]


def test_who_left_the_scope_meanwhile_is_not_visited(app, make, nurse) -> None:
    patient = make.patient()
    op = make.op(nurse, "visit.create", payload(patient))
    with app.app_context():
        user = author()
        batch = ahead(user, op)
        token = writing.set(True)
        db.session.get_one(Patient, patient).village_code = OTHER_VILLAGE
        db.session.commit()
        writing.reset(token)
        assert taken(user, batch) == ["rejected"]


def test_a_death_waits_for_the_lock(app, make, nurse) -> None:
    """It takes the patient from the lists, which needs a feed number."""
    patient = make.patient()
    lost = payload(patient)
    today = clock.today().isoformat()
    lost["answers"] = {"lost_reason": 1, "death_date": today, "death_cause": "年老"}
    op = make.op(nurse, "visit.create", lost)
    with app.app_context():
        user = author()
        assert ahead(user, op).foreseen is None
    assert make.push(nurse, op)[0]["status"] == "applied"
    with app.app_context():
        assert db.session.get_one(Patient, patient).ended_on == clock.today()
