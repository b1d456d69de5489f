"""Who may see whom. The one module that decides it; every query passes through it.

Roles, actions and places are app/shared/scope_table.py; here its places become SQL. Out of scope answers
exactly like absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Select, String, and_, bindparam, cast, false, null, select
from sqlalchemy.sql.elements import False_

from app.accounts.models import User
from app.errors import DomainError, Forbidden, NotFound
from app.extensions import db
from app.orgs import service as orgs
from app.patients.models import FamilyGrant, FamilyLink, Patient
from app.patients.purposes import PURPOSES
from app.shared import scope_table


class Asking(Protocol):
    """All of somebody that decides whom they may see."""

    @property
    def id(self) -> Any: ...
    @property
    def role(self) -> Any: ...
    @property
    def place_code(self) -> Any: ...
    @property
    def team_id(self) -> Any: ...


class Asker(NamedTuple):
    """The same as a value: statements made for one serve until they ask from another place."""

    id: str
    role: str
    place_code: str | None
    team_id: str | None

    @classmethod
    def of(cls, user: Asking) -> Asker:
        return cls(user.id, user.role, user.place_code, user.team_id)


Bound = Callable[[Asking], ColumnElement[bool]]
OF_RESTRICTED = {"open", "lift", "restrict", "copy"}  # a copy of one's data remains one's right


class Withheld(Forbidden):
    """The person does not consent to it."""

    def __init__(self, purpose: str) -> None:
        what = PURPOSES[purpose].withheld if purpose in PURPOSES else "家属做这件事"
        super().__init__(f"老人没有同意{what}。想改，请老人到卫生室说一声。")


class Restricted(Forbidden):
    """The record is kept, but no longer used."""

    code = "restricted"

    def __init__(self) -> None:
        super().__init__("这份档案已限制处理：只保存，不再新增、修改或使用。需要恢复请找镇卫生院管理员。")


def _village(user: Asking) -> ColumnElement[bool]:
    return Patient.village_code == user.place_code if user.place_code else false()


def _team(user: Asking) -> ColumnElement[bool]:
    return Patient.team_id == user.team_id if user.team_id else false()


def _town(user: Asking) -> ColumnElement[bool]:
    return Patient.town_code == user.place_code if user.place_code else false()


def _bound(user: Asking, purpose: str | None = None) -> ColumnElement[bool]:
    """With `purpose`, only those who consent to it now."""
    links = select(FamilyLink.patient_id).where(FamilyLink.user_id == user.id, FamilyLink.ended_at.is_(None))
    if purpose is not None:
        links = links.join(FamilyGrant, FamilyGrant.link_id == FamilyLink.id)
        links = links.where(FamilyGrant.purpose == purpose)
    return Patient.id.in_(links)


# How a place of the table is asked of a patient. `assigned` is asked of orders (app/orders/queries.py).
BOUNDS: dict[str, Bound] = {"village": _village, "team": _team, "town": _town, "bound": _bound}


def condition(user: Asking, action: str = "read") -> ColumnElement[bool]:
    """An SQL condition over Patient: those on whom `user` may do `action`.

    Nothing is done with a record whose processing is restricted, but what is there for it (OF_RESTRICTED).
    """
    place = scope_table.place_of(user.role, action)
    within = _within(user, action, place)
    if action in OF_RESTRICTED or isinstance(within, False_):
        return within
    return and_(within, Patient.restricted_at.is_(None))


def _within(user: Asking, action: str, place: str | None) -> ColumnElement[bool]:
    if place == "bound":
        return _bound(user, scope_table.CONSENTED.get(action))
    bound = BOUNDS.get(place or "")
    return bound(user) if bound is not None else false()


def ids(user: Asking, action: str = "read") -> Select[str]:
    within = condition(user, action)
    if isinstance(within, False_):  # nobody: planners would look for them in the whole register
        return select(cast(null(), String)).where(within)
    return select(Patient.id).where(within)


def get(user: User, patient_id: str, action: str = "read") -> Patient:
    """The patient, if `user` may do `action` on them. Raises NotFound otherwise.

    But whoever could do it if the person consented, or if the record were not restricted, is told so:
    Withheld, Restricted. They know that there is such a one.
    """
    found = db.session.scalar(_one(Asker.of(user), action), {"patient_id": patient_id})
    if found is None:
        raise refusal(user, patient_id, action)
    return found


@lru_cache(maxsize=1000)
def _one(asker: Asker, action: str) -> Select[Patient]:
    return select(Patient).where(Patient.id == bindparam("patient_id"), condition(asker, action))


def refusal(user: User, patient_id: str, action: str) -> DomainError:
    """Why `user` does not find this patient for `action`."""
    place = scope_table.place_of(user.role, action)
    known = BOUNDS[place](user) if place in BOUNDS else false()
    patient = db.session.scalar(select(Patient).where(Patient.id == patient_id, known))
    if patient is None:
        return NotFound()
    if patient.restricted_at is not None:
        return Restricted()
    return Withheld(scope_table.CONSENTED.get(action, ""))


def all_of(user: User, action: str = "read") -> list[Patient]:
    statement = select(Patient).where(condition(user, action), Patient.ended_on.is_(None))
    return list(db.session.scalars(statement.order_by(Patient.village_code, Patient.name_py, Patient.id)))


def some_of(user: User, patient_ids: Iterable[str], action: str = "read") -> list[Patient]:
    """Those among `patient_ids` on whom `user` may do `action`, as they stand now."""
    statement = select(Patient).where(Patient.id.in_(list(patient_ids)), condition(user, action))
    return list(db.session.scalars(statement, execution_options={"populate_existing": True}))


def names(user: User, patient_ids: Iterable[str]) -> dict[str, str]:
    """Patient id -> name, of those whom `user` may read."""
    statement = select(Patient.id, Patient.name).where(Patient.id.in_(set(patient_ids)), condition(user))
    return dict(db.session.execute(statement).all())


def may_place(user: User, village_code: str) -> bool:
    """Whether `user` may register somebody in this village."""
    return village_code in placeable(user)


def placeable(user: User) -> set[str]:
    """Codes of the villages in which `user` may register somebody."""
    place = scope_table.place_of(user.role, "register")
    if place == "village":
        return {user.place_code} if user.place_code else set()
    if place != "team" or user.team_id is None:
        return set()
    return orgs.villages_of_team(user.team_id)


def audiences(patient: Patient) -> list[str]:
    """Who sees this patient now, in the feed's words (see app.sync.feed.depart)."""
    found = [f"village:{patient.village_code}", f"town:{patient.town_code}"]
    if patient.team_id:
        found.append(f"team:{patient.team_id}")
    return found
