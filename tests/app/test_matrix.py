"""The whole matrix: every route × every role, whatever it is about. The doors that lead to a patient are
walked for people near and far in test_scope.py; here are the others, and the sum.

What may be expected stands here by hand: it is compared with the program's own table, not taken from it.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Flask

from app.shared import scope_table
from tests.app import test_scope as scope
from tests.app.test_doors import OPEN
from tests.app.test_scope import CLINICIANS, EVERYBODY, ONLY_SQLITE, ROLES, SAME_ORIGIN, WHERE, World

__all__ = ["test_every_other_door_for_everybody", "world"]
world = scope.world
STAFF = EVERYBODY - {"family"}
ANSWERING = {"manager", "admin"}
ANYBODY = {*EVERYBODY, "anonymous"}
LIST = CLINICIANS | {"manager"}

# route -> who may knock, of all that lead to no patient's record. {d} {h} {u} {n}: somebody else's phone,
# hand-over, account, message: for whoever may knock they answer like absent ones.
DOORS: dict[str, set[str]] = {
    "GET /": EVERYBODY,
    "GET /api/auth/me": EVERYBODY,
    "GET /api/openapi.json": ANYBODY,
    "GET /api/pack": EVERYBODY,
    "GET /api/sync/pull": EVERYBODY,
    "GET /api/sync/receipts": EVERYBODY,
    "GET /desk": {"village", "dispatcher"},
    "GET /devices": ANSWERING,
    "GET /family": {"family"},
    "GET /family/bind": {"family"},
    "GET /handover": EVERYBODY,
    "GET /handover/<handover_id>": EVERYBODY,
    "GET /healthz": ANYBODY,
    "GET /manifest.json": ANYBODY,
    "GET /me": EVERYBODY,
    "GET /me/password": EVERYBODY,
    "GET /me/two-step": STAFF,
    "GET /metrics": ANYBODY,
    "GET /notices": EVERYBODY,
    "GET /offline": ANYBODY,
    "GET /orders": EVERYBODY - {"supervisor", "admin"},
    "GET /outbox": EVERYBODY,
    "GET /patients": LIST,
    "GET /patients/new": CLINICIANS,
    "GET /people": ANSWERING,
    "GET /people/<user_id>": ANSWERING,
    "GET /readyz": ANYBODY,
    "GET /restricted": {"doctor", "manager"},
    "GET /sign-in": ANYBODY,
    "GET /sign-in/code": ANYBODY,
    "GET /sign-in/join": ANYBODY,
    "GET /sign-in/join/code": ANYBODY,
    "GET /sign-in/sms": ANYBODY,
    "GET /sign-in/sms/code": ANYBODY,
    "GET /static/<path:filename>": ANYBODY,
    "GET /sw.js": ANYBODY,
    "GET /today": CLINICIANS,
    "GET /unlock": ANYBODY,
    "POST /api/auth/login": ANYBODY,
    "POST /api/auth/logout": EVERYBODY,
    "POST /api/devices/<device_id>/revoke": EVERYBODY,
    "POST /api/devices/wiped": ANYBODY,
    "POST /api/sync/push": EVERYBODY,
    "POST /api/sync/reads": EVERYBODY,
    "POST /api/sync/sealed": EVERYBODY,
    "POST /devices/<device_id>/revoke": EVERYBODY,
    "POST /family/bind": {"family"},
    "POST /handover": EVERYBODY,
    "POST /handover/<handover_id>/retry": EVERYBODY,
    "POST /me/care-mode": EVERYBODY,
    "POST /me/password": EVERYBODY,
    "POST /me/two-step/begin": STAFF,
    "POST /me/two-step/codes": STAFF,
    "POST /me/two-step/confirm": STAFF,
    "POST /me/two-step/off": STAFF,
    "POST /notices/<notice_id>/read": EVERYBODY,
    "POST /notices/read": EVERYBODY,
    "POST /patients": CLINICIANS,
    "POST /people/<user_id>/active": ANSWERING,
    "POST /people/<user_id>/password": ANSWERING,
    "POST /people/<user_id>/second-factor": ANSWERING,
    "POST /sign-in": ANYBODY,
    "POST /sign-in/code": ANYBODY,
    "POST /sign-in/join": ANYBODY,
    "POST /sign-in/join/code": ANYBODY,
    "POST /sign-in/sms": ANYBODY,
    "POST /sign-in/sms/code": ANYBODY,
    "POST /sign-out": EVERYBODY,
}
ENDING = ("POST /sign-out", "POST /api/auth/logout")
PARTS = {"filename": "icons/icon.svg", "name": "strategies"}


def url_of(route: str) -> str:
    """An id in it is nobody's."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda m: PARTS.get(m[1], "none"), route.partition(" ")[2])


def patient_doors() -> dict[str, set[str]]:
    """The routes of test_scope.py -> who may knock."""
    found: dict[str, set[str]] = {}
    for method, table in (("GET", scope.GET), ("POST", scope.POST)):
        for url, row in table.items():
            found[f"{method} {url.partition('?')[0]}"] = row[0]
    return found


def rules(app: Flask) -> dict[str, Any]:
    """route -> its view."""
    return {
        f"{method} {rule.rule}": (rule.endpoint, app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def shape(route: str) -> str:
    route = route.replace("<any(patients, visits, orders):plural>", "patients").replace("<key>", "adl")
    return re.sub(r"<[^>]+>|\{\w+\}", "*", route)


@ONLY_SQLITE
def test_every_route_is_in_the_matrix_and_opens_by_the_table(app: Flask, database_url) -> None:
    """Each route is here or in test_scope.py, and the roles its view admits are those written down here."""
    expected = {shape(route): knock for route, knock in {**patient_doors(), **DOORS}.items()}
    for route, (endpoint, view) in rules(app).items():
        wanted = expected.pop(shape(route), None)
        if shape(route).startswith("GET /api/patients/"):
            wanted = EVERYBODY
            for plural in ("visits", "orders"):
                expected.pop(f"GET /api/{plural}/*", None)
        assert wanted is not None, f"{route} is nowhere in the matrix"
        if endpoint in OPEN:
            assert wanted == ANYBODY, route
            continue
        admitted = EVERYBODY
        if getattr(view, "refuses", "") == "403":
            admitted = {role for role in ROLES if any(scope_table.may(role, a) for a in view.actions)}
        assert admitted == wanted, route
    assert expected == {}, "of routes that are no more"


@ONLY_SQLITE
def test_every_other_door_for_everybody(world: World, database_url) -> None:
    world.app.config["SMS_SIGN_IN"] = True  # without it these doors are not there at all
    wrong, opened = [], 0
    for role in (*ROLES, "anonymous"):
        for route in sorted(DOORS, key=lambda one: one in ENDING):
            method = route.split()[0]
            answer = world.clients[role].open(
                url_of(route), method=method, headers=SAME_ORIGIN, follow_redirects=False
            )
            answer.get_data()
            got = str(answer.status_code)
            if role == "anonymous" and role not in DOORS[route]:
                fine = got in ("302", "401")
            elif role not in DOORS[route]:
                fine = got == "403"
            elif re.search(r"<(device|handover|user|notice)_id>", route):
                fine = got == "404"
            else:
                opened += 1
                fine = got in ("200", "204", "302", "303", "400", "401", "415", "422", "429", "503")
            if not fine:
                wrong.append((role, route, got))
    assert not wrong
    assert opened > 300


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    near = len(scope.GET) * len(WHERE) + len(scope.POST) * (len(WHERE) + 1)
    cells = near * len(ROLES) + (len(scope.GET) + len(scope.POST)) + len(DOORS) * (len(ROLES) + 1)
    operations = (len(scope.KINDS) + 1) * len(ROLES) * (len(WHERE) + 1)
    assert cells >= 1000 and len(scope.KINDS) + 1 >= 13 and operations >= 600, (cells, operations)
