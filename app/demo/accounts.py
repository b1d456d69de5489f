"""Who signs in. One password each, made of the username, so that nothing has to be looked up."""

from __future__ import annotations

from dataclasses import dataclass

from argon2 import PasswordHasher
from sqlalchemy import select

from app.accounts.models import User
from app.demo import places
from app.demo.places import COUNTY, SANGCUN, TEAMS, XIJI
from app.demo.steady import LONG_AGO, steady_id
from app.extensions import db
from app.orgs import service as orgs

XIJI1, XIJI2, SANGCUN1 = (team.id for team in TEAMS)
VILLAGES = places.village_codes(XIJI)


@dataclass(frozen=True)
class Account:
    username: str
    role: str
    name: str
    place: str | None = None
    team: str | None = None
    institution: str | None = None

    @property
    def id(self) -> str:
        return steady_id("user", self.username)

    @property
    def password(self) -> str:
        return f"{self.username}-demo"

    @property
    def phone(self) -> str:
        return f"13900000{ACCOUNTS.index(self) + 1:03d}"


ACCOUNTS = (
    Account("doctor1", "doctor", "温医生", XIJI, XIJI1, places.hospital(XIJI)),
    Account("doctor2", "doctor", "和医生", XIJI, XIJI1, places.hospital(XIJI)),
    Account("doctor3", "doctor", "明医生", SANGCUN, SANGCUN1, places.hospital(SANGCUN)),
    Account("doctor4", "doctor", "华医生", XIJI, XIJI2, places.hospital(XIJI)),
    Account("nurse1", "nurse", "舒护士", XIJI, XIJI1, places.hospital(XIJI)),
    Account("village1", "village", "向阳村卫生室", VILLAGES[0], None, places.clinic(VILLAGES[0])),
    Account("village2", "village", "桃源村卫生室", VILLAGES[1], None, places.clinic(VILLAGES[1])),
    Account("family1", "family", "宁家女儿"),
    Account("family2", "family", "康家儿子"),
    Account("dispatcher1", "dispatcher", "西集镇服务台", XIJI, None, steady_id("care-home", XIJI)),
    Account("provider1", "provider", "乐护理员", XIJI, None, steady_id("care-home", XIJI)),
    Account("provider2", "provider", "安护理员", XIJI, None, steady_id("care-home", XIJI)),
    Account("manager1", "manager", "西集镇管理员", XIJI, None, places.hospital(XIJI)),
    Account("supervisor1", "supervisor", "区卫健局（演示）", COUNTY),
    Account("admin1", "admin", "系统管理员", COUNTY),
)
BY_NAME = {account.username: account for account in ACCOUNTS}


def build() -> None:
    """Add all accounts. Their passwords are public, so a cheap hash does; argon2 reads its cost from it."""
    hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    for account in ACCOUNTS:
        db.session.add(
            User(
                id=account.id,
                username=account.username,
                phone=account.phone,
                name=account.name,
                role=account.role,
                password_hash=hasher.hash(account.password),
                place_code=account.place,
                team_id=account.team,
                institution_id=account.institution,
                active=True,
                care_mode=False,
                created_at=LONG_AGO,
            )
        )
    db.session.flush()


def user(username: str) -> User:
    return db.session.scalars(select(User).where(User.username == username)).one()


def scope_of(account: Account) -> dict[str, object]:
    """Where the account works, as `demo accounts --json` tells it."""
    place = orgs.place(account.place) if account.place else None
    team = orgs.team(account.team)
    villages = sorted(v.village_code for v in team.villages) if team else []
    if not villages and account.place:
        villages = [village.code for village in orgs.villages_of(account.place)]
    return {
        "place": account.place,
        "place_name": place.name if place else None,
        "team": account.team,
        "team_name": team.name if team else None,
        "institution": account.institution,
        "villages": villages,
    }
