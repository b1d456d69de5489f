"""The panel: everybody somebody looks after, with what they are due for. A handful of statements."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, or_, select

from app.accounts.models import User
from app.extensions import db
from app.grading import service as grading
from app.orgs import service as orgs
from app.patients import scope
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.plans.rules import ORDER
from app.sync import feed
from app.sync.models import Departure, Touch

LATER_DAYS = 7  # how far 以后 looks ahead in the list of the day
URGENCY = {"red": 0, "yellow": 1, "unrated": 2, "green": 3}
LATE, TODAY, LATER, DONE, NOTHING = "late", "today", "later", "done", "none"
BANDS = (LATE, TODAY, LATER, NOTHING, DONE)


@dataclass(frozen=True)
class Due:
    label: str
    form: str
    on: date


@dataclass(frozen=True)
class Row:
    """One person of the panel. `due` is soonest first; `visited_on` the newest day a form was filled in."""

    id: str
    name: str
    py: str
    sex: str
    birth_date: date
    village_code: str
    village: str
    town_code: str
    town: str
    phone4: str
    colour: str
    emergency: bool
    due: tuple[Due, ...]
    visited_on: date | None

    @property
    def due_on(self) -> date | None:
        return self.due[0].on if self.due else None

    def band(self, today: date) -> str:
        if self.visited_on == today:
            return DONE
        if self.due_on is None:
            return NOTHING
        return LATE if self.due_on < today else TODAY if self.due_on == today else LATER

    def tasks(self, today: date) -> list[str]:
        """Labels of what a visit today would do: all that is due, or else what comes next."""
        if self.due_on is None:
            return []
        until = max(today, self.due_on)
        return [due.label for due in self.due if due.on <= until]


def panel(user: User, today: date) -> list[Row]:
    """Everybody in scope by urgency: band, emergency, colour, due date, village."""
    patients = scope.all_of(user)
    ids = [patient.id for patient in patients]
    grades = grading.current_many(ids)
    due = _due(user)
    visited = _visited(user)
    names = orgs.names({code for p in patients for code in (p.village_code, p.town_code)})
    rows = []
    for p in patients:
        grade = grades.get(p.id)
        rows.append(
            Row(
                id=p.id,
                name=p.name,
                py=p.name_py,
                sex=p.sex,
                birth_date=p.birth_date,
                village_code=p.village_code,
                village=names.get(p.village_code, ""),
                town_code=p.town_code,
                town=names.get(p.town_code, ""),
                phone4=(p.phone or "")[-4:],
                colour=grade.colour if grade else "unrated",
                emergency=bool(grade and grade.emergency),
                due=tuple(due[p.id]),
                visited_on=visited.get(p.id),
            )
        )
    return ordered(rows, "urgency", today)


def ordered(rows: list[Row], sort: str, today: date) -> list[Row]:
    """`sort` is urgency, due or village. Twin: static/js/plans/rows.js."""

    def key(row: Row) -> tuple[object, ...]:
        urgent = (not row.emergency, URGENCY[row.colour])
        day = row.due_on or date.max
        if sort == "village":
            return (row.village_code, row.py, row.id)
        inside = (day, *urgent) if sort == "due" else (*urgent, day)
        return (BANDS.index(row.band(today)), *inside, row.village_code, row.py, row.id)

    return sorted(rows, key=key)


def soon(row: Row, today: date) -> bool:
    """Whether somebody due later belongs into the list of the day."""
    return row.due_on is not None and row.due_on <= today + timedelta(days=LATER_DAYS)


def newest_change(user: User) -> int:
    """The newest feed number that concerns the list: somebody in it changed, or left it."""
    mine = select(Patient.id).where(scope.condition(user), Patient.ended_on.is_(None))
    left = select(Departure.patient_id).where(Departure.audience.in_(feed.audiences_of(user)))
    statement = select(func.max(Touch.seq)).where(or_(Touch.patient_id.in_(mine), Touch.patient_id.in_(left)))
    return db.session.scalar(statement) or 0


def _due(user: User) -> dict[str, list[Due]]:
    statement = select(PlanItem.patient_id, PlanItem.label, PlanItem.form, PlanItem.due_on).where(
        PlanItem.done_on.is_(None), PlanItem.patient_id.in_(scope.ids(user))
    )
    found: dict[str, list[Due]] = defaultdict(list)
    for patient_id, label, form, due_on in db.session.execute(statement):
        found[patient_id].append(Due(label, form, due_on))
    for due in found.values():
        due.sort(key=lambda one: (one.on, ORDER.index(one.form)))
    return found


def _visited(user: User) -> dict[str, date]:
    statement = select(PlanItem.patient_id, func.max(PlanItem.done_on)).where(
        PlanItem.done_on.is_not(None), PlanItem.patient_id.in_(scope.ids(user))
    )
    rows = db.session.execute(statement.group_by(PlanItem.patient_id))
    return {patient_id: on for patient_id, on in rows if on is not None}
