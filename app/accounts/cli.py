"""`flask users`: accounts from the command line."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.accounts import attempts, audit, credentials, passwords, second_factor, service
from app.accounts.models import ROLES, User
from app.accounts.rules import LONGEST, SHORTEST
from app.errors import DomainError
from app.extensions import db, writing
from app.orgs import service as orgs
from app.shared.ids import is_id

commands = AppGroup("users", help="Accounts.")

NO_GOOD = {
    "short": f"the password needs at least {SHORTEST} characters",
    "long": f"the password may have at most {LONGEST} characters",
    "common": "this password is one of the most used: choose another",
    "personal": "the password contains the username, the phone or the name: choose another",
}
# role -> the level its place must have; the team roles need a team as well
PLACE_LEVEL = {
    "village": "village",
    "doctor": "town",
    "nurse": "town",
    "provider": "town",
    "dispatcher": "town",
    "manager": "town",
    "supervisor": "county",
    "admin": "county",
}
TEAM_ROLES = ("doctor", "nurse")


@commands.command("create")
@click.argument("username")
@click.option("--name", required=True, help="The person's name, as patients see it.")
@click.option("--role", required=True, type=click.Choice(list(ROLES)))
@click.option("--phone", help="Mobile number; they may sign in with it.")
@click.option("--place", "place_code", help="Code of the county, town or village they work for.")
@click.option("--team", "team_id", help="Id of the family-doctor team (doctor, nurse).")
@click.option("--institution", "institution_id", help="Id of the institution.")
@click.option("--id", "user_id", help="Id of a lost account that is made again after a restore.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create(
    username: str,
    name: str,
    role: str,
    phone: str | None,
    place_code: str | None,
    team_id: str | None,
    institution_id: str | None,
    user_id: str | None,
    password_stdin: bool,
) -> None:
    """Create USERNAME. Asks for the password unless --password-stdin."""
    writing.set(True)
    _check_scope(role, place_code, team_id, institution_id)
    if user_id is not None and (not is_id(user_id) or db.session.get(User, user_id) is not None):
        raise click.ClickException(f"--id {user_id}: not an id, or somebody's already")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        user = service.create_user(
            username=username,
            password=password,
            name=name,
            role=role,
            phone=phone,
            place_code=place_code,
            team_id=team_id,
            institution_id=institution_id,
            user_id=user_id,
        )
        db.session.flush()
    except DomainError as error:
        raise click.ClickException(error.detail) from None
    _check_password(password, user)
    audit.note("user.create", object_id=user.id)
    db.session.commit()
    click.echo(f"{user.username} {user.role} {user.id}")


@commands.command("password")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read a lasting password from standard input.")
def password(username: str, password_stdin: bool) -> None:
    """Give USERNAME a password for one sign-in within 72 hours, and print it. Ends all their sessions."""
    writing.set(True)
    user = _named(username)
    if not password_stdin:
        click.echo(credentials.give_password(user, by=None))
        return
    chosen = sys.stdin.readline().rstrip("\r\n")
    _check_password(chosen, user)
    credentials.set_password(user, passwords.hash_password(chosen), once=False)
    credentials.end_sessions(user)
    attempts.forget(user)
    audit.note("password.reset", object_id=user.id)
    db.session.commit()


@commands.command("disable")
@click.argument("username")
def disable(username: str) -> None:
    """Shut the account of USERNAME: all sessions end at once."""
    writing.set(True)
    credentials.set_active(_named(username), False, by=None)


@commands.command("enable")
@click.argument("username")
def enable(username: str) -> None:
    """Open the account of USERNAME again."""
    writing.set(True)
    credentials.set_active(_named(username), True, by=None)


@commands.command("second-factor-off")
@click.argument("username")
def second_factor_off(username: str) -> None:
    """USERNAME has lost the authenticator and the recovery codes: sign in with the password alone again."""
    writing.set(True)
    user = _named(username)
    second_factor.remove(user, by=None)
    credentials.end_sessions(user)
    db.session.commit()


def _named(username: str) -> User:
    user = db.session.scalar(select(User).where(User.username == username))
    if user is None:
        raise click.ClickException(f"{username}: no such user")
    return user


def _check_password(password: str, user: User) -> None:
    if why := passwords.fault(password, user):
        raise click.ClickException(NO_GOOD[why])


def _check_scope(role: str, place_code: str | None, team_id: str | None, institution_id: str | None) -> None:
    level = PLACE_LEVEL.get(role)
    place = orgs.place(place_code) if place_code else None
    if place_code and place is None:
        raise click.ClickException(f"--place {place_code}: no such place")
    if level and (place is None or place.level != level):
        raise click.ClickException(f"a {role} needs --place with the code of a {level}")
    if role in TEAM_ROLES and team_id is None:
        raise click.ClickException(f"a {role} needs --team")
    if team_id and orgs.team(team_id) is None:
        raise click.ClickException(f"--team {team_id}: no such team")
    if institution_id and orgs.institution(institution_id) is None:
        raise click.ClickException(f"--institution {institution_id}: no such institution")
