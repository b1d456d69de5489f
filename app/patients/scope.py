"""Who may see whom. The one module that decides it; every query passes through it.

Roles, actions and places are app/shared/scope_table.py; here its places become SQL. Out of scope answers
exactly like absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, Select, false, select

from app.accounts.models import User
from app.errors import NotFound
from app.extensions import db
from app.orgs import service as orgs
from app.patients.models import FamilyLink, Patient
from app.shared import scope_table

Bound = Callable[[User], ColumnElement[bool]]


def _village(user: User) -> ColumnElement[bool]:
    return Patient.village_code == user.place_code if user.place_code else false()


def _team(user: User) -> ColumnElement[bool]:
    return Patient.team_id == user.team_id if user.team_id else false()


def _town(user: User) -> ColumnElement[bool]:
    return Patient.town_code == user.place_code if user.place_code else false()


def _bound(user: User) -> ColumnElement[bool]:
    links = select(FamilyLink.patient_id).where(FamilyLink.user_id == user.id, FamilyLink.ended_at.is_(None))
    return Patient.id.in_(links)


# How a place of the table is asked of a patient. `assigned` is asked of orders (app/orders/queries.py).
BOUNDS: dict[str, Bound] = {"village": _village, "team": _team, "town": _town, "bound": _bound}


def condition(user: User, action: str = "read") -> ColumnElement[bool]:
    """An SQL condition over Patient: those on whom `user` may do `action`."""
    bound = BOUNDS.get(scope_table.place_of(user.role, action) or "")
    return bound(user) if bound is not None else false()


def ids(user: User, action: str = "read") -> Select[str]:
    return select(Patient.id).where(condition(user, action))


def get(user: User, patient_id: str, action: str = "read") -> Patient:
    """The patient, if `user` may do `action` on them. Raises NotFound otherwise."""
    found = db.session.scalar(select(Patient).where(Patient.id == patient_id, condition(user, action)))
    if found is None:
        raise NotFound()
    return found


def all_of(user: User, action: str = "read") -> list[Patient]:
    statement = select(Patient).where(condition(user, action), Patient.ended_on.is_(None))
    return list(db.session.scalars(statement.order_by(Patient.village_code, Patient.name_py, Patient.id)))


def names(user: User, patient_ids: Iterable[str]) -> dict[str, str]:
    """Patient id -> name, of those whom `user` may read."""
    statement = select(Patient.id, Patient.name).where(Patient.id.in_(set(patient_ids)), condition(user))
    return dict(db.session.execute(statement).all())


def may_place(user: User, village_code: str) -> bool:
    """Whether `user` may register somebody in this village."""
    place = scope_table.place_of(user.role, "register")
    if place == "village":
        return village_code == user.place_code
    if place != "team" or user.team_id is None:
        return False
    return orgs.team_of_village(village_code) == user.team_id


def audiences(patient: Patient) -> list[str]:
    """Who sees this patient now, in the feed's words (see app.sync.feed.depart)."""
    found = [f"village:{patient.village_code}", f"town:{patient.town_code}"]
    if patient.team_id:
        found.append(f"team:{patient.team_id}")
    return found
