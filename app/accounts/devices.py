"""Phones: whose they are, who answers for them, what became of those that were lost."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, false, func, select, true

from app.accounts import audit
from app.accounts.codes import digest
from app.accounts.models import Device, LoginSession, User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.orgs import service as orgs
from app.shared import clock

PEOPLE_A_PAGE = 50


@dataclass(frozen=True)
class Person:
    """Somebody with the phones they signed in on, the last used first."""

    user: User
    place: str
    devices: list[Device]


@dataclass(frozen=True)
class Page:
    people: list[Person]
    total: int
    number: int
    last: int


def answered_for(actor: User) -> ColumnElement[bool]:
    """An SQL condition over User: those for whose phones and records `actor` answers, besides themself."""
    if actor.role == "admin":
        return true()
    if actor.role == "manager" and actor.place_code:
        return orgs.inside(User.place_code, actor.place_code)
    return false()


def of(user: User) -> list[Device]:
    statement = select(Device).where(Device.user_id == user.id).order_by(Device.last_seen_at.desc())
    return list(db.session.scalars(statement))


def people(actor: User, *, named: str = "", number: int = 1) -> Page:
    """A page of those for whom `actor` answers and who have a phone, by name; `named` is part of a name."""
    wanted = [answered_for(actor), exists().where(Device.user_id == User.id)]
    if named:
        wanted.append(User.name.contains(named, autoescape=True))
    total = db.session.scalar(select(func.count()).select_from(User).where(*wanted)) or 0
    last = max(1, -(-total // PEOPLE_A_PAGE))
    number = min(number, last)
    statement = select(User).where(*wanted).order_by(User.name, User.id)
    found = list(db.session.scalars(statement.offset((number - 1) * PEOPLE_A_PAGE).limit(PEOPLE_A_PAGE)))
    return Page(_with_phones(found), total, number, last)


def _with_phones(users: list[User]) -> list[Person]:
    theirs: dict[str, list[Device]] = {user.id: [] for user in users}
    newest_first = select(Device).where(Device.user_id.in_(theirs)).order_by(Device.last_seen_at.desc())
    for device in db.session.scalars(newest_first):
        theirs[device.user_id].append(device)
    places = orgs.names({user.place_code for user in users if user.place_code})
    return [Person(user, places.get(user.place_code or "", ""), theirs[user.id]) for user in users]


def revoke(actor: User, device_id: str) -> None:
    """End everything on a phone: one's own; as manager or admin, anybody's within their place. Commits.

    Raises NotFound for a phone that is nobody's, or of somebody else's people.
    """
    theirs = (Device.user_id == actor.id) | answered_for(actor)
    statement = select(Device).join(User, User.id == Device.user_id)
    found = list(db.session.scalars(statement.where(Device.device_id == device_id, theirs)))
    if not found:
        raise NotFound()
    now = clock.now()
    for device in found:
        device.revoked_at = device.revoked_at or now
    audit.note("device.revoke", object_id=device_id)
    db.session.commit()


def wiped(token: str) -> None:
    """A revoked phone has emptied itself; the token of its refused session says which. Commits.

    The same again changes nothing: the answer may have been lost. Raises DomainError 401 for any other
    token, as for a stranger.
    """
    session = db.session.get(LoginSession, digest(token))
    device = None if session is None else _device_of(session)
    if session is None or device is None or device.revoked_at is None:
        raise DomainError(code="session_expired", status=401)
    now = clock.now()
    session.ended_at = session.ended_at or now
    if device.wiped_at is None:
        device.wiped_at = now
        audit.note("device.wiped", object_id=device.device_id, user=db.session.get(User, session.user_id))
    db.session.commit()


def _device_of(session: LoginSession) -> Device | None:
    """A phone and a person make one row, so this is the only one."""
    statement = select(Device).where(Device.device_id == session.device_id, Device.user_id == session.user_id)
    return db.session.scalar(statement)
