"""Rows laid out as drafts come back to the table as they were left."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import event, select

from app.extensions import db, writing
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.shared import bulk
from app.shared.ids import new_id
from tests.factories import Factory


def items(desk: bulk.Desk[PlanItem], patient: str) -> dict[str, PlanItem]:
    found = desk.lay_out(db.session(), PlanItem.patient_id == patient)
    return {item.form: item for item in found}


def test_what_was_changed_added_and_dropped_is_written_and_nothing_else(app, make: Factory) -> None:
    patient = make.patient()
    with app.app_context():
        token = writing.set(True)
        desk: bulk.Desk[PlanItem] = bulk.Desk(PlanItem)
        for form in ("adl", "general", "diabetes"):
            desk.add(id=new_id(), patient_id=patient, form=form, label=form, due_on=date(2026, 6, 1), why="w")
        desk.write(db.session())
        held = {
            item.form: item for item in db.session.scalars(select(PlanItem).filter_by(patient_id=patient))
        }
        assert held["adl"].done_on is None

        again: bulk.Desk[PlanItem] = bulk.Desk(PlanItem)
        laid = items(again, patient)
        laid["adl"].due_on, laid["general"].why = date(2026, 7, 1), "other"
        again.drop(laid["diabetes"])
        unwanted = again.add(
            id=new_id(), patient_id=patient, form="hypertension", label="", due_on=date(2026, 6, 1), why=""
        )
        again.drop(unwanted)
        statements: list[Any] = []

        def note(*told: Any) -> None:
            statements.append(told[2])

        event.listen(db.engine, "before_cursor_execute", note)
        again.write(db.session())
        event.remove(db.engine, "before_cursor_execute", note)
        assert len(statements) == 2, "one deletes, one changes"
        assert held["adl"].due_on == date(2026, 7, 1), "what the session held is read again"
        stored = items(bulk.Desk(PlanItem), patient)
        assert {form: (item.due_on.month, item.why) for form, item in stored.items() if form in laid} == {
            "adl": (7, "w"), "general": (6, "other"),
        }  # fmt: skip
        assert "hypertension" not in stored or stored["hypertension"].why
        db.session.rollback()
        writing.reset(token)


def test_what_is_left_out_is_not_written(app, make: Factory) -> None:
    one, other = make.patient(), make.patient()
    with app.app_context():
        token = writing.set(True)
        desk: bulk.Desk[PlanItem] = bulk.Desk(PlanItem)
        for patient in (one, other):
            desk.add(id=new_id(), patient_id=patient, form="x", label="", due_on=date(2026, 6, 1), why="")
        desk.leave_out(lambda item: item.patient_id == one)
        desk.write(db.session())
        stored = db.session.scalars(select(PlanItem.patient_id).where(PlanItem.form == "x"))
        assert list(stored) == [other]
        db.session.rollback()
        writing.reset(token)


def test_rows_laid_out_in_part_keep_the_rest_of_what_they_were(app, make: Factory) -> None:
    patient = make.patient()
    with app.app_context():
        token = writing.set(True)
        whole = db.session.get_one(Patient, patient)
        before = {name: getattr(whole, name) for name in Patient.__table__.columns.keys()}  # noqa: SIM118
        desk: bulk.Desk[Patient] = bulk.Desk(Patient, ("id", "conditions", "ended_on"))
        [one] = desk.lay_out(db.session(), Patient.id == patient)
        assert vars(one) == {"id": patient, "conditions": before["conditions"], "ended_on": None}
        one.conditions = ["hypertension", "stroke"]
        desk.write(db.session())
        changed = {name for name, value in before.items() if getattr(whole, name) != value}
        writing.reset(token)
    assert changed == {"conditions"}
