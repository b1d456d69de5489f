"""How the house stands towards the street: headers, cookies, methods, nobody's data in logs or addresses."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask

from app import create_app, guard, logs
from app.notices import service as notices
from app.notices.senders import Console
from tests.app.accounts.door import SAME_ORIGIN, set_up
from tests.app.orders.town import Town, in_days
from tests.app.visits import sheets
from tests.conftest import SECRET
from tests.factories import PASSWORD, Factory, an_id_card

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OURS = guard.CONTENT_SECURITY_POLICY
ONE_YEAR = 31_536_000


def policy_of(text: str) -> dict[str, set[str]]:
    parts = [part.split() for part in text.split(";") if part.strip()]
    return {name: set(values) for name, *values in parts}


def grade(policy: dict[str, set[str]]) -> list[str]:
    """What keeps a policy from an A: each a way in for somebody else's code, frame or form."""
    missing = []
    script = policy.get("script-src", policy.get("default-src", {"*"}))
    if script & {"'unsafe-inline'", "'unsafe-eval'", "*", "data:", "blob:", "http:", "https:"}:
        missing.append("script-src")
    style = policy.get("style-src", policy.get("default-src", {"*"}))
    if style & {"'unsafe-inline'", "*", "data:", "http:", "https:"}:
        missing.append("style-src")
    for name, wanted in (("object-src", "'none'"), ("base-uri", "'none'"), ("frame-ancestors", "'none'")):
        fallback = policy.get("default-src") if name == "object-src" else None
        if policy.get(name, fallback) != {wanted}:
            missing.append(name)
    if policy.get("form-action") != {"'self'"}:
        missing.append("form-action")
    strangers = [s for values in policy.values() for s in values if "." in s or s in ("*", "http:", "https:")]
    return missing + (["another host"] if strangers else [])


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (OURS, []),
        ("default-src 'self'", ["object-src", "base-uri", "frame-ancestors", "form-action"]),
        (OURS.replace("script-src 'self'", "script-src 'unsafe-inline'"), ["script-src"]),
        (OURS.replace("img-src", "img-src https://cdn.example.org"), ["another host"]),
    ],
)  # fmt: skip
def test_the_content_security_policy_is_graded_a(text: str, missing: list[str]) -> None:
    assert grade(policy_of(text)) == missing


@ONLY_SQLITE
def test_every_kind_of_answer_carries_the_headers(app: Flask, make: Factory, database_url) -> None:
    doctor, stranger = make.signed_in("doctor"), app.test_client()
    answers = [
        doctor.get("/today"), doctor.get("/api/auth/me"), doctor.get("/api/pack", buffered=True),
        doctor.get("/nothing"),
        doctor.get("/static/css/base.css"), doctor.get("/sw.js"), doctor.get("/manifest.json"),
        doctor.post("/patients", data={}, headers=SAME_ORIGIN), doctor.put("/today"),
        doctor.post("/sign-out", data={"a": "b"}),
        doctor.open("/today", method="TRACE"), stranger.get("/today"), stranger.get("/sign-in"),
        stranger.get("/api/auth/me"), stranger.get("/healthz"), stranger.get("/metrics"),
    ]  # fmt: skip
    for answer in answers:
        said, about = answer.headers, (answer.request.path, answer.status_code)
        if answer.request.path.startswith(("/static", "/manifest")):  # no page: it needs two of them
            assert said["X-Content-Type-Options"] == "nosniff"
            assert said["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in said and "Server" not in dict(said)
            continue
        assert not grade(policy_of(said["Content-Security-Policy"])), about
        assert said["X-Content-Type-Options"] == "nosniff", about
        assert said["Referrer-Policy"] == "same-origin", about
        assert said["Cross-Origin-Opener-Policy"] == said["Cross-Origin-Resource-Policy"] == "same-origin", (
            about
        )
        assert "Access-Control-Allow-Origin" not in said and "Server" not in dict(said), about
        if answer.content_length or answer.is_streamed:
            assert answer.mimetype and (
                "charset=utf-8" in said["Content-Type"] or "text/" not in answer.mimetype
            )
        assert "no-store" in said["Cache-Control"] or answer.request.path == "/sw.js", about
    assert doctor.open("/today", method="TRACE").status_code == 405


@ONLY_SQLITE
def test_behind_tls_cookies_belong_to_this_host_and_the_browser_stays_on_https(database_url: str) -> None:
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": database_url, "TLS": "1"})
    app.config["TESTING"] = True
    make = Factory(app)
    username, home = make.user("nurse"), {"base_url": "https://localhost"}
    client = app.test_client()
    body = {"username": username, "password": PASSWORD, "device_id": "d"}
    answer = client.post("/api/auth/login", json=body, **home)
    assert answer.status_code == 200
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert_for_this_host_only(cookie, "__Host-session")
    hsts = answer.headers["Strict-Transport-Security"]
    assert int(re.findall(r"max-age=(\d+)", hsts)[0]) >= ONE_YEAR and "includeSubDomains" in hsts
    client.username, client.user_id = username, make.user_id(username)  # type: ignore[attr-defined]
    form = {"username": username, "password": PASSWORD}
    signed = app.test_client().post("/sign-in", data=form, headers=SAME_ORIGIN, **home)
    assert_for_this_host_only(signed.headers["Set-Cookie"], "__Host-session")
    left = client.post("/sign-out", headers=SAME_ORIGIN, **home)
    assert_for_this_host_only(left.headers["Set-Cookie"], "__Host-session")


def assert_for_this_host_only(cookie: str, name: str) -> None:
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert cookie.startswith(f"{name}=") and {"secure", "httponly", "path=/"} <= parts
    assert parts & {"samesite=lax", "samesite=strict"} and not [p for p in parts if p.startswith("domain")]


PEOPLE = [
    (name, an_id_card(300 + n, f"193{n}0{n + 1}11"), f"19{n}77{n}55{n}33", f"{name[1:]}路{n}号院")
    for n, name in enumerate(("亓官霁翀", "仉督昶曦", "佘璟甯翮", "单于骢麒", "厍黛彧祎"), start=3)
]
CANARIES = [text for person in PEOPLE for text in person]


class Addresses(HTMLParser):
    """What a browser would ask for, or send to, from this page. tel: asks nobody."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]
        self.found += [unquote(value) for value in given if not value.startswith("tel:")]


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """All that any logger says, in both formats."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    for handler, form in zip(handlers, (logs.Json(), logs.Plain()), strict=True):
        handler.setFormatter(form)
        root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


@ONLY_SQLITE
def test_no_log_figure_or_address_tells_of_anybody(
    app: Flask, make, said, capfd, monkeypatch, database_url
) -> None:
    """Twenty planted names, numbers, telephones and addresses, after a drive through every route."""
    town = Town(app, make)
    ids, clients = planted(town, make)
    addresses: list[str] = []
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            for client in clients:
                addresses += visited(client, method, filled(rule.rule, ids))
    with app.app_context():
        notices.send_due(sender=Console(demo=False))
    monkeypatch.setattr("app.chart.queries.load", lambda _: (_ for _ in ()).throw(KeyError(CANARIES[0])))
    assert clients[0].get(f"/patients/{ids['patient_id']}").status_code == 500
    figures = app.test_client().get("/metrics").get_data(as_text=True)
    captured = capfd.readouterr()
    places = {
        "log": said.getvalue(), "figures": figures, "addresses": "\n".join(addresses),
        "standard output": captured.out, "standard error": captured.err,
    }  # fmt: skip
    assert "KeyError" in places["log"] and "sms to" in places["log"] and len(addresses) > 500
    found = [(place, canary) for place, text in places.items() for canary in CANARIES if canary in text]
    assert len(CANARIES) == 20 and not found, found


def planted(town: Town, make: Factory) -> tuple[dict[str, str], list[Any]]:
    """Each of the five is met another way: registered, a relative, on the staff, mistyped, signing in."""
    registered, relative, staff, mistyped, stranger = PEOPLE
    doctor = make.signed_in(make.user("doctor", name=staff[0], phone=staff[2]))
    family = make.signed_in(make.user("family", name=relative[0], phone=relative[2]))
    contact = {"contact_name": relative[0], "contact_phone": relative[2], "address": registered[3]}
    name, card, phone, _ = registered
    payload = make.patient_payload(name=name, id_card=card, phone=phone, **contact)
    patient = make.push(doctor, make.op(doctor, "patient.create", payload))[0]["entity_id"]
    make.bind(family.username, patient)  # type: ignore[attr-defined]
    note = " ".join([*registered, *mistyped])
    visit = sheets.payload(patient, answers={"other_signs": note[:200]})
    order = town.wish(patient_id=patient, phone=phone, address=relative[3], note=note)
    seen, asked = make.push(
        doctor, make.op(doctor, "visit.create", visit), make.op(doctor, "order.create", order)
    )
    wrong = {"name": mistyped[0], "id_card": mistyped[1][:-1], "phone": mistyped[2], "address": mistyped[3]}
    doctor.post("/patients", data=wrong, headers=SAME_ORIGIN)
    make.push(doctor, make.op(doctor, mistyped[0], {mistyped[1]: mistyped[2]}), {"op_id": mistyped[1]})
    doctor.post("/api/sync/push", data=json.dumps(mistyped).encode()[:-1], content_type="application/json")
    doctor.get("/patients", query_string={"q": mistyped[0], mistyped[1]: mistyped[3]})
    for text in stranger:
        body = {"username": text[:50], "password": text, "device_id": text}
        town.app.test_client().post("/api/auth/login", json={**body, "device_name": text})
        town.app.test_client().post("/sign-in", data={**body, "next": f"/{text}"}, headers=SAME_ORIGIN)
        town.app.test_client().get(f"/{text}?x={text}", headers={"Referer": text.encode().decode("latin-1")})
    set_up(town.app, make, make.signed_in("nurse"))
    village = town.village
    moved = {"order_id": asked["entity_id"], "to": "scheduled", "scheduled_at": in_days(1), "note": staff[3]}
    make.push(village, make.op(village, "order.transition", moved, base_revision=1))
    ids = {
        "patient_id": patient,
        "record_id": patient,
        "visit_id": seen["entity_id"],
        "order_id": asked["entity_id"],
    }
    others = [make.signed_in(role) for role in ("manager", "admin")]
    return ids, [doctor, family, town.dispatcher, *others]


def filled(rule: str, ids: dict[str, str]) -> str:
    rule = rule.replace("<any(patients, visits, orders):plural>", "patients").replace("<key>", "adl")
    rule = rule.replace("<named>", ids["visit_id"][-12:])
    for name, value in ids.items():
        rule = rule.replace(f"<{name}>", value)
    return re.sub(r"<[^>]+>", "x", rule)


def visited(client: Any, method: str, url: str) -> list[str]:
    if url in ("/sign-out", "/api/auth/logout"):
        return []
    answer = client.open(
        url, buffered=True, method=method, headers=SAME_ORIGIN, data={} if method == "POST" else None
    )
    assert answer.status_code < 500, url
    there = [unquote(answer.headers.get("Location", ""))]
    return there + (Addresses(answer.get_data(as_text=True)).found if answer.mimetype == "text/html" else [])
