"""The plan of a person in memory: read for many in two queries, changed by rules, written together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, func, select

from app.extensions import db
from app.forms.definition import definition
from app.patients.models import Patient
from app.plans import rules
from app.plans.models import PlanItem
from app.shared import bulk, clock
from app.shared.ids import new_id


@dataclass
class Agenda:
    """What is due (`open`, by form), and when each form was last done with the next day then asked for."""

    patient_id: str
    desk: bulk.Desk[PlanItem]
    open: dict[str, PlanItem] = field(default_factory=dict)
    done: dict[str, tuple[date, date | None]] = field(default_factory=dict)

    def did(self, visit_id: str, form: str, on: date, asked_on: date | None) -> None:
        """A visit did the form: its open item becomes history; a visit nobody planned is history at once."""
        item = self.open.pop(form, None)
        if item is None:
            item = self.desk.add(
                id=new_id(), patient_id=self.patient_id, form=form,
                label=definition(form).zh, due_on=on, why="unplanned",
            )  # fmt: skip
        item.visit_id, item.done_on, item.asked_on = visit_id, on, asked_on
        self._was_done(form, on, asked_on)

    def follow(
        self, patient: Patient, grade: Any, held: str | None, *, as_of: date, after_visit: bool
    ) -> bool:
        """Bring the open items in line with `grade` (its `facts` are those it was made from).

        `held` is a colour kept above what the rules say. Returns whether anything changed.
        """
        wanted = [] if patient.ended_on else self._tasks(patient, grade, held, as_of)
        if self.open and not after_visit:
            wanted = [self._not_before(task, as_of) for task in wanted]
        changed = False
        before, self.open = self.open, {}
        for task in wanted:
            item = before.pop(task.form, None)
            if item is None:
                item = self.desk.add(id=new_id(), patient_id=self.patient_id, form=task.form)
            new = {"label": task.label, "due_on": task.due_on, "why": task.why}
            changed |= any(getattr(item, name) != value for name, value in new.items())
            for name, value in new.items():
                setattr(item, name, value)
            self.open[task.form] = item
        for item in before.values():
            self.desk.drop(item)
        return changed or bool(before)

    def _tasks(self, patient: Patient, grade: Any, held: str | None, as_of: date) -> list[rules.Task]:
        return rules.tasks(
            grade.facts,
            {"emergency": grade.emergency, "reasons": grade.reasons, "missing": grade.missing, "held": held},
            {form: on for form, (on, _) in self.done.items()},
            clock.local_date(patient.created_at),
            as_of,
            {form: asked for form, (_, asked) in self.done.items() if asked},
        )

    def _not_before(self, task: rules.Task, as_of: date) -> rules.Task:
        return rules.not_into_the_past(
            task, self.open[task.form].due_on if task.form in self.open else None, as_of
        )

    def _was_done(self, form: str, on: date, asked_on: date | None) -> None:
        if form not in self.done or on > self.done[form][0]:
            self.done[form] = (on, asked_on)


class Agendas(dict[str, Agenda]):
    """By patient id."""

    def __init__(self, patient_ids: Iterable[str]) -> None:
        self.desk = bulk.Desk(PlanItem)
        super().__init__((patient_id, Agenda(patient_id, self.desk)) for patient_id in patient_ids)

    def leave_out(self, patient_ids: set[str]) -> None:
        self.desk.leave_out(lambda item: item.patient_id in patient_ids)

    def write(self) -> None:
        self.desk.write(db.session())


def load(patient_ids: Iterable[str]) -> Agendas:
    """Every id asked for is a key."""
    found = Agendas(patient_ids)
    mine = PlanItem.patient_id.in_(list(found))
    for item in found.desk.lay_out(db.session(), and_(mine, PlanItem.done_on.is_(None))):
        found[item.patient_id].open[item.form] = item
    for patient_id, form, on, asked_on in bulk.rows(db.session(), _newest_done(list(found))):
        found[patient_id]._was_done(form, on, asked_on)
    return found


def _newest_done(patient_ids: list[str]) -> Select[str, str, date | None, date | None]:
    """(patient, form, day, day then asked for) of the newest day on which each form was done."""
    done = PlanItem.patient_id.in_(patient_ids), PlanItem.done_on.is_not(None)
    last = select(PlanItem.patient_id, PlanItem.form, func.max(PlanItem.done_on).label("on")).where(*done)
    newest = last.group_by(PlanItem.patient_id, PlanItem.form).subquery()
    of_that_day = and_(
        PlanItem.patient_id == newest.c.patient_id,
        PlanItem.form == newest.c.form,
        PlanItem.done_on == newest.c.on,
        PlanItem.done_on.is_not(None),
    )
    columns = PlanItem.patient_id, PlanItem.form, PlanItem.done_on, PlanItem.asked_on
    return select(*columns).join(newest, of_that_day)
