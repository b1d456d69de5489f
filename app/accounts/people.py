"""The accounts of those one answers for: forgotten passwords, lost authenticators, people who left."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from app.accounts import credentials, second_factor
from app.accounts.devices import PEOPLE_A_PAGE, answered_for
from app.accounts.models import SecondFactor, User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.orgs import service as orgs


@dataclass(frozen=True)
class Person:
    user: User
    place: str
    two_step: bool


@dataclass(frozen=True)
class Page:
    people: list[Person]
    total: int
    number: int
    last: int


def listed(actor: User, *, named: str = "", number: int = 1) -> Page:
    """A page of those for whom `actor` answers, by name; `named` is part of a name or username."""
    wanted = [answered_for(actor)]
    if named:
        wanted.append(
            or_(User.name.contains(named, autoescape=True), User.username.contains(named, autoescape=True))
        )
    total = db.session.scalar(select(func.count()).select_from(User).where(*wanted)) or 0
    last = max(1, -(-total // PEOPLE_A_PAGE))
    number = min(number, last)
    statement = select(User).where(*wanted).order_by(User.name, User.id)
    found = list(db.session.scalars(statement.offset((number - 1) * PEOPLE_A_PAGE).limit(PEOPLE_A_PAGE)))
    return Page(_persons(found), total, number, last)


def one(actor: User, user_id: str) -> Person:
    """Raises NotFound for somebody for whom `actor` does not answer."""
    user = db.session.scalar(select(User).where(User.id == user_id, answered_for(actor)))
    if user is None:
        raise NotFound()
    return _persons([user])[0]


def reset_password(actor: User, user_id: str) -> tuple[Person, str]:
    """A password for one sign-in, to be told to them and shown once. Commits."""
    user = _another(actor, user_id)
    password = credentials.give_password(user, by=actor)
    return one(actor, user_id), password


def set_active(actor: User, user_id: str, on: bool) -> None:
    """Shut or open an account. Commits."""
    credentials.set_active(_another(actor, user_id), on, by=actor)


def take_second_factor_off(actor: User, user_id: str) -> None:
    """Their authenticator and their codes on paper are lost. Commits. Ends their sessions."""
    user = _another(actor, user_id)
    second_factor.remove(user, by=actor)
    credentials.end_sessions(user)
    db.session.commit()


def _another(actor: User, user_id: str) -> User:
    user = one(actor, user_id).user
    if user.id == actor.id:
        raise DomainError("自己的账号请在「我」里改。")
    return user


def _persons(users: list[User]) -> list[Person]:
    places = orgs.names({user.place_code for user in users if user.place_code})
    confirmed = select(SecondFactor.user_id).where(
        SecondFactor.user_id.in_([user.id for user in users]), SecondFactor.confirmed_at.is_not(None)
    )
    with_two = set(db.session.scalars(confirmed))
    return [Person(user, places.get(user.place_code or "", ""), user.id in with_two) for user in users]
