"""What is known of patients while visits to them are judged: read for many at once, kept true in memory.

Every visit of a batch sees what those before it did, though nothing of them is written yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, func, select

from app.encounters.models import Visit
from app.extensions import db
from app.grading import facts as grading_facts
from app.grading import past
from app.grading import service as grading
from app.grading.models import CurrentGrade
from app.grading.past import Past
from app.observations import service as observations
from app.observations.models import REMEMBERED
from app.patients.models import Patient
from app.plans import agenda
from app.shared import bulk
from app.visits import queries

Observed = dict[str, Any]


@dataclass
class Dossier:
    """One patient, of whom REGISTER is known. `past`: what earlier visits say, those of this batch included.

    `facts`: those of the newest grade, None where it must be made from all that was observed. `kept`: all
    observations, once they were needed; `unwritten`: those of this batch.
    """

    patient: Patient
    plan: agenda.Agenda
    grade: CurrentGrade | None
    facts: dict[str, Any] | None
    past: Past
    kept: list[Observed] | None = None
    unwritten: list[Observed] = field(default_factory=list)
    recorded: set[tuple[str, date]] = field(default_factory=set)
    newest_here: Visit | None = None
    besides: str | None = None

    def same_day(self, form: str, on: date, besides: str) -> bool:
        """Whether another visit with this form and day stands."""
        newest = self.past.days.get(form)
        if newest is None or on > newest:
            return False
        return (
            on == newest
            or (form, on) in self.recorded
            or queries.same_day(self.patient.id, form, on, besides)
        )

    def is_newest(self, visit: Visit) -> bool:
        """Later than every other by its moment, and by its day: a wrong clock sets the two apart."""
        newest_at, days = self.past.newest_at, self.past.days.values()
        later = newest_at is None or (visit.visited_at, visit.id) > newest_at
        return later and visit.visited_on >= max(days, default=visit.visited_on)

    def last(self) -> Visit | None:
        """The newest visit by its moment, those of this batch included."""
        stand = [visit for visit in (self._newest_kept, self.newest_here) if visit is not None]
        return max(stand, key=lambda visit: (visit.visited_at, visit.id), default=None)

    @cached_property
    def _newest_kept(self) -> Visit | None:
        return queries.newest(self.patient.id, self.besides)

    def visited(self, visit: Visit) -> None:
        """This visit stands from now on."""
        here = self.newest_here
        if here is None or (visit.visited_at, visit.id) > (here.visited_at, here.id):
            self.newest_here = visit
        self.recorded.add((visit.form, visit.visited_on))
        past, moment = self.past, (visit.visited_at, visit.id)
        past.days[visit.form] = max(visit.visited_on, past.days.get(visit.form, visit.visited_on))
        past.newest_at = max(moment, past.newest_at or moment)

    @property
    def height(self) -> dict[str, Any] | None:
        """The height on record as forms know it, {value, on}."""
        row = self.past.newest.get("height")
        return row and {"value": row["value"], "on": row["observed_on"].isoformat()}

    def observed(self, rows: Iterable[Observed]) -> None:
        for row in rows:
            self.unwritten.append(row)
            held = self.past.newest.get(row["code"])
            if row["code"] in REMEMBERED and (
                held is None or observations.place(row) >= observations.place(held)
            ):
                self.past.newest[row["code"]] = row

    def known(self, new: Sequence[Observed], as_of: date, *, in_order: bool) -> dict[str, Any]:
        """The facts to grade by, with `new`; `in_order`: that is newer than all that was observed before."""
        register = grading.register_of(self.patient)
        if in_order and self.facts is not None and self.facts["as_of"] <= as_of.isoformat():
            newest = {code: (row["value"], row["observed_on"]) for code, row in self.past.newest.items()}
            said = [(row["code"], row["value"], row["observed_on"]) for row in new]
            self.facts = grading_facts.extended(self.facts, said, newest, register, as_of)
        else:
            if self.kept is None:
                self.kept = observations.to_place([self.patient.id])[self.patient.id]
            rows = sorted([*self.kept, *self.unwritten], key=observations.place)
            said = [(row["code"], row["value"], row["observed_on"]) for row in rows]
            self.facts = grading_facts.build(register, said, as_of)
        return self.facts


class Dossiers(dict[str, Dossier]):
    """By patient id; what is kept in a table of its own is written together."""

    def __init__(
        self, register: bulk.Desk[Patient], plans: agenda.Agendas, grades: bulk.Desk[CurrentGrade]
    ) -> None:
        super().__init__()
        self.register, self.plans, self.grades = register, plans, grades

    def leave_out(self, patient_ids: set[str]) -> None:
        """What was made of these is not written."""
        self.register.leave_out(lambda patient: patient.id in patient_ids)
        self.grades.leave_out(lambda grade: grade.patient_id in patient_ids)
        self.plans.leave_out(patient_ids)

    def write(self) -> None:
        """Current grades name records: those must be there already."""
        for one in self.values():
            if one.grade is not None and one.newest_here is not None:
                _keep(one.grade, one.past)
        self.register.write(db.session())
        self.grades.write(db.session())
        self.plans.write()


# What of the register is asked while a visit is judged.
REGISTER = (
    "id", "village_code", "town_code", "team_id", "birth_date", "sex", "conditions", "conditions_on",
    "lives_alone", "hospice", "home_bed_open", "tubes", "ended_on", "created_at",
)  # fmt: skip


def load(whom: ColumnElement[bool], besides: str | None = None) -> Dossiers:
    """Of the patients for whom `whom` is true; `besides` is a visit that counts for nothing, being corrected.

    Flushes nothing that the session holds.
    """
    register = bulk.Desk(Patient, REGISTER)
    found = {patient.id: patient for patient in register.lay_out(db.session(), whom)}
    desk = bulk.Desk(CurrentGrade)
    laid_out = desk.lay_out(db.session(), CurrentGrade.patient_id.in_(list(found)))
    grades = {grade.patient_id: grade for grade in laid_out}
    known = grading.newest_facts(found) if besides is None else {}
    kept = observations.to_place(patient_id for patient_id in found if patient_id not in known)
    pasts = _past_of(found, grades if besides is None else {}, besides)
    plans = agenda.load({patient_id: one.done for patient_id, one in pasts.items()})
    made = Dossiers(register, plans, desk)
    for patient_id, patient in found.items():
        made[patient_id] = Dossier(
            patient,
            plans[patient_id],
            grades.get(patient_id),
            known.get(patient_id),
            pasts[patient_id],
            besides=besides,
            kept=kept.get(patient_id),
        )
    return made


def _past_of(
    patient_ids: Iterable[str], grades: Mapping[str, CurrentGrade], besides: str | None
) -> dict[str, Past]:
    """As it is kept beside their grades; told by the tables where it is not."""
    kept = {patient_id: grade.past for patient_id, grade in grades.items()}
    found = {patient_id: past.read(told) for patient_id, told in kept.items() if past.is_whole(told)}
    missing = [patient_id for patient_id in patient_ids if patient_id not in found]
    if missing:
        found |= told_by_tables(missing, besides)
    return found


def told_by_tables(patient_ids: Iterable[str], besides: str | None = None) -> dict[str, Past]:
    """`besides` is a visit that counts for nothing; what it had observed is no more."""
    newest = observations.remembered(patient_ids)
    done = agenda.told_by_tables(newest)
    made = {patient_id: Past(rows, done=done[patient_id]) for patient_id, rows in newest.items()}
    _add_days(made, besides)
    return made


def keep_past(patient_ids: Iterable[str]) -> None:
    """Beside the grades of these, for whoever brought visits in past `recording`."""
    ids = list(patient_ids)
    told = told_by_tables(ids)
    for patient_id, grade in grading.current_many(ids).items():
        _keep(grade, told[patient_id])


def _keep(grade: CurrentGrade, known: Past) -> None:
    grade.past, grade.last_done_on = past.kept(known), past.last_done(known.done)


def _add_days(made: Mapping[str, Past], besides: str | None) -> None:
    columns = (
        Visit.patient_id,
        Visit.form,
        func.max(Visit.visited_on),
        func.max(Visit.visited_at),
        func.max(Visit.id),
    )
    statement = select(*columns).where(Visit.patient_id.in_(list(made)), Visit.voided.is_(False))
    if besides is not None:
        statement = statement.where(Visit.id != besides)
    for patient_id, form, on, at, last_id in bulk.rows(
        db.session(), statement.group_by(Visit.patient_id, Visit.form)
    ):
        one = made[patient_id]
        one.days[form] = on
        one.newest_at = _behind(one.newest_at or (at, last_id), (at, last_id))


def _behind(one: tuple[datetime, str], other: tuple[datetime, str]) -> tuple[datetime, str]:
    return max(one[0], other[0]), max(one[1], other[1])
