"""The plan of a person in memory: read for many in one query, changed by rules, written together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import and_, select

from app.encounters import queries as encounters
from app.extensions import db
from app.forms.definition import definition
from app.grading.past import Done
from app.patients.models import Patient
from app.plans import rules
from app.plans.models import PlanItem
from app.shared import bulk, clock
from app.shared.ids import new_id


@dataclass
class Agenda:
    """What is due (`open`, by form), and when each form was last done."""

    patient_id: str
    desk: bulk.Desk[PlanItem]
    done: dict[str, Done]
    open: dict[str, PlanItem] = field(default_factory=dict)

    def did(self, visit_id: str, form: str, on: date, asked_on: date | None) -> None:
        """A visit did the form: its open item becomes history; a visit nobody planned is history at once."""
        item = self.open.pop(form, None)
        if item is None:
            item = self.desk.add(
                id=new_id(), patient_id=self.patient_id, form=form,
                label=definition(form).zh, due_on=on, why="unplanned",
            )  # fmt: skip
        item.visit_id, item.done_on, item.asked_on = visit_id, on, asked_on
        if form not in self.done or on > self.done[form][0]:
            self.done[form] = (on, asked_on)

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


class Agendas(dict[str, Agenda]):
    """By patient id."""

    def __init__(self, done: Mapping[str, dict[str, Done]]) -> None:
        self.desk = bulk.Desk(PlanItem)
        super().__init__((patient_id, Agenda(patient_id, self.desk, its)) for patient_id, its in done.items())

    def leave_out(self, patient_ids: set[str]) -> None:
        self.desk.leave_out(lambda item: item.patient_id in patient_ids)

    def write(self) -> None:
        self.desk.write(db.session())


def load(done: Mapping[str, dict[str, Done]]) -> Agendas:
    """Of each patient, by id, when each form was last done: what visits in memory do is added to it."""
    found = Agendas(done)
    mine = PlanItem.patient_id.in_(list(found))
    for item in found.desk.lay_out(db.session(), and_(mine, PlanItem.done_on.is_(None))):
        found[item.patient_id].open[item.form] = item
    return found


def told_by_tables(patient_ids: Iterable[str]) -> dict[str, dict[str, Done]]:
    """When each form was last done, by patient. Of two done on one day the first counts."""
    found: dict[str, dict[str, Done]] = {patient_id: {} for patient_id in patient_ids}
    for patient_id, form, on, asked_on in bulk.rows(db.session(), _HISTORY, {encounters.IDS: list(found)}):
        its = found[patient_id]
        if form not in its or on > its[form][0]:
            its[form] = (on, asked_on)
    return found


_HISTORY = (
    select(PlanItem.patient_id, PlanItem.form, PlanItem.done_on, PlanItem.asked_on)
    .where(*encounters.theirs(PlanItem.visit_id), PlanItem.done_on.is_not(None))
    .order_by(PlanItem.id)
)
