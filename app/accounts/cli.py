"""`flask users`: accounts from the command line."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from app.accounts import audit, service
from app.accounts.models import ROLES, User
from app.errors import DomainError
from app.extensions import db, writing
from app.orgs import service as orgs
from app.shared.ids import is_id

commands = AppGroup("users", help="Accounts.")

SHORTEST_PASSWORD = 8
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
    if len(password) < SHORTEST_PASSWORD:
        raise click.ClickException(f"the password needs at least {SHORTEST_PASSWORD} characters")
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
    audit.note("user.create", object_id=user.id)
    db.session.commit()
    click.echo(f"{user.username} {user.role} {user.id}")


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
