"""Text that would do harm, in every field that takes any: on every page it is text, and nothing else.

The fields come out of the published contract and the form definitions; the pages are found by following
links.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from app.accounts import audit_chain, audit_files
from app.accounts.models import AuditLine
from app.extensions import db, writing
from app.forms import engine
from app.notices import service as notices
from app.notices.models import Notice, SmsMessage
from app.orgs.models import Institution, Place, Team
from app.shared import clock
from app.sync import openapi
from tests.app.accounts.door import SAME_ORIGIN
from tests.app.orders.town import Town, in_days
from tests.app.visits import sheets
from tests.canaries import TOKEN, Canaries, Eye, calculates
from tests.factories import CLINIC, COUNTY, PLACES, TEAM, TOWN, VILLAGE, Factory
from tests.fuzz.contract import Contract
from tests.sealing import sealed
from tests.worlds import Begin

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# Strings of the contract that are no free text: ids, telephones, moments, codes checked against a list.
NOT_FREE = re.compile(r"(_id|_at|_on|phone|id_card|^form|^service|conditions/0)$")
# Kept beside the server's own answer, and told to scripts only; the phone's reasons are codes.
ONLY_IN_THE_API = {
    "visit.create grade/missing/0", "visit.create grade/rule_version", "visit.create grade/reasons/0",
    "visit.correct grade/missing/0", "visit.correct grade/rule_version", "visit.correct grade/reasons/0",
    "order.transition rating/comment beside another", "op device_id",
}  # fmt: skip
TRIGGERS = (
    {"adverse_reaction": 2, "complication": 2, "visit_class": 4, "referral": True, "symptoms": [2]},
    {
        "sbp": 186,
        "dbp": 104,
        "visit_class": 2,
        "referral": False,
        "emergency_action": 1,
        "conditions": ["chd"],
    },
)


class World:
    """Somebody of every role, and people about whom every field says something harmful."""

    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make, self.canaries = app, make, Canaries()
        self.plant = self.canaries.plant
        with app.app_context():
            self.contract = Contract(openapi.document())
        self.town = Town(app, make)
        self.clients = {role: self.named(role) for role in PLACES}
        self.doctor, self.village = self.clients["doctor"], self.clients["village"]
        self.houses()
        self.people: list[str] = []
        self.visits: list[str] = []
        self.orders: list[str] = []
        self.filled: set[str] = set()
        self.bindings: list[str] = []
        self.person()
        self.end_of_care()
        self.raised()
        self.handed_over()
        self.relatives_and_rights()

    def named(self, role: str) -> FlaskClient:
        name, phone = self.plant(f"user name of {role}", 50), f"1390000{len(self.canaries.planted):04d}"
        username = self.make.user(role, name=name, phone=phone, institution_id=CLINIC)
        client = self.make.signed_in(username)
        body = {
            "username": username,
            "password": "correct-horse-7",
            "device_id": self.number_of_a_phone(),
        }
        other = self.app.test_client()
        other.post("/api/auth/login", json={**body, "device_name": self.plant("login device_name", 100)})
        return client

    def number_of_a_phone(self) -> str:
        return re.sub(r"[/\\?#%]", "", self.plant("login device_id", 60))

    def houses(self) -> None:
        with self.app.app_context():
            token = writing.set(True)
            for model, key, what in (
                (Place, COUNTY, "county"), (Place, TOWN, "town"), (Place, VILLAGE, "village"),
                (Institution, CLINIC, "institution"), (Team, TEAM, "team"),
            ):  # fmt: skip
                db.session.get_one(model, key).name = self.plant(f"name of the {what}", 50)
            db.session.commit()
            writing.reset(token)

    def texts(self, kind: str, beside: str = "") -> dict[str, Any]:
        """The free texts of a kind, nested ones as well, each with a canary of its own."""
        made: dict[str, Any] = {}
        for path in self.contract.payload_places(kind):
            schema = self._schema(kind, path)
            free = schema.get("type") == "string" and not {"enum", "pattern", "format"} & set(schema)
            name = "/".join(map(str, path))
            if not free or NOT_FREE.search(name) or path[0] == "answers":
                continue
            at: Any = made
            for step, following in pairwise(path):
                at = at.setdefault(step, [] if following == 0 else {}) if isinstance(at, dict) else at[0]
            text = self.plant(f"{kind} {name}{beside}", schema.get("maxLength", 60))
            if isinstance(at, list):
                at.append(text)
            else:
                at[path[-1]] = text
        return made

    def _schema(self, kind: str, path: tuple[Any, ...]) -> dict[str, Any]:
        name = "".join(part.capitalize() for part in kind.split(".")) + "Payload"
        node = self.contract.schemas[name]
        for step in path:
            node = node["items"] if step == 0 else node["properties"][step]
            node = self.contract.schemas[node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node
        return node

    def do(self, client: FlaskClient, kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        op = self.make.op(client, kind, payload, device_id=self.plant("op device_id", 60), **more)
        return self.make.push(client, op)[0]

    def done(self, *args: Any, **more: Any) -> str:
        result = self.do(*args, **more)
        assert result["status"] == "applied", (args[1], result)
        return result["entity_id"]

    def person(self) -> None:
        doctor, family = self.doctor, self.clients["family"]
        payload = self.make.patient_payload(**self.texts("patient.create"))
        patient = self.done(doctor, "patient.create", {**payload, "conditions": ["hypertension"]})
        self.people.append(patient)
        self.make.bind(family.username, patient, self.plant("relation of a relative", 20))  # type: ignore[attr-defined]
        update = {"patient_id": patient, **self.texts("patient.update")}
        self.done(doctor, "patient.update", update, base_revision=1)
        for form in sheets.SHEETS:
            for trigger in TRIGGERS:
                self.visit(patient, form, dict(trigger))
            self.visit(patient, form, {}, days_ago=20)
        visit = self.visits[-1]
        fixed = sheets.correction(visit, form, **self.texts("visit.correct"))
        self.done(doctor, "visit.correct", fixed, base_revision=1)
        for to in ("rejected", "cancelled", "confirmed"):
            self.order(patient, to)

    def raised(self) -> None:
        """The reason stands beside the colour until a visit says more."""
        payload = self.make.patient_payload(**self.texts("patient.create"))
        self.people.append(self.done(self.doctor, "patient.create", payload))
        why = {"colour": "red", "reason": self.plant("grade raised reason", 100)}
        raised = self.doctor.post(f"/patients/{self.people[-1]}/grade/raise", data=why, headers=SAME_ORIGIN)
        assert raised.status_code == 303

    def end_of_care(self) -> None:
        payload = self.make.patient_payload(**self.texts("patient.create"))
        self.people.append(self.done(self.doctor, "patient.create", payload))
        self.visit(self.people[-1], "hypertension", {"lost_reason": 1})

    def visit(self, patient: str, form: str, answers: dict[str, Any], days_ago: int = 0) -> None:
        """With every text the form takes beside these answers."""
        definition, planted = engine.definition(form), self.canaries.planted
        before = set(planted)
        answers = {key: value for key, value in answers.items() if key in definition.fields}
        for key, field in definition.fields.items():
            if field["type"] == "text":
                answers[key] = self.plant(f"{form} {key}", field["max"])
            elif field["type"] == "list":
                cells = [item for item in field["item"] if item["type"] == "text"]
                answers[key] = [{c["key"]: self.plant(f"{form} {key}/{c['key']}", c["max"]) for c in cells}]
        at = clock.local(clock.now() - timedelta(days=days_ago)).isoformat(timespec="seconds")
        grade = {
            "colour": "red",
            "emergency": False,
            "due_in_days": 14,
            **self.texts("visit.create")["grade"],
        }
        made = sheets.payload(patient, form, answers=answers, visited_at=at, grade=grade)
        for _ in range(4):
            result = self.do(self.doctor, "visit.create", made)
            if result["status"] == "applied":
                break
            for error in result["errors"]:
                key = error["pointer"].split("/")[3]
                if error["code"] == "required":  # what these answers make necessary
                    made["answers"][key] = self._some(definition.fields[key], key)
                else:  # what is not asked beside them is not written either
                    made["answers"].pop(key, None)
        assert result["status"] == "applied", (form, result)
        self.visits.append(result["entity_id"])
        self.filled |= {f"{form} {key}" for key in made["answers"]}
        told = set(TOKEN.findall(json.dumps(made)))
        for token in planted.keys() - before - told:
            if planted[token].startswith(f"{form} "):
                del planted[token]

    def _some(self, field: Any, key: str) -> Any:
        if "options" in field:
            return field["options"][0]["code"]
        if field["type"] == "date":
            return clock.today().isoformat()
        return False if field["type"] == "bool" else self.plant(f"any {key}", field["max"])

    def order(self, patient: str, to: str) -> None:
        family, provider = self.clients["family"], self.clients["provider"]
        order = self.done(
            family, "order.create", self.town.wish(patient_id=patient, **self.texts("order.create"))
        )
        self.orders.append(order)

        def step(client: FlaskClient, target: str, base: int, **more: Any) -> None:
            note = {"note": self.plant("order.transition note", 200)}
            self.done(
                client,
                "order.transition",
                {"order_id": order, "to": target, **note, **more},
                base_revision=base,
            )

        if to == "rejected":
            step(self.village, "rejected", 1)
            return
        assignee = provider.user_id  # type: ignore[attr-defined]
        step(self.village, "scheduled", 1, assignee_id=assignee, scheduled_at=in_days(1))
        if to == "cancelled":
            step(family, "cancelled", 2)
            return
        for base, target in enumerate(("accepted", "en_route", "in_service", "done"), start=2):
            step(provider, target, base)
        rating = {"overall": 2, "by": "家属", **self.texts("order.transition")["rating"]}
        judged = {"order_id": order, "to": "confirmed", "rating": rating}
        self.done(family, "order.transition", judged, base_revision=6)

    def relatives_and_rights(self) -> None:
        """What is written where a relative is bound, and where a record is opened or restricted."""
        patient, doctor = self.people[0], self.doctor
        link = self.make.bind(self.make.user("family"), patient)
        said = {
            "said_by": "监护人",
            "guardian": self.plant("guardian who agrees", 50),
            "guardian_relation": self.plant("relation of a guardian", 20),
            "capacity": "limited",
            "basis": self.plant("basis of a guardian", 50),
            "wish": self.plant("wish of the person", 200),
            "purpose": "state",
        }
        self.posted(doctor, f"/patients/{patient}/family/{link}/consents", **said)
        self.bindings.append(f"/patients/{patient}/family/{link}")
        self.joining(patient)
        why = {"reason": "other", "note": self.plant("note on a reason", 100)}
        assert doctor.post(f"/patients/{patient}/numbers", data=why, headers=SAME_ORIGIN).status_code == 200
        payload = self.make.patient_payload(**self.texts("patient.create"))
        self.put_aside = self.done(doctor, "patient.create", payload)
        asked = {"asked_by": "本人", "reason": self.plant("reason of a restriction", 100)}
        self.posted(doctor, f"/patients/{self.put_aside}/restriction", **asked)

    def joining(self, patient: str) -> None:
        """A relative without an account, who waits for the clinic."""
        url = f"/patients/{patient}/family/invitations"
        page = self.doctor.post(url, data={"said_by": "本人"}, headers=SAME_ORIGIN).get_data(as_text=True)
        code = page.partition('id="binding-code">')[2].partition("<")[0]
        who = {"name": self.plant("name of a newcomer", 50), "phone": "13812345699", "relation": "奶奶"}
        form = {**who, "code": code, "password": "梅花 47 朵开在山亭"}
        self.posted(self.app.test_client(), "/sign-in/join", **form)
        self.bindings.append(f"/patients/{patient}/family")

    @staticmethod
    def posted(client: FlaskClient, url: str, **data: str) -> None:
        answer = client.post(url, data=data, headers=SAME_ORIGIN)
        assert answer.status_code == 303, (url, answer.status_code)

    def handed_over(self) -> None:
        """A record that was refused is told of by its author's and its patient's name."""
        key = self.doctor.get("/api/auth/me").get_json()["seal"]
        bad = {"patient_id": self.people[0], "phone": self.plant("order.create phone, refused", 30)}
        op = self.make.op(self.doctor, "patient.update", bad, base_revision=1)
        made_at = clock.local(clock.now()).isoformat(timespec="seconds")
        file = {"format": "nuanxun-sealed-1", "device_id": self.plant("op device_id", 60), "made_at": made_at}
        body = json.dumps({**file, "sealed": [sealed(key, op)]}).encode()
        form = {"file": (io.BytesIO(body), self.plant("name of a file", 60)), "sealed": ""}
        answer = self.clients["manager"].post("/handover", data=form, headers=SAME_ORIGIN)
        assert answer.status_code == 303


@pytest.fixture
def world(begin: Begin) -> World:
    return begin(World)


LINK = re.compile(r'href="(/[^"#]*)')
LEFT_ALONE = re.compile(r"^/(static|sw|sign-out|manifest|api/openapi|metrics|healthz|readyz)")
# What nobody's page need show: typed into an answer that was refused, or a name we replace by our own words.
NOT_KEPT = {"order.create phone, refused", "name of a file"}


def walked(client: FlaskClient, starts: list[str], most: int = 25) -> Iterator[tuple[str, Any]]:
    """Pages found by following links, breadth first."""
    waiting, known = list(starts), set(starts)
    while waiting:
        url = waiting.pop(0)
        answer = client.get(url)
        yield url, answer
        if answer.mimetype == "text/html":
            for link in LINK.findall(answer.get_data(as_text=True)):
                link = link.replace("&amp;", "&")
                if link not in known and len(known) < most + len(starts) and not LEFT_ALONE.match(link):
                    known.add(link)
                    waiting.append(link)


@ONLY_SQLITE
def test_stored_text_is_text_wherever_it_goes(app: Flask, world: World, database_url) -> None:
    every_page_shows_text_as_text(app, world)
    what_leaves_the_house_carries_none_of_it(app)
    the_printed_form_shows_text_as_text(app, world)


def every_page_shows_text_as_text(app: Flask, world: World) -> None:
    planted = world.canaries.planted
    assert len(planted) >= 80, len(planted)
    everywhere = {f"{form} {key}" for form in sheets.SHEETS for key in engine.definition(form).fields}
    texts = {
        n
        for n in everywhere
        if engine.definition(n.split()[0]).fields[n.split()[1]]["type"] in ("text", "list")
    }
    asked_once = {n.split()[1] for n in world.filled}
    assert not [name for name in texts if name.split()[1] not in asked_once]
    addresses = [f"/patients/{p}" for p in world.people] + [f"/patients/{p}/edit" for p in world.people]
    addresses += [f"/visits/{v}" for v in world.visits] + [f"/visits/{v}/correct" for v in world.visits[-3:]]
    addresses += [f"/orders/{o}" for o in world.orders] + [f"/orders/{o}?do=cancelled" for o in world.orders]
    addresses += [f"/family/{p}/readers" for p in world.people]
    addresses += [f"/visits/new/{f}?patient={world.people[0]}" for f in sheets.SHEETS]
    addresses += [f"/patients/{p}/{page}" for p in world.people for page in ("family", "rights", "copy")]
    addresses += [*world.bindings, f"/patients/{world.put_aside}/restricted"]
    addresses += [f"/patients/{world.put_aside}/rights", f"/family/{world.people[0]}"]
    hits, on_pages, rules, pages = [], set(), set(), 0
    for kind in ("page", "json"):
        wanted = {"format": kind, "reason": "person"}
        copy = world.doctor.post(f"/patients/{world.people[0]}/copy", data=wanted, headers=SAME_ORIGIN)
        text = copy.get_data(as_text=True)
        eye = Eye(text if kind == "page" else "")
        hits += [("doctor", "copy", hit) for hit in eye.hits]
        on_pages |= eye.seen if kind == "page" else set(TOKEN.findall(text))
    for role, client in world.clients.items():
        near = role in ("doctor", "family", "village", "manager")
        starts = [
            "/",
            "/me",
            "/notices",
            "/orders",
            "/orders/new",
            "/outbox",
            "/unlock",
            "/offline",
            "/devices",
            "/people",
        ]
        for url, answer in walked(
            client,
            [
                *starts,
                "/today",
                "/patients?q=zq",
                "/desk",
                "/family",
                "/handover",
                *(addresses if near else addresses[::5]),
            ],
        ):
            assert answer.status_code < 500, (role, url)
            rules.add(rule_of(app, url))
            if answer.mimetype == "text/html":
                pages += 1
                eye = Eye(answer.get_data(as_text=True))
                hits += [(role, url, hit) for hit in eye.hits]
                on_pages |= eye.seen
            elif "csv" in answer.mimetype or "spreadsheet" in answer.mimetype:
                kind = "csv" if "csv" in answer.mimetype else "xlsx"
                hits += [(role, url, cell) for cell in calculates(answer.get_data(), kind)]
        for line in client.get("/api/pack").get_data(as_text=True).splitlines():
            if html := json.loads(line).get("html"):
                hits += [(role, "pack", hit) for hit in Eye(html).hits]
    assert not hits, hits[:10]
    assert pages > 150
    unseen = {planted[token] for token in planted.keys() - on_pages} - {
        planted[token] for token in on_pages & planted.keys()
    }
    told = unseen - ONLY_IN_THE_API - NOT_KEPT
    assert not told, f"no page was found that shows {sorted(told)}"
    in_the_api(world, unseen & ONLY_IN_THE_API)
    every_page_was_there(app, rules)


def rule_of(app: Flask, url: str) -> str:
    rule, _ = app.url_map.bind("localhost").match(url.split("?")[0], "GET", return_rule=True)
    return rule.rule  # type: ignore[attr-defined]


def every_page_was_there(app: Flask, rules: set[str]) -> None:
    found = {r.rule for r in app.url_map.iter_rules() if "GET" in (r.methods or ())}
    found = {rule for rule in found if not rule.startswith("/api/") and not LEFT_ALONE.match(rule)}
    signing_in = {rule for rule in found if rule.startswith("/sign-in")}  # shows nothing that is stored
    secrets = {"/me/password", "/me/two-step"}
    tails = {"/patients/<patient_id>/visits/<named>", "/people/<user_id>"}
    assert found - rules - signing_in - secrets <= tails, found - rules


def in_the_api(world: World, fields: set[str]) -> None:
    """What no page shows comes back from the API as it was sent."""
    said = ""
    for url in [f"/api/visits/{v}" for v in world.visits] + [f"/api/orders/{o}" for o in world.orders]:
        said += world.doctor.get(url).get_data(as_text=True) + world.doctor.get(f"{url}?revision=2").get_data(
            as_text=True
        )
    told = {world.canaries.planted.get(token) for token in TOKEN.findall(said)}
    assert not fields - told - {"op device_id"}, fields - told


def what_leaves_the_house_carries_none_of_it(app: Flask) -> None:
    """Short messages are our own words; notices are text with an address of ours; tables do not calculate."""
    with app.app_context():
        short = [db.session.scalars(db.select(SmsMessage.text)).all()][0]
        assert short
        for text in short:
            assert text.startswith(notices.SIGN) and text.isprintable(), text
            assert not TOKEN.search(text) and not re.search(r"https?:|www\.|\.(com|cn)\b|//", text), text
        told = db.session.scalars(db.select(Notice)).all()
        assert any(TOKEN.search(notice.title + notice.text) for notice in told)
        for notice in told:
            assert re.fullmatch(r"/[a-z]+(/[0-9a-f-]{36}(/family)?)?", notice.url), notice.url
        token = writing.set(True)
        audit_chain.link()
        last = db.session.scalar(db.select(db.func.max(AuditLine.position)))
        table = io.StringIO()
        audit_files.write(table, 1, last or 1, as_csv=True)
        db.session.rollback()
        writing.reset(token)
    assert TOKEN.search(table.getvalue())
    assert not calculates(table.getvalue().encode(), "csv")


def the_printed_form_shows_text_as_text(app: Flask, world: World) -> None:
    source = '{% import "forms/print.html" as p %}{{ p.printed(form, answers, {}, visit, person) }}'
    seen: set[str] = set()
    for url in world.visits:
        record = world.doctor.get(f"/api/visits/{url}").get_json()["payload"]
        canary = world.plant("printed", 40)
        with app.test_request_context():
            html = render_template_string(
                source, form=engine.definition(record["form"]), answers=record.get("answers", {}),
                visit={"visited_on": "2026-06-01", "author": canary},
                person={"name": canary, "record_no": canary},
            )  # fmt: skip
        eye = Eye(html)
        assert not eye.hits, (url, eye.hits)
        seen |= eye.seen
    assert len(seen) > 40


@pytest.mark.parametrize(
    ("html", "bad"),
    [
        ("<p>zq1z</p>", False), ('<p title="zq1z">x</p>', False), ("<img src=x onerror=zq1z>", True),
        ('<a href="javascript:zq1z">x</a>', True), ("<!--zq1z-->", True), ("<script>zq1z</script>", True),
        ('<script type="application/json">"zq1z"</script>', False), ("<zq1z>", True), ("<p zq1z=1>", True),
        ('<script type="application/json">"</b>zq1z"</script>', True), ("<style>zq1z</style>", True),
    ],
)  # fmt: skip
def test_the_eye_sees_what_it_should(html: str, bad: bool) -> None:
    assert bool(Eye(html).hits) == bad


def test_the_eye_for_tables_sees_what_it_should() -> None:
    assert calculates(b"a,=1+1\n-3,'@x\n", "csv") == ["=1+1"]
