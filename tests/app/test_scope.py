"""Who reaches what: every role at every door, for people near and far. 404 is the same as for nobody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db, writing
from app.orgs.models import Place, Team, TeamVillage
from app.shared.ids import new_id
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import CLINIC, NEXT_VILLAGE, OTHER_TOWN, OTHER_VILLAGE, TOWN, VILLAGE, Factory
from tests.worlds import Begin

ROUTES = Path(__file__).with_name("routes.txt")
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
THIRD_VILLAGE, SECOND_TEAM = "370406102103", "team-xiji-2"
ROLES = (
    "family", "village", "doctor", "nurse", "provider", "dispatcher", "manager", "supervisor", "admin",
)  # fmt: skip
CLINICIANS = {"doctor", "nurse", "village"}
ASKERS = CLINICIANS | {"family", "dispatcher"}

# Five people, seen from somebody of 西集镇, its first team and 向阳村.
MINE, NEIGHBOUR, NEXT, TEAM, FAR = WHERE = ("mine", "neighbour", "next village", "other team", "other town")
TEAM_HAS = {MINE, NEIGHBOUR, NEXT}
TOWN_HAS = TEAM_HAS | {TEAM}
READ = {
    "family": {MINE}, "village": {MINE, NEIGHBOUR}, "doctor": TEAM_HAS, "nurse": TEAM_HAS,
    "manager": TOWN_HAS, "provider": set(), "dispatcher": set(), "supervisor": set(), "admin": set(),
}  # fmt: skip
ORDERS = {**READ, "dispatcher": TOWN_HAS, "provider": {MINE}}  # the provider was sent to one of them
VISITS = {**READ, "family": set()}
EVERYBODY = set(ROLES)

# door -> (who may knock at all, whose people are found). {p} {v} {o}: patient, visit, order of one of them.
GET: dict[str, tuple[set[str], dict[str, set[str]]]] = {
    "/api/patients/{p}": (EVERYBODY, READ),
    "/api/patients/{p}?revision=1": (EVERYBODY, READ),
    "/api/visits/{v}": (EVERYBODY, VISITS),
    "/api/visits/{v}?revision=1": (EVERYBODY, VISITS),
    "/api/orders/{o}": (EVERYBODY, ORDERS),
    "/patients/{p}": (CLINICIANS | {"manager"}, READ),
    "/patients/{p}/edit": (CLINICIANS, READ),
    "/patients/{p}/visits/{tail}": (CLINICIANS | {"manager"}, READ),
    "/visits/{v}": (EVERYBODY, VISITS),
    "/visits/{v}/correct": (EVERYBODY, VISITS),
    "/visits/new/adl?patient={p}": (CLINICIANS, READ),
    "/family/{p}/readers": ({"family"}, READ),
    "/family/{p}": ({"family"}, READ),
    "/patients/{p}/family": (CLINICIANS | {"manager"}, READ),
    "/patients/{p}/family/{l}": (CLINICIANS | {"manager"}, READ),
    "/patients/{p}/rights": (CLINICIANS | {"manager"}, READ),
    "/patients/{p}/restricted": ({"doctor", "manager"}, READ),
    "/patients/{p}/copy": (CLINICIANS | {"manager", "family"}, READ),
    "/orders/{o}": (EVERYBODY, ORDERS),
    "/orders/new?patient={p}": (ASKERS, ORDERS),
}
POST: dict[str, tuple[set[str], dict[str, set[str]], dict[str, str]]] = {
    "/patients/{p}": (CLINICIANS, READ, {"phone": "x"}),
    "/patients/{p}/grade/confirm": (CLINICIANS, READ, {}),
    "/patients/{p}/grade/raise": (CLINICIANS, READ, {"colour": "x"}),
    "/visits": (CLINICIANS, READ, {"form": "adl", "patient_id": "{p}"}),
    "/visits/{v}/correct": (EVERYBODY, VISITS, {"reason": ""}),
    "/orders": (
        ASKERS,
        ORDERS,
        {"patient_id": "{p}", "service": "Y02", "phone": "13800138000", "wanted_at": "{t}"},
    ),
    "/patients/{p}/family/invitations": (CLINICIANS | {"manager"}, READ, {}),
    "/patients/{p}/family/invitations/{i}/confirm": (CLINICIANS | {"manager"}, READ, {}),
    "/patients/{p}/family/invitations/{i}/dismiss": (CLINICIANS | {"manager"}, READ, {}),
    "/patients/{p}/family/{l}/consents": (CLINICIANS | {"manager"}, READ, {"said_by": "x"}),
    "/patients/{p}/family/{l}/end": (CLINICIANS | {"manager"}, READ, {"how": "x"}),
    "/patients/{p}/numbers": (CLINICIANS | {"manager"}, READ, {"reason": "x"}),
    "/patients/{p}/copy": (CLINICIANS | {"manager", "family"}, READ, {"format": "x"}),
    "/patients/{p}/restricted": ({"doctor", "manager"}, READ, {"reason": "x"}),
    "/patients/{p}/restriction": ({"doctor", "manager"}, READ, {"asked_by": "x"}),
    "/patients/{p}/restriction/lift": ({"manager"}, READ, {"why": ""}),
    "/orders/{o}/transition?base=9": (ASKERS | {"provider"}, ORDERS, {"to": "cancelled", "note": "不去了"}),
    "/family/{p}/leave": ({"family"}, READ, {}),
}
# Doors with an id that is nobody's patient; tests of their own below.
OF_PERSONS = {
    "/notices/<notice_id>/read", "/devices/<device_id>/revoke", "/api/devices/<device_id>/revoke",
    "/handover/<handover_id>", "/handover/<handover_id>/retry",
    "/people/<user_id>", "/people/<user_id>/active", "/people/<user_id>/password",
    "/people/<user_id>/second-factor",
}  # fmt: skip
NOBODYS = {"/static/<path:filename>"}


class World:
    """One of each role in 西集镇, and five people with a visit and an order each."""

    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make = app, make
        make.places()
        self._second_team()
        self.clients = {role: make.signed_in(role) for role in ROLES}
        self.clients["anonymous"] = app.test_client()
        self.ids: dict[str, dict[str, str]] = {}
        makers = {
            **dict.fromkeys((MINE, NEIGHBOUR, NEXT), self.clients["doctor"]),
            TEAM: make.signed_in(make.user("doctor", team_id=SECOND_TEAM)),
            FAR: make.signed_in(make.user("doctor", place_code=OTHER_TOWN)),
        }
        villages = (VILLAGE, VILLAGE, NEXT_VILLAGE, THIRD_VILLAGE, OTHER_VILLAGE)
        for where, village in zip(WHERE, villages, strict=True):
            self._person(where, village, makers[where])
        self.other_relative = make.user("family")
        relatives = dict.fromkeys(WHERE, self.other_relative)
        relatives[MINE] = self.clients["family"].username  # type: ignore[attr-defined]
        for where, relative in relatives.items():
            self.ids[where]["l"] = make.bind(relative, self.ids[where]["p"])
            self.ids[where]["i"] = self._invited(makers[where], self.ids[where]["p"])
        send = {
            "order_id": self.ids[MINE]["o"],
            "to": "scheduled",
            "assignee_id": self.clients["provider"].user_id,  # type: ignore[attr-defined]
            "scheduled_at": in_days(1),
        }
        self.do(self.clients["dispatcher"], "order.transition", send, base_revision=1)
        self.absent = {"p": new_id(), "v": new_id(), "o": new_id(), "l": new_id(), "i": new_id()}

    def _second_team(self) -> None:
        with self.app.app_context():
            token = writing.set(True)
            db.session.add(Place(code=THIRD_VILLAGE, name="柳泉村", level="village", parent_code=TOWN))
            db.session.add(
                Team(id=SECOND_TEAM, name="第二团队（演示）", institution_id=CLINIC, town_code=TOWN)
            )
            db.session.flush()
            db.session.add(TeamVillage(village_code=THIRD_VILLAGE, team_id=SECOND_TEAM))
            db.session.commit()
            writing.reset(token)

    def _person(self, where: str, village: str, maker: FlaskClient) -> None:
        canary = canary_of(where)
        payload = self.make.patient_payload(name=canary, village_id=village, address=canary)
        patient = self.do(maker, "patient.create", payload)
        visit = self.do(maker, "visit.create", sheets.payload(patient, answers={"other_signs": canary}))
        order = {"patient_id": patient, "service": "Y02", "phone": "13800138000", "wanted_at": in_days(1)}
        self.ids[where] = {"p": patient, "v": visit}
        self.ids[where]["o"] = self.do(maker, "order.create", {**order, "note": canary})

    def _invited(self, maker: FlaskClient, patient_id: str) -> str:
        """The id of an invitation whose code nobody has entered yet."""
        url = f"/patients/{patient_id}/family/invitations"
        answer = maker.post(url, data={"said_by": "本人"}, headers=SAME_ORIGIN)
        found = re.search(r"/invitations/([0-9a-f-]{36})/dismiss", answer.get_data(as_text=True))
        assert found is not None
        return found[1]

    def do(self, client: FlaskClient, kind: str, payload: dict[str, Any], **more: Any) -> str:
        result = self.make.push(client, self.make.op(client, kind, payload, **more))[0]
        assert result["status"] == "applied", result
        return result["entity_id"]

    def fill(self, text: str, where: str) -> str:
        ids = self.absent if where == "absent" else self.ids[where]
        return text.format(**ids, tail=ids["v"][-12:], t=in_days(1))


def canary_of(where: str) -> str:
    return f"Q{WHERE.index(where)}canary"


@pytest.fixture
def world(begin: Begin) -> World:
    return begin(World)


ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_list_of_routes_is_up_to_date(app: Flask) -> None:
    found = sorted(
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )
    assert found == ROUTES.read_text().splitlines(), "a new door: add it to routes.txt and to the tables here"


def test_every_door_with_an_id_is_in_the_tables(app: Flask) -> None:
    shapes = {re.sub(r"\{\w+\}", "*", url.split("?")[0]) for url in [*GET, *POST]}
    for rule in app.url_map.iter_rules():
        if "<" not in rule.rule or rule.rule in OF_PERSONS | NOBODYS:
            continue
        path = rule.rule.replace("<any(patients, visits, orders):plural>", "patients").replace("<key>", "adl")
        assert re.sub(r"<[^>]+>", "*", path) in shapes, rule.rule


def expected(role: str, where: str, knock: set[str], found: dict[str, set[str]]) -> str:
    if role not in knock:
        return "403"
    return "in" if where in found[role] else "404"


def verdict(status: int) -> str:
    """`in`: the door opened, whatever then was said to what stood on the form."""
    if status in (403, 404):
        return str(status)
    return "in" if status in (200, 302, 303, 409, 422) else f"? {status}"


@ONLY_SQLITE
@pytest.mark.parametrize("role", ROLES)
def test_every_reading_door_for_everybody(world: World, role: str, database_url) -> None:
    client, wrong = world.clients[role], []
    for url, (knock, found) in GET.items():
        nothing = client.get(world.fill(url, "absent"))
        for where in WHERE:
            answer = client.get(world.fill(url, where))
            wanted, got = expected(role, where, knock, found), verdict(answer.status_code)
            if url == "/visits/{v}/correct" and wanted == "in" and role not in ("doctor", "manager"):
                wanted = "403"  # in scope, but neither its author nor a clinic lead
            if got != wanted:
                wrong.append((url, where, got, wanted))
            if got == "404" and same_words(answer) != same_words(nothing):
                wrong.append((url, where, "differs from an absent one"))
    assert not wrong


@ONLY_SQLITE
@pytest.mark.parametrize("role", ROLES)
def test_every_writing_door_for_everybody(world: World, role: str, database_url) -> None:
    client, wrong = world.clients[role], []
    for url, (knock, found, form) in POST.items():
        for where in (*WHERE, "absent"):
            data = {name: world.fill(value, where) for name, value in form.items()}
            answer = client.post(world.fill(url, where), data=data, headers=SAME_ORIGIN)
            wanted = (
                expected(role, where, knock, found)
                if where != "absent"
                else ("404" if role in knock else "403")
            )
            if url == "/visits/{v}/correct" and wanted == "in" and role not in ("doctor", "manager"):
                wanted = "403"
            if url == "/orders" and wanted == "in" and role == "provider":
                wanted = "403"
            if verdict(answer.status_code) != wanted:
                wrong.append((url, where, answer.status_code, wanted))
    assert not wrong


@ONLY_SQLITE
def test_nobody_gets_in_without_signing_in(world: World, database_url) -> None:
    client = world.clients["anonymous"]
    for url in GET:
        answer = client.get(world.fill(url, MINE))
        assert answer.status_code == (401 if url.startswith("/api/") else 302), url
    for url, (_, _, form) in POST.items():
        data = {name: world.fill(value, MINE) for name, value in form.items()}
        assert client.post(world.fill(url, MINE), data=data, headers=SAME_ORIGIN).status_code == 401, url


def same_words(answer: Any) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", answer.get_data(as_text=True))


MOVERS = ASKERS | {"provider"}
STATES = ("cancelled", "scheduled", "accepted", "en_route", "in_service", "done", "confirmed")
# kind of operation, with what it does where that matters
#   -> (whose role may send it at all, on whom, what is said of the others)
KINDS: dict[str, tuple[set[str], dict[str, set[str]], str]] = {
    "patient.update": (CLINICIANS | {"family"}, READ, "not_found"),
    "patient.update away": (CLINICIANS, READ, "not_found"),
    "visit.create": (CLINICIANS, READ, "missing_dependency"),
    "visit.create danger": (CLINICIANS, READ, "missing_dependency"),
    "visit.correct": (CLINICIANS | {"manager"}, READ, "missing_dependency"),
    "visit.correct void": (CLINICIANS | {"manager"}, READ, "missing_dependency"),
    "order.create": (ASKERS, ORDERS, "not_found"),
    **{f"order.transition {state}": (MOVERS, ORDERS, "not_found") for state in STATES},
}


def payload_of(kind: str) -> dict[str, Any]:
    later = {"service": "Y02", "phone": "13800138000", "wanted_at": in_days(1)}
    name, _, what = kind.partition(" ")
    if name == "order.transition":
        return {"order_id": "{o}", "to": what, "note": "不去了"}
    return {
        "patient.update": {"patient_id": "{p}", "phone": "13800138000"},
        "patient.update away": {"patient_id": "{p}", "village_id": NEXT_VILLAGE},
        "visit.create": sheets.payload("{p}", "adl"),
        "visit.create danger": sheets.payload("{p}", answers=sheets.EMERGENCY),
        "visit.correct": sheets.correction("{v}"),
        "visit.correct void": {"visit_id": "{v}", "reason": "记错了人", "void": True},
        "order.create": {"patient_id": "{p}", **later},
    }[kind]


@ONLY_SQLITE
@pytest.mark.parametrize("role", ROLES)
def test_every_operation_on_everybody(world: World, role: str, database_url) -> None:
    """A stale base revision: inside one's scope the answer is about the record, outside there is none."""
    client, wrong = world.clients[role], []
    if role == "family":  # told that a relative changes no village before anything about the person
        kinds = {kind: row for kind, row in KINDS.items() if kind != "patient.update away"}
    else:
        kinds = KINDS
    ops = {}
    for label in kinds:
        kind = label.partition(" ")[0]
        base = {} if kind.endswith(".create") else {"base_revision": 99}
        for where in (*WHERE, "absent"):
            payload = {
                key: world.fill(value, where) if isinstance(value, str) and value.startswith("{") else value
                for key, value in payload_of(label).items()
            }
            ops[label, where] = world.make.op(client, kind, payload, **base)
    said = dict(zip(ops, world.make.push(client, *ops.values()), strict=True))
    for (label, where), result in said.items():
        senders, found, outside = kinds[label]
        code = result.get("code", "applied")
        if role not in senders:
            wanted = {"forbidden"}
        elif where not in found[role]:
            wanted = {outside}
        elif label.startswith("visit.correct"):
            wanted = {"stale_revision"} if role in ("doctor", "manager") else {"forbidden"}
        else:
            wanted = {"applied", "stale_revision"}
        if code not in wanted:
            wrong.append((label, where, code, wanted))
        absent = {**said[label, "absent"], "op_id": result["op_id"]}
        if role in senders and where not in found[role] and result != absent:
            wrong.append((label, where, "differs from an absent one"))
    assert not wrong


@ONLY_SQLITE
@pytest.mark.parametrize("role", ROLES)
def test_nobody_registers_people_elsewhere(world: World, role: str, database_url) -> None:
    """And nobody moves one of theirs to where they could not have registered them."""
    client, make = world.clients[role], world.make
    places = dict(zip(WHERE, (VILLAGE, VILLAGE, NEXT_VILLAGE, THIRD_VILLAGE, OTHER_VILLAGE), strict=True))
    for where, village in places.items():
        op = make.op(client, "patient.create", make.patient_payload(village_id=village))
        result = make.push(client, op)[0]
        move = {"patient_id": world.ids[MINE]["p"], "village_id": village}
        moved = make.push(client, make.op(client, "patient.update", move, base_revision=1))[0]
        if role not in CLINICIANS:
            assert result["code"] == moved["code"] == "forbidden", (where, result, moved)
        elif where in READ[role]:
            assert result["status"] == "applied", (where, result)
        else:
            assert [e["pointer"] for e in result["errors"]] == ["/payload/village_id"], (where, result)
            assert moved["status"] != "applied", (where, moved)


@pytest.mark.parametrize("role", ROLES)
def test_no_list_pack_or_pull_tells_of_strangers(world: World, role: str) -> None:
    client = world.clients[role]
    seen: dict[str, set[str]] = {}
    for url in (
        "/today", "/patients", "/orders", "/desk", "/family", "/notices", "/me", "/outbox", "/orders/new",
        "/orders/new?q=Q", "/patients?q=Q&whole", "/devices", "/devices?q=Q",
        "/handover", "/people", "/people?q=Q", "/restricted", "/api/pack", "/api/sync/pull", "/api/auth/me",
    ):  # fmt: skip
        answer = client.get(url)
        assert answer.status_code in (200, 403), url
        text = answer.get_data(as_text=True)
        seen[url] = {where for where in WHERE if canary_of(where) in text}
        assert seen[url] <= READ[role] | ORDERS[role], (url, seen[url])
    pulled = {c["id"] for c in client.get("/api/sync/pull").get_json()["changes"]}
    for where in WHERE:
        ids = world.ids[where]
        assert (ids["p"] in pulled) == (where in READ[role]), where
        assert (ids["v"] in pulled) == (where in VISITS[role]), where
        assert (ids["o"] in pulled) == (where in ORDERS[role]), where
    if role in CLINICIANS:  # and what is theirs is really there
        assert seen["/api/pack"] == seen["/patients"] == READ[role]


@ONLY_SQLITE
def test_notices_are_read_by_those_they_are_for(world: World, database_url) -> None:
    desk = world.clients["dispatcher"]
    notice = re.search(r'action="(/notices/[^"]+-[^"]+/read)"', desk.get("/notices").get_data(as_text=True))
    assert notice is not None
    for role in ROLES:
        if role != "dispatcher":
            assert world.clients[role].post(notice[1], headers=SAME_ORIGIN).status_code == 404, role
    assert world.clients["anonymous"].post(notice[1], headers=SAME_ORIGIN).status_code == 401
    assert desk.post(notice[1], headers=SAME_ORIGIN).status_code == 303


@ONLY_SQLITE
@pytest.mark.parametrize("url", ["/devices/{}/revoke", "/api/devices/{}/revoke"])
def test_phones_are_revoked_by_their_owner_and_those_answering_for_them(
    world: World, url, database_url
) -> None:
    make = world.make
    near = make.signed_in(make.user("doctor"))
    far = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    for role in ROLES:
        for owner, reach in ((near, {"manager", "admin"}), (far, {"admin"})):
            device = url.format(f"device-{owner.username}")
            if role not in reach:
                answer = world.clients[role].post(device, headers=SAME_ORIGIN)
                absent = world.clients[role].post(url.format("none"), headers=SAME_ORIGIN)
                assert (answer.status_code, same_words(answer)) == (404, same_words(absent)), (role, device)
            assert owner.get("/api/auth/me").status_code == 200
    assert (
        world.clients["manager"].post(url.format(f"device-{near.username}"), headers=SAME_ORIGIN).status_code
        < 400
    )
    assert near.get("/api/auth/me").get_json()["code"] == "device_revoked"
