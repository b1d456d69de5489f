"""One team of the district, written by the program itself: what every grown team is a copy of.

A scratch database gets the demo's first team (600 people with years of visits, graded and planned by the
services, orders led through the operations) and the users of a team. Its rows are then read as they lie on
the disk, with three kinds of marks where the copies differ: in every UUID, for the town's code, for the
county's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import Table

from app import create_app
from app.accounts import passwords
from app.accounts import service as accounts
from app.demo import accounts as demo_accounts
from app.demo import orders, places, reset, store
from app.demo.history import BACK, Story, tell
from app.demo.people import everybody
from app.extensions import db, writing
from app.patients import service as patients
from app.patients.models import Patient
from app.patients.purposes import USUAL
from app.shared import clock
from app.shared.ids import OP_ID
from app.sync import feed
from tests.factories import HASH, PASSWORD
from tests.faults.server import SECRET

COPY, TOWN, COUNTY = "\x80", "\x81", "\x82"  # in no text of the demo, and JSON leaves them as they are
PEOPLE = 600
TEAM = "xiji1"
USERS = 50  # of a team, unless asked otherwise
# Not copied: written anew for every size, or no part of a district.
LEFT_OUT = {
    "alembic_version", "audit_chain", "audit_lines", "devices", "feed_head", "job_leases", "job_runs",
    "login_sessions", "sms_messages", "throttles", "touches",
}  # fmt: skip
# A team's share of everybody who signs in.
SHARES = (("village", 0.36), ("family", 0.48), ("nurse", 0.06))
VISITS_OF_BACK = 11.5  # visits a person of this team has in the two years of the demo

Row = dict[str, Any]


@dataclass(frozen=True)
class Pattern:
    """Rows by table, oldest first; texts carry marks. Revisions are opened and have no digest yet."""

    tables: dict[str, list[Row]]
    people: int
    logins: dict[str, list[str]]  # role -> usernames, before the copy's number is added


def draw(
    folder: Path, *, small: bool = False, visits_each: float = 16.7, users: int = USERS, secret: str = SECRET
) -> Pattern:
    """The team, made in a scratch database in `folder`. `small`: seven people, in a second."""
    path = folder / "pattern.db"
    app = create_app({"SECRET_KEY": secret, "DATABASE_URL": f"sqlite:///{path}"})
    back = BACK * (visits_each / VISITS_OF_BACK)
    with app.app_context():
        upgrade()
        token = writing.set(True)
        logins = _build(back, small, users)
        writing.reset(token)
        db.session.remove()
        tables = _read(path)
        db.engine.dispose()
    path.unlink()
    return Pattern(tables, len(tables["patients"]), logins)


def _build(back: timedelta, small: bool, users: int) -> dict[str, list[str]]:
    now = clock.now().replace(microsecond=0)
    feed.forget_all()
    places.build()
    demo_accounts.build()
    people = [person for person in everybody(clock.today(), small=small) if person.team.key == TEAM]
    stories = [tell(person, now, back) for person in people]
    store.write(stories)
    _families(stories)
    reset._grades(stories)
    db.session.commit()
    orders.write({person.name: person for person in people}, now, small=small)
    logins = _users(stories, users, small)
    db.session.commit()
    return logins


def _families(stories: list[Story]) -> None:
    """The demo's own relatives, whom its orders name."""
    ids = {story.person.name: story.person.id for story in stories}
    for username, name, relation, purposes in reset.FAMILIES:
        if name in ids:
            patient = db.session.get_one(Patient, ids[name])
            patients.link_family(demo_accounts.user(username), patient, relation, purposes)
    db.session.flush()


def _users(stories: list[Story], wanted: int, small: bool) -> dict[str, list[str]]:
    """More people who sign in, until the team has `wanted`. Returns usernames by role.

    They share one password and one hash at the real cost (a cheap one if `small`): 5,000 would take minutes.
    """
    found: dict[str, list[str]] = {}
    kept = [one for one in demo_accounts.ACCOUNTS if one.team in (None, demo_accounts.XIJI1)]
    kept = [one for one in kept if one.role not in ("supervisor", "admin")]
    hashed = HASH if small else passwords.hash_password(PASSWORD)
    for account in kept:
        found.setdefault(account.role, []).append(account.username)
        demo_accounts.user(account.username).password_hash = hashed
    for role, share in SHARES:
        while len(found.setdefault(role, [])) < round(wanted * share):
            found[role].append(_user(role, len(found[role]) + 1, hashed, stories))
    return found


def _user(role: str, number: int, hashed: str, stories: list[Story]) -> str:
    username = f"{role}{number}"
    villages = places.village_codes(places.XIJI)[:8]
    user = accounts.create_user(
        username=username,
        password="",
        password_hash=hashed,
        name=f"{username}（演示）",
        role=role,
        place_code={"village": villages[number % 8], "nurse": places.XIJI}.get(role),
        team_id=demo_accounts.XIJI1 if role == "nurse" else None,
    )
    db.session.flush()
    if role == "family":
        person = stories[number * 7 % len(stories)].person
        patients.link_family(user, db.session.get_one(Patient, person.id), "妈妈", USUAL)
    return username


def _read(path: Path) -> dict[str, list[Row]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    found: dict[str, list[Row]] = {}
    keep = _belongs()
    for table in db.metadata.sorted_tables:
        if table.name in LEFT_OUT:
            continue
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table.name} ORDER BY rowid")]  # noqa: S608
        for row in rows:
            if table.name == "revisions":
                row["payload"] = feed.open_payload(row["payload"])
        rows = [_marked(table, row) for row in rows if keep(table.name, row)]
        found[table.name] = sorted(rows, key=_age_of(table))
    connection.close()
    return found


def _belongs() -> Callable[[str, Row], bool]:
    """Which rows are this team's: the demo's county has other towns, and teams with nobody in them here."""
    town = places.XIJI
    team = {"teams": "id", "team_villages": "team_id"}
    code = {"places": "code", "institutions": "place_code"}

    def keep(name: str, row: Row) -> bool:
        if name == "users":
            place = row["place_code"]
            ours = row["team_id"] in (None, demo_accounts.XIJI1)
            return ours and (place is None or place.startswith(town))
        if name in team:
            return row[team[name]] == demo_accounts.XIJI1
        return name not in code or row[code[name]].startswith(town) or row[code[name]] == places.COUNTY

    return keep


def _age_of(table: Table) -> Callable[[Row], Any]:
    names = ("received_at", "at", "observed_at", "done_on", "created_at", "seq")
    name = next((one for one in names if one in table.c), None)
    return lambda row: (row[name] is None, row[name]) if name else (False, 0)


def _marked(table: Table, row: Row) -> Row:
    """The row without what the database gives by itself, and with marks in its texts."""
    own = table.autoincrement_column
    if own is not None and own.autoincrement is True:
        row.pop(own.name)
    return {name: mark(value) if isinstance(value, str) else value for name, value in row.items()}


def mark(text: str) -> str:
    if text == places.COUNTY:
        return COUNTY
    text = OP_ID.sub(lambda found: f"{found[0][:24]}{COPY}{found[0][27:]}", text)
    return text.replace(places.XIJI, TOWN)
