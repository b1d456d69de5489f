"""The panel: everybody somebody looks after, with what they are due for. A handful of statements."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, func, select

from app.accounts.models import User
from app.extensions import db
from app.grading.models import CurrentGrade
from app.orgs import service as orgs
from app.patients import scope
from app.patients.models import Patient
from app.plans.models import PlanItem
from app.plans.rules import ORDER
from app.pwa import rendered
from app.pwa.models import RenderedPage
from app.sync import feed
from app.sync.models import Departure, Touch

LATER_DAYS = 7  # how far 以后 looks ahead in the list of the day
URGENCY = {"red": 0, "yellow": 1, "unrated": 2, "green": 3}
LATE, TODAY, LATER, DONE, NOTHING = "late", "today", "later", "done", "none"
BANDS = (LATE, TODAY, LATER, NOTHING, DONE)


class Due(NamedTuple):
    label: str
    form: str
    on: date


class Row(NamedTuple):
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
    found = db.session.execute(_panel(scope.Asker.of(user))).all()
    due = _due(user)
    names = orgs.names({code for one in found for code in (one.village_code, one.town_code)})
    rows = [
        Row(
            id=one.id,
            name=one.name,
            py=one.name_py,
            sex=one.sex,
            birth_date=one.birth_date,
            village_code=one.village_code,
            village=names.get(one.village_code, ""),
            town_code=one.town_code,
            town=names.get(one.town_code, ""),
            phone4=(one.phone or "")[-4:],
            colour=one.colour or "unrated",
            emergency=bool(one.emergency),
            due=tuple(due.get(one.id, ())),
            visited_on=one.last_done_on,
        )
        for one in found
    ]
    return ordered(rows, "urgency", today)


@lru_cache(maxsize=500)
def _panel(asker: scope.Asker) -> Select[*tuple[Any, ...]]:
    """Columns, not records: of the register and the grade a list shows little."""
    p = Patient
    return (
        select(
            p.id, p.name, p.name_py, p.sex, p.birth_date, p.village_code, p.town_code, p.phone,
            CurrentGrade.colour, CurrentGrade.emergency, CurrentGrade.last_done_on,
        )
        .outerjoin(CurrentGrade, CurrentGrade.patient_id == p.id)
        .where(scope.condition(asker), p.ended_on.is_(None))
    )  # fmt: skip


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


@dataclass(frozen=True)
class Standing:
    """How somebody's list stands: how many are on it, and the newest feed number that concerns it.

    `kept`: the page as it was rendered for somebody who sees the same people.
    """

    people: int
    seq: int
    epoch: str
    kept: rendered.Kept


def standing(user: User, address: str = "") -> Standing:
    """`address` is that of the kept page (pages.shelved)."""
    about = {"address": address, "variant": rendered.variant(user), "audiences": feed.audiences_of(user)}
    people, mine, left, epoch, stamp, body = db.session.execute(_standing(scope.Asker.of(user)), about).one()
    return Standing(people, max(mine or 0, left or 0), epoch or "", rendered.Kept.of(stamp, body))


@lru_cache(maxsize=500)
def _standing(asker: scope.Asker) -> Select[Any]:
    """The question for one asker, made once."""
    kept = RenderedPage
    on_it = (
        select(func.count().label("people"), func.max(Touch.seq).label("seq"))
        .select_from(Patient)
        .outerjoin(Touch, Touch.patient_id == Patient.id)
        .where(scope.condition(asker), Patient.ended_on.is_(None))
        .subquery()
    )
    left = (
        select(func.max(Touch.seq))
        .join(Departure, Departure.patient_id == Touch.patient_id)
        .where(Departure.audience.in_(bindparam("audiences", expanding=True)))
        .scalar_subquery()
    )
    return select(on_it.c.people, on_it.c.seq, left, feed.EPOCH, kept.stamp, kept.body).outerjoin(
        kept, and_(kept.url == bindparam("address"), kept.variant == bindparam("variant"))
    )


def newest_change(user: User) -> int:
    """The newest feed number that concerns the list: somebody in it changed, or left it."""
    return standing(user).seq


def _due(user: User) -> dict[str, list[Due]]:
    found: dict[str, list[Due]] = defaultdict(list)
    for patient_id, *due in db.session.execute(_open(scope.Asker.of(user))):
        found[patient_id].append(Due(*due))
    for items in found.values():
        items.sort(key=lambda one: (one.on, ORDER.index(one.form)))
    return found


@lru_cache(maxsize=500)
def _open(asker: scope.Asker) -> Select[*tuple[Any, ...]]:
    return select(PlanItem.patient_id, PlanItem.label, PlanItem.form, PlanItem.due_on).where(
        PlanItem.done_on.is_(None), PlanItem.patient_id.in_(scope.ids(asker))
    )
