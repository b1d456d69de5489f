"""House test of the audit: every door leaves the line it should, or stands here with the reason why not."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import codes
from app.accounts.models import AuditLine
from app.extensions import db
from app.shared.ids import new_id
from tests.app.orders.town import in_days
from tests.app.test_scope import FAR, GET, MINE, NEIGHBOUR, NEXT, POST, SAME_ORIGIN, TEAM, World
from tests.app.visits import sheets
from tests.factories import OTHER_TOWN, PASSWORD, Factory
from tests.sealing import sealed
from tests.worlds import Begin

ROUTES = Path(__file__).with_name("routes.txt").read_text().splitlines()

OPEN_AND_NOBODYS = "the same for everybody, names nobody"
OWN = "shows the asker nothing but themself"
NO_LINE = {
    "GET /": "leads on to a page that is noted",
    "GET /api/auth/me": OWN,
    "GET /api/openapi.json": OPEN_AND_NOBODYS,
    "GET /api/sync/receipts": "only ids and a digest of the asker's own operations",
    "GET /devices": "phones of colleagues, no patient",
    "GET /handover": "the asker's own hand-overs, counts and colleagues' names only",
    "GET /healthz": OPEN_AND_NOBODYS,
    "GET /manifest.json": OPEN_AND_NOBODYS,
    "GET /me": OWN,
    "GET /metrics": "figures, nobody in them",
    "GET /offline": OPEN_AND_NOBODYS,
    "GET /outbox": "filled by the phone from its own store",
    "GET /patients/<patient_id>/visits/<named>": "leads on to the visit, which is noted",
    "GET /patients/new": "an empty form",
    "GET /readyz": OPEN_AND_NOBODYS,
    "GET /sign-in": OPEN_AND_NOBODYS,
    "GET /sign-in/join": "an empty form",
    "GET /sign-in/join/code": "asks for a code, tells the masked number that this browser gave",
    "GET /static/<path:filename>": OPEN_AND_NOBODYS,
    "GET /sw.js": OPEN_AND_NOBODYS,
    "GET /unlock": OPEN_AND_NOBODYS,
    "GET /family/bind": "an empty form",
    "POST /notices/<notice_id>/read": "marks one's own message; what it leads to is noted",
    "POST /notices/read": "marks one's own messages",
}


# Doors of accounts whose lines tests/app/accounts asserts one by one, with all their refusals.
PROVED_WITH_ACCOUNTS = {
    "GET /me/password",
    "GET /me/two-step",
    "GET /people",
    "GET /people/<user_id>",
    "GET /sign-in/code",
    "GET /sign-in/sms",
    "GET /sign-in/sms/code",
    "POST /me/password",
    "POST /me/two-step/begin",
    "POST /me/two-step/codes",
    "POST /me/two-step/confirm",
    "POST /me/two-step/off",
    "POST /people/<user_id>/active",
    "POST /people/<user_id>/password",
    "POST /people/<user_id>/second-factor",
    "POST /sign-in/code",
    "POST /sign-in/sms",
    "POST /sign-in/sms/code",
}


def get(role: str, url: str, action: str) -> Callable[[World], tuple[Any, str]]:
    return lambda w: (w.clients[role].get(w.fill(url, MINE)), action)


def post(role: str, url: str, action: str, **form: str) -> Callable[[World], tuple[Any, str]]:
    def send(w: World) -> tuple[Any, str]:
        data = {name: w.fill(value, MINE) for name, value in form.items()}
        return w.clients[role].post(w.fill(url, MINE), data=data, headers=SAME_ORIGIN), action

    return send


def ask(role: str, url: str, action: str, body: Callable[[World, FlaskClient], Any]):
    def send(w: World) -> tuple[Any, str]:
        client = w.clients[role]
        return client.post(url, json=body(w, client)), action

    return send


def an_update(w: World, client: FlaskClient) -> dict[str, Any]:
    payload = {"patient_id": w.ids[MINE]["p"], "address": "二组"}
    return w.make.op(client, "patient.update", payload, base_revision=1)


def a_push(w: World, client: FlaskClient) -> dict[str, Any]:
    op = an_update(w, client)
    return {"sent_at": op["recorded_at"], "ops": [op]}


def a_sealed_push(w: World, client: FlaskClient) -> dict[str, Any]:
    op = w.make.op(client, "visit.create", sheets.payload(w.ids[MINE]["p"], "general"))
    seal = client.get("/api/auth/me").get_json()["seal"]
    return {"sent_at": op["recorded_at"], "sealed": [sealed(seal, op)]}


def a_report(w: World, client: FlaskClient) -> dict[str, Any]:
    at = "2026-06-01T09:12:00+08:00"
    read = {"id": new_id(), "patient_id": w.ids[MINE]["p"], "page": "patient", "at": at}
    return {"device_id": "d", "reads": [read]}


def signing_in(url: str, as_json: bool) -> Callable[[World], tuple[Any, str]]:
    def send(w: World) -> tuple[Any, str]:
        given = {"username": w.make.user("doctor"), "password": PASSWORD, "device_id": new_id()}
        how: dict[str, Any] = {"json": given} if as_json else {"data": given, "headers": SAME_ORIGIN}
        return w.app.test_client().post(url, **how), "session.begin"

    return send


def signing_out(url: str) -> Callable[[World], tuple[Any, str]]:
    return lambda w: (w.make.signed_in("nurse").post(url, headers=SAME_ORIGIN), "session.end")


def revoking(url: str) -> Callable[[World], tuple[Any, str]]:
    def send(w: World) -> tuple[Any, str]:
        theirs = w.make.signed_in("nurse")
        address = url.format(f"device-{theirs.username}")  # type: ignore[attr-defined]
        return w.clients["manager"].post(address, headers=SAME_ORIGIN), "device.revoke"

    return send


def wiped(w: World) -> tuple[Any, str]:
    theirs = w.make.signed_in("nurse")
    theirs.post(f"/api/devices/device-{theirs.username}/revoke", headers=SAME_ORIGIN)  # type: ignore[attr-defined]
    return theirs.post("/api/devices/wiped"), "device.wiped"


def handed_over(w: World) -> Any:
    client = w.clients["doctor"]
    pushed = a_sealed_push(w, client)["sealed"]
    text = {"format": "nuanxun-sealed-1", "device_id": "d", "made_at": in_days(0), "sealed": pushed}
    file = (io.BytesIO(w.app.json.dumps(text).encode()), "a.nxq")
    return client.post("/handover", data={"file": file}, headers=SAME_ORIGIN)


def handing_over(w: World) -> tuple[Any, str]:
    return handed_over(w), "handover.upload"


def handed(method: str, tail: str, action: str) -> Callable[[World], tuple[Any, str]]:
    def send(w: World) -> tuple[Any, str]:
        url = handed_over(w).headers["Location"] + tail
        return w.clients["doctor"].open(url, method=method, headers=SAME_ORIGIN), action

    return send


def registering(w: World) -> tuple[Any, str]:
    data = w.make.patient_payload(name="王桂英")
    return w.clients["doctor"].post("/patients", data=data, headers=SAME_ORIGIN), "patient.create"


def confirming(w: World) -> tuple[Any, str]:
    """An emergency, then a calm visit: the lower grade waits for a clinician."""
    doctor, patient = w.clients["doctor"], w.make.patient(conditions=["hypertension"])
    w.do(doctor, "visit.create", sheets.payload(patient, answers=sheets.EMERGENCY))
    calm = {"conditions": ["hypertension"], "sbp": 128, "dbp": 76}
    w.do(doctor, "visit.create", sheets.payload(patient, "general", answers=calm))
    return doctor.post(f"/patients/{patient}/grade/confirm", headers=SAME_ORIGIN), "grade.confirm"


def binding(w: World) -> tuple[Any, str]:
    """A relative enters the code of an invitation."""
    url = w.fill("/patients/{p}/family/invitations", MINE)
    page = w.clients["doctor"].post(url, data={"said_by": "本人"}, headers=SAME_ORIGIN)
    found = re.search(r'id="binding-code">([^<]+)<', page.get_data(as_text=True))
    assert found is not None
    form = {"code": found[1], "relation": "姑姑"}
    relative = w.make.signed_in("family")
    return relative.post("/family/bind", data=form, headers=SAME_ORIGIN), "family.claim"


def joining(w: World) -> tuple[Any, str]:
    """A relative without an account, with the code of an invitation."""
    url = f"/patients/{w.make.patient()}/family/invitations"
    page = w.clients["doctor"].post(url, data={"said_by": "本人"}, headers=SAME_ORIGIN)
    found = re.search(r'id="binding-code">([^<]+)<', page.get_data(as_text=True))
    assert found is not None
    w.stranger = w.app.test_client()  # type: ignore[attr-defined]
    phone = f"138{w.make.next():08d}"
    form = {
        "code": found[1],
        "name": "王小梅",
        "phone": phone,
        "relation": "姑姑",
        "password": "梅花 47 朵开在山亭",
    }
    return w.stranger.post("/sign-in/join", data=form, headers=SAME_ORIGIN), "family.join"  # type: ignore[attr-defined]


def joining_by_text(w: World) -> tuple[Any, str]:
    w.app.config["SMS_SIGN_IN"] = True
    with patch.object(codes, "digits", lambda: "123456"):
        joining(w)
    w.app.config["SMS_SIGN_IN"] = False
    code = {"code": "123456"}
    return w.stranger.post("/sign-in/join/code", data=code, headers=SAME_ORIGIN), "family.join"  # type: ignore[attr-defined]


def confirming_a_relative(w: World) -> tuple[Any, str]:
    binding(w)
    page = w.clients["doctor"].get(w.fill("/patients/{p}/family", MINE)).get_data(as_text=True)
    found = re.search(r'action="([^"]+/confirm)"', page)
    assert found is not None
    return w.clients["doctor"].post(found[1], headers=SAME_ORIGIN), "family.confirm"


def lifting(w: World) -> tuple[Any, str]:
    url = w.fill("/patients/{p}/restriction", NEIGHBOUR)
    w.clients["doctor"].post(url, data={"asked_by": "本人", "reason": "不用了"}, headers=SAME_ORIGIN)
    return w.clients["manager"].post(
        f"{url}/lift", data={"why": "改了主意"}, headers=SAME_ORIGIN
    ), "patient.lift"


def opening(w: World) -> tuple[Any, str]:
    url = w.fill("/patients/{p}", NEXT)
    form = {"asked_by": "本人", "reason": "不用了"}
    w.clients["doctor"].post(f"{url}/restriction", data=form, headers=SAME_ORIGIN)
    answer = w.clients["doctor"].post(f"{url}/restricted", data={"reason": "care"}, headers=SAME_ORIGIN)
    return answer, "patient.open"


def listing_restricted(w: World) -> tuple[Any, str]:
    url = w.fill("/patients/{p}/restriction", TEAM)
    form = {"asked_by": "本人", "reason": "不用了"}
    w.clients["manager"].post(url, data=form, headers=SAME_ORIGIN)
    return w.clients["manager"].get("/restricted"), "patient.list"


def restricting(w: World) -> tuple[Any, str]:
    patient = w.make.patient(name="王桂英")
    form = {"asked_by": "近亲属", "reason": "不用了"}
    url = f"/patients/{patient}/restriction"
    return w.clients["manager"].post(url, data=form, headers=SAME_ORIGIN), "patient.restrict"


def leaving(w: World) -> tuple[Any, str]:
    aunt = w.make.user("family")
    w.make.bind(aunt, w.ids[MINE]["p"], "姐姐")
    url = w.fill("/family/{p}/leave", MINE)
    return w.make.signed_in(aunt).post(url, headers=SAME_ORIGIN), "family.end"


def ending(w: World) -> tuple[Any, str]:
    link = w.make.bind(w.make.user("family"), w.ids[MINE]["p"], "姐姐")
    url = w.fill(f"/patients/{{p}}/family/{link}/end", MINE)
    return w.clients["doctor"].post(
        url, data={"how": "patient", "said_by": "本人"}, headers=SAME_ORIGIN
    ), "family.end"


NEW = {"patient_id": "{p}", "service": "Y02", "phone": "13800138000", "wanted_at": "{t}"}
LINES: dict[str, Callable[[World], tuple[Any, str]]] = {
    "GET /api/<any(patients, visits, orders):plural>/<record_id>": get(
        "doctor", "/api/visits/{v}", "visit.read"
    ),
    "GET /api/pack": get("doctor", "/api/pack", "pack.send"),
    "GET /api/sync/pull": get("doctor", "/api/sync/pull", "feed.send"),
    "GET /desk": get("dispatcher", "/desk?tab=scheduled", "order.list"),
    "GET /family": get("family", "/family", "patient.read"),
    "GET /family/<patient_id>/readers": get("family", "/family/{p}/readers", "readers.read"),
    "GET /family/<patient_id>": get("family", "/family/{p}", "family.read"),
    "GET /patients/<patient_id>/copy": get("doctor", "/patients/{p}/copy", "patient.read"),
    "GET /patients/<patient_id>/family": get("doctor", "/patients/{p}/family", "family.read"),
    "GET /patients/<patient_id>/family/<link_id>": get("doctor", "/patients/{p}/family/{l}", "family.read"),
    "GET /patients/<patient_id>/restricted": get("doctor", "/patients/{p}/restricted", "patient.read"),
    "GET /restricted": listing_restricted,
    "GET /patients/<patient_id>/rights": get("doctor", "/patients/{p}/rights", "patient.read"),
    "POST /family/<patient_id>/leave": leaving,
    "POST /family/bind": binding,
    "POST /patients/<patient_id>/copy": post(
        "doctor", "/patients/{p}/copy", "patient.copy", format="json", reason="person"
    ),
    "POST /patients/<patient_id>/family/<link_id>/consents": post(
        "doctor", "/patients/{p}/family/{l}/consents", "consent.withdraw", said_by="本人", purpose="orders"
    ),
    "POST /patients/<patient_id>/family/<link_id>/end": ending,
    "POST /patients/<patient_id>/family/invitations": post(
        "doctor", "/patients/{p}/family/invitations", "family.invite", said_by="本人"
    ),
    "POST /patients/<patient_id>/family/invitations/<invitation_id>/confirm": confirming_a_relative,
    "POST /patients/<patient_id>/family/invitations/<invitation_id>/dismiss": post(
        "doctor", "/patients/{p}/family/invitations/{i}/dismiss", "family.withdrawn"
    ),
    "POST /patients/<patient_id>/numbers": post(
        "doctor", "/patients/{p}/numbers", "patient.numbers", reason="identity"
    ),
    "POST /patients/<patient_id>/restricted": opening,
    "POST /patients/<patient_id>/restriction": restricting,
    "POST /patients/<patient_id>/restriction/lift": lifting,
    "GET /handover/<handover_id>": handed("GET", "", "handover.read"),
    "GET /notices": get("provider", "/notices", "notice.list"),
    "GET /orders": get("family", "/orders", "order.list"),
    "GET /orders/<order_id>": get("family", "/orders/{o}", "order.read"),
    "GET /orders/new": get("doctor", "/orders/new?patient={p}", "patient.read"),
    "GET /patients": get("doctor", "/patients", "patient.list"),
    "GET /patients/<patient_id>": get("doctor", "/patients/{p}", "patient.read"),
    "GET /patients/<patient_id>/edit": get("doctor", "/patients/{p}/edit", "patient.read"),
    "GET /today": get("doctor", "/today", "patient.list"),
    "GET /visits/<visit_id>": get("doctor", "/visits/{v}", "visit.read"),
    "GET /visits/<visit_id>/correct": get("doctor", "/visits/{v}/correct", "visit.read"),
    "GET /visits/new/<key>": get("doctor", "/visits/new/adl?patient={p}", "patient.read"),
    "POST /api/auth/login": signing_in("/api/auth/login", True),
    "POST /api/auth/logout": signing_out("/api/auth/logout"),
    "POST /api/devices/<device_id>/revoke": revoking("/api/devices/{}/revoke"),
    "POST /api/devices/wiped": wiped,
    "POST /api/sync/push": ask("doctor", "/api/sync/push", "patient.update", a_push),
    "POST /api/sync/reads": ask("doctor", "/api/sync/reads", "patient.read", a_report),
    "POST /api/sync/sealed": ask("doctor", "/api/sync/sealed", "visit.create", a_sealed_push),
    "POST /devices/<device_id>/revoke": revoking("/devices/{}/revoke"),
    "POST /handover": handing_over,
    "POST /handover/<handover_id>/retry": handed("POST", "/retry", "handover.retry"),
    "POST /me/care-mode": post("family", "/me/care-mode", "user.care_mode", on="1"),
    "POST /orders": post("family", "/orders", "order.create", **NEW),
    "POST /orders/<order_id>/transition": post(
        "dispatcher", "/orders/{o}/transition?base=2", "order.transition", to="cancelled", note="不去了"
    ),
    "POST /patients": registering,
    "POST /patients/<patient_id>": post("doctor", "/patients/{p}", "patient.update", phone="13800138001"),
    "POST /patients/<patient_id>/grade/confirm": confirming,
    "POST /patients/<patient_id>/grade/raise": post(
        "doctor", "/patients/{p}/grade/raise", "grade.raise", colour="red", reason="家里没有人"
    ),
    "POST /sign-in": signing_in("/sign-in", False),
    "POST /sign-in/join": joining,
    "POST /sign-in/join/code": joining_by_text,
    "POST /sign-out": signing_out("/sign-out"),
    "POST /visits": post("doctor", "/visits", "visit.create", form="general", patient_id="{p}"),
    "POST /visits/<visit_id>/correct": post(
        "doctor", "/visits/{v}/correct", "visit.correct", void="true", reason="记错了人", base_revision="1"
    ),
}  # fmt: skip


@pytest.fixture
def world(begin: Begin) -> World:
    return begin(World)


def newest(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(db.func.max(AuditLine.id))) or 0


def written(app: Flask, since: int) -> list[AuditLine]:
    with app.app_context():
        return list(db.session.scalars(select(AuditLine).where(AuditLine.id > since).order_by(AuditLine.id)))


def test_every_route_is_here_once() -> None:
    assert sorted([*LINES, *NO_LINE, *PROVED_WITH_ACCOUNTS]) == ROUTES


def test_every_door_leaves_its_line(app: Flask, world: World) -> None:
    wrong = []
    for route, send in LINES.items():
        since = newest(app)
        answer, action = send(world)
        answer.get_data()
        found = [line for line in written(app, since) if line.action == action]
        whole = all(line.user_id and line.role and line.request_id and line.address for line in found)
        if not found or not whole:
            wrong.append((route, answer.status_code, action, [x.action for x in written(app, since)]))
    assert not wrong


def test_a_reading_names_whose_record_it_was(app: Flask, world: World) -> None:
    ids = world.ids[MINE]
    for url in ("/api/patients/{p}", "/api/visits/{v}", "/api/orders/{o}", "/visits/{v}", "/orders/{o}"):
        since = newest(app)
        assert world.clients["doctor"].get(world.fill(url, MINE)).status_code == 200
        assert [line.patient_id for line in written(app, since)] == [ids["p"]], url


def test_whoever_is_turned_away_leaves_a_line_that_names_no_patient(app: Flask, world: World) -> None:
    wrong = []
    for method, table in (("GET", GET), ("POST", POST)):
        for url in table:
            form = POST[url][2] if method == "POST" else {}
            data = {name: world.fill(value, FAR) for name, value in form.items()}
            since = newest(app)
            answer = world.clients["doctor"].open(
                world.fill(url, FAR), method=method, data=data or None, headers=SAME_ORIGIN
            )
            found = [line for line in written(app, since) if line.result.startswith("denied:")]
            told = [(line.object_id in world.ids[FAR].values(), line.patient_id) for line in found]
            status = 404 if "doctor" in table[url][0] else 403
            if answer.status_code != status or told != [(True, None)]:
                wrong.append((method, url, answer.status_code, told))
    assert not wrong


def test_refusals_for_the_role_and_for_other_sites_are_noted(app: Flask, world: World) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    cases = (
        ("provider", "GET", "/patients", {}, "plans.patients", "denied:forbidden"),
        ("doctor", "POST", "/sign-out", elsewhere, "accounts.sign_out", "denied:cross_origin"),
    )
    for role, method, url, headers, action, result in cases:
        since = newest(app)
        assert world.clients[role].open(url, method=method, headers=headers).status_code == 403
        assert [(x.action, x.result, x.role) for x in written(app, since)] == [(action, result, role)]


def test_wrong_passwords_and_revoked_phones_are_noted(app: Flask, make: Factory, client) -> None:
    nurse = make.signed_in("nurse")
    name = nurse.username
    since = newest(app)
    for password in ("wrong", PASSWORD):
        given = {"username": name, "password": password, "device_id": f"device-{name}"}
        if password == PASSWORD:
            nurse.post(f"/api/devices/device-{name}/revoke", headers=SAME_ORIGIN)
        assert client.post("/api/auth/login", json=given).status_code == 401
    assert nurse.get("/today").status_code in (401, 302)
    told = [(line.action, line.result) for line in written(app, since)]
    assert told == [
        ("session.begin", "bad_credentials"),
        ("device.revoke", "ok"),
        ("session.begin", "device_revoked"),
        ("plans.today", "denied:device_revoked"),
    ]
    assert {line.user_id for line in written(app, since)} == {nurse.user_id}


def test_strangers_and_made_up_addresses_leave_no_line(app: Flask, make: Factory, client) -> None:
    doctor = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    since = newest(app)
    client.get("/patients")
    client.get(f"/api/patients/{new_id()}")
    doctor.get("/nothing/here")
    assert written(app, since) == []
    doctor.get("/patients/张秀兰")
    [line] = written(app, since)
    assert (line.action, line.object_id) == ("chart.patient", None)  # an address may hold anything


def test_a_form_shown_again_is_a_reading(app: Flask, world: World) -> None:
    since = newest(app)
    url, data = world.fill("/patients/{p}", MINE), {"phone": "x"}
    assert world.clients["doctor"].post(url, data=data, headers=SAME_ORIGIN).status_code == 422
    assert "patient.read" in [line.action for line in written(app, since)]


def test_a_download_that_breaks_off_tells_how_far_it_came(app: Flask, world: World) -> None:
    since = newest(app)
    answer = world.clients["doctor"].get("/api/pack", buffered=False)
    stream = answer.iter_encoded()
    next(stream), next(stream)
    answer.close()
    [line] = [line for line in written(app, since) if line.action == "pack.send"]
    assert line.result == "cut:1"
    world.clients["doctor"].get("/api/pack").get_data()
    line = [line for line in written(app, since) if line.action == "pack.send"][-1]
    assert line.result.startswith("ok:") and int(line.result[3:]) > 5
