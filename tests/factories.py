"""Factories of valid things; a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db, writing
from app.orgs.models import Institution, Place, Team, TeamVillage
from app.patients.identity import CHECK_CHARS, WEIGHTS
from app.patients.purposes import PURPOSES
from app.shared import clock
from app.shared.ids import new_id

ALL_PURPOSES = tuple(PURPOSES)
PASSWORD = "correct-horse-7"
# A cheap hash: argon2 verifies with the parameters the hash carries, and a test signs in a lot.
HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
COUNTY, TOWN, OTHER_TOWN = "370406", "370406102", "370406103"
VILLAGE, NEXT_VILLAGE, OTHER_VILLAGE = "370406102101", "370406102102", "370406103101"
TEAM, OTHER_TEAM = "team-xiji", "team-sangcun"
CLINIC, OTHER_CLINIC = "inst-xiji", "inst-sangcun"
PLACES = {
    "family": None,
    "village": VILLAGE,
    "doctor": TOWN,
    "nurse": TOWN,
    "provider": TOWN,
    "dispatcher": TOWN,
    "manager": TOWN,
    "supervisor": COUNTY,
    "admin": COUNTY,
}


def an_id_card(number: int = 1, birth: str = "19500101", sex: str = "1") -> str:
    """A synthetic identity number with a right check digit; another for each `number`."""
    order = number * 2 + (1 if sex == "1" else 2)
    body = f"370406{birth}{order % 1000:03d}"
    total = sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True))
    return body + CHECK_CHARS[total % 11]


class Factory:
    def __init__(self, app: Flask) -> None:
        self.app = app
        self._count = 0
        self._users: dict[str, str] = {}

    @property
    def has_made_something(self) -> bool:
        return bool(self._count or self._users)

    def next(self) -> int:
        self._count += 1
        return self._count

    def places(self) -> None:
        """Two towns, three villages, two teams; once."""
        with self.app.app_context():
            if db.session.get(Place, COUNTY):
                return
            writing.set(True)
            rows: list[Any] = [Place(code=COUNTY, name="山亭区（演示）", level="county")]
            rows += [
                Place(code=c, name=n, level="town", parent_code=COUNTY)
                for c, n in ((TOWN, "西集镇"), (OTHER_TOWN, "桑村镇"))
            ]
            for code, name in ((VILLAGE, "向阳村"), (NEXT_VILLAGE, "桃源村"), (OTHER_VILLAGE, "听泉村")):
                rows.append(Place(code=code, name=name, level="village", parent_code=code[:9]))
            for row in rows:
                db.session.add(row)
                db.session.flush()
            for clinic, team, town in ((CLINIC, TEAM, TOWN), (OTHER_CLINIC, OTHER_TEAM, OTHER_TOWN)):
                db.session.add(
                    Institution(id=clinic, name="镇卫生院（演示）", kind="township_hospital", place_code=town)
                )
                db.session.flush()
                db.session.add(
                    Team(id=team, name="家庭医生团队（演示）", institution_id=clinic, town_code=town)
                )
                db.session.flush()
            for village, team in ((VILLAGE, TEAM), (NEXT_VILLAGE, TEAM), (OTHER_VILLAGE, OTHER_TEAM)):
                db.session.add(TeamVillage(village_code=village, team_id=team))
            db.session.commit()
            writing.set(False)

    def user(self, role: str, **given: Any) -> str:
        """A user of this role in 西集镇 (or `place_code=`, `team_id=`); returns the username."""
        self.places()
        username = given.pop("username", f"{role}{self.next()}")
        place = given.pop("place_code", PLACES[role])
        team = given.pop("team_id", None)
        if team is None and role in ("doctor", "nurse"):
            team = TEAM if (place or TOWN).startswith(TOWN) else OTHER_TEAM
        with self.app.app_context():
            token = writing.set(True)
            user = accounts.create_user(
                username=username,
                password="",
                password_hash=HASH,
                name=given.pop("name", f"演示{role}"),
                role=role,
                place_code=place,
                team_id=team,
                **given,
            )
            db.session.commit()
            self._users[username] = user.id
            writing.reset(token)
        return username

    def user_id(self, username: str) -> str:
        return self._users[username]

    def get_user(self, username: str) -> User:
        """Inside an app context."""
        return db.session.get_one(User, self._users[username])

    def signed_in(self, role_or_username: str) -> FlaskClient:
        """A client with a session, as this user (made on the spot when a role is given)."""
        username = role_or_username if role_or_username in self._users else self.user(role_or_username)
        client = self.app.test_client()
        answer = client.post(
            "/api/auth/login",
            json={"username": username, "password": PASSWORD, "device_id": f"device-{username}"},
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        client.username = username  # type: ignore[attr-defined]
        client.user_id = self._users[username]  # type: ignore[attr-defined]
        return client

    def op(self, client: FlaskClient, kind: str, payload: dict[str, Any], **given: Any) -> dict[str, Any]:
        op = {
            "op_id": new_id(),
            "device_id": "device-1",
            "author_id": client.user_id,  # type: ignore[attr-defined]
            "kind": kind,
            "recorded_at": clock.local(clock.now()).isoformat(timespec="seconds"),
            "payload": payload,
        }
        return {**op, **given}

    def push(self, client: FlaskClient, *ops: dict[str, Any]) -> list[dict[str, Any]]:
        sent_at = clock.local(clock.now()).isoformat(timespec="seconds")
        answer = client.post("/api/sync/push", json={"sent_at": sent_at, "ops": list(ops)})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()["results"]

    def patient_payload(self, **given: Any) -> dict[str, Any]:
        sex = given.pop("sex", "2")
        birth = given.pop("birth", "19500101")
        payload = {
            "name": "张秀兰",
            "id_card": an_id_card(self.next(), birth, sex),
            "phone": "13900001234",
            "village_id": VILLAGE,
        }
        return {**payload, **given}

    def patient(self, **given: Any) -> str:
        """A patient in 向阳村 of 西集镇, made by a doctor's operation; returns the id."""
        village = given.get("village_id", VILLAGE)
        self.places()
        role = f"maker-{village}"
        if role not in self._users:
            self.user("doctor", username=role, place_code=village[:9])
        maker = self.signed_in(role)
        result = self.push(maker, self.op(maker, "patient.create", self.patient_payload(**given)))[0]
        assert result["status"] == "applied", result
        return result["entity_id"]

    def bind(
        self,
        username: str,
        patient_id: str,
        relation: str = "妈妈",
        purposes: Iterable[str] = tuple(PURPOSES),
    ) -> str:
        """Bind a family user to a patient, who consents to `purposes`; returns the id of the binding."""
        from app.patients import service
        from app.patients.models import Patient

        with self.app.app_context():
            token = writing.set(True)
            patient = db.session.get_one(Patient, patient_id)
            link = service.link_family(self.get_user(username), patient, relation, purposes)
            db.session.commit()
            link_id = link.id
            writing.reset(token)
        return link_id


def days_ago(days: int) -> date:
    from datetime import timedelta

    return clock.today() - timedelta(days=days)
