"""Whatever is sent: never a 5xx, refusals that name the field, nothing kept of what was refused.

The values are in tests/hostile.py; the fields come from the schemas and the form definitions themselves.
"""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.accounts import attempts, credentials
from app.extensions import db
from app.shared import clock
from app.sync import routes
from app.sync.models import Revision
from app.sync.registry import kinds
from tests import hostile
from tests.app.orders.town import Town
from tests.app.visits import sheets
from tests.bases import GRADE, KINDS, Bases
from tests.factories import Factory, an_id_card
from tests.hostile import INJECTIONS, INSIDES, ODD_TEXT, Loose, changed
from tests.sealing import seal_bytes, sealed
from tests.worlds import Begin

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# What each field without a list of its own may hold; a value outside it that is taken is an absurdity.
FREE = {"address", "contact_name", "note", "comment", "reason", "rule_version"}
NUMERIC = {"form_version", "due_in_days", "lat", "lon", "accuracy_m"}
SCORES = {"overall", "attitude", "skill", "timely", "explain", "fee", "recommend"}


@pytest.fixture(autouse=True)
def _no_throttle(monkeypatch: pytest.MonkeyPatch, quick_argon2: None) -> None:
    """The limits have tests of their own."""
    monkeypatch.setattr(routes, "PUSHES_A_MINUTE", 10**9)
    monkeypatch.setattr(attempts, "check", lambda attempt: None)
    monkeypatch.setattr(credentials, "FREE_TRIES", 10**9)


@pytest.fixture
def town(begin: Begin) -> Town:
    return begin(Town)


def of_kind(kind: str) -> list[tuple[str, ...]]:
    schema = kinds["order.transition" if kind == "rating" else kind].schema()
    found = [path for path in hostile.paths(schema) if path != ("answers",)]
    return [path for path in found if (path[0] == "rating") == (kind == "rating")]


def values_for(path: tuple[str, ...]) -> list[Any]:
    """To a field of free text dates and numbers are only more text."""
    left_out = {*hostile.DATES, *hostile.MOMENTS, *hostile.IDS, *hostile.ID_CARDS, *hostile.PHONES}
    if path[-1] not in FREE:
        return hostile.EVERYTHING
    return [v for v in hostile.EVERYTHING if not isinstance(v, str) or v not in left_out]


def send(make: Factory, client: FlaskClient, kind: str, cases: list[Any], base: int | None) -> list[Any]:
    """[(path, value, op, result)] of payload cases [(path, value, payload)]."""
    given = {} if base is None else {"base_revision": base}
    ops = [make.op(client, kind, payload, **given) for _, _, payload in cases]
    results = hostile.push(client, ops)
    return [
        (path, value, op, result) for (path, value, _), op, result in zip(cases, ops, results, strict=True)
    ]


def is_absurd(path: tuple[Any, ...], value: Any) -> bool:
    """A value that no reading of its field allows."""
    name = path[-1]
    if name in FREE or name == "name":
        return not isinstance(value, str) or "\x00" in value or hostile.SURROGATE in value or len(value) > 500
    if name in NUMERIC:
        return isinstance(value, bool) or not isinstance(value, int | float)
    if name in SCORES:
        return value not in range(0, 11) or isinstance(value, bool)
    if name in ("emergency", "lives_alone", "void"):
        return not isinstance(value, bool)
    if name in ("reasons", "missing", "conditions"):
        return value != []
    if name in ("grade", "rating"):
        return value != {}
    if name == "next_visit_on":
        return value != ""
    return value != "1" if name == "contact_relation" else True


@ONLY_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_every_hostile_value_in_every_field_is_refused_by_name_or_kept_as_it_is(
    app, make, town, kind, caplog, database_url
) -> None:
    client, payload, base = Bases(town).of(kind)
    name = "order.transition" if kind == "rating" else kind
    cases = [(p, v, changed(payload(), p, v)) for p in of_kind(kind) for v in values_for(p)]
    cases.append((("unknown",), 1, changed(payload(), ("unknown",), 1)))
    before = hostile.counts(app)
    wrong, kept = judge(send(make, client, name, cases, base))
    assert not wrong, wrong[:10]
    nothing_else_is_stored(app, before, kept)
    for op in kept[:: max(1, len(kept) // 60)]:
        answer = client.get(f"/api/{kinds[name].entity}s/{op['entity']}?revision={op['revision']}")
        assert answer.get_json()["payload"] == op["payload"]
    log_tells_nothing(caplog)


def judge(sent: list[Any]) -> tuple[list[Any], list[dict[str, Any]]]:
    """(what is wrong with the answers, the operations that were applied)."""
    wrong, kept = [], []
    for path, value, op, result in sent:
        note = (path, repr(value)[:60], result)
        if result["status"] == "rejected":
            if not hostile.in_chinese(result):
                wrong.append(("not in Chinese", *note))
            if result["code"] == "invalid" and not hostile.names_the_field(result, hostile.pointer(path)):
                wrong.append(("another field named", *note))
        elif result["status"] == "applied":
            kept.append({**op, "entity": result["entity_id"], "revision": result["revision"]})
            if is_absurd(path, value):
                wrong.append(("taken", *note))
    return wrong, kept


def nothing_else_is_stored(app: Flask, before: dict[str, int], kept: list[dict[str, Any]]) -> None:
    after = hostile.counts(app)
    assert after["revisions"] - before["revisions"] == len(kept)
    for table in ("patients", "visits", "orders"):
        made = sum(1 for op in kept if op["kind"] == f"{table[:-1]}.create")
        assert after[table] - before[table] == made, table
    if not kept:
        assert after == before


def log_tells_nothing(caplog) -> None:
    for secret in ("3704061950", "13800138000", "13900001234", "安心宁", "小明", "alert(1)", "correct-horse"):
        assert secret not in caplog.text, secret


@ONLY_SQLITE
@pytest.mark.parametrize("form", list(sheets.SHEETS))
def test_every_answer_of_every_form_is_refused_by_name_or_kept_as_it_is(
    app, make, town, form, database_url
) -> None:
    doctor = town.doctor
    base = sheets.payload(town.patient, form)
    places = list(hostile.answer_paths(form))
    # Each field meets a third of the values and each value a third of the fields; all of them meet over time
    # in tests/app/forms/test_any_answers.py, without a database.
    cases = [
        (path, value, changed(base, path, value))
        for at, path in enumerate(places)
        for number, value in enumerate(hostile.SOME)
        if (at + number) % 3 == 0
    ]
    cases += [(("answers",), value, {**base, "answers": value}) for value in hostile.SOME]
    before = hostile.counts(app)
    sent = send(make, doctor, "visit.create", cases, None)
    wrong, kept = [], []
    for path, value, op, result in sent:
        if result["status"] == "applied":
            kept.append(op)
        elif not (result["code"] == "invalid" and result["errors"] and hostile.in_chinese(result)):
            wrong.append((path, repr(value)[:60], result))
    assert not wrong, wrong[:10]
    nothing_else_is_stored(app, before, kept)
    for op in kept[:: max(1, len(kept) // 20)]:
        assert doctor.get(f"/api/visits/{op['op_id']}").get_json()["payload"] == op["payload"]


@ONLY_SQLITE
def test_every_part_of_the_envelope_is_refused_by_name(app, make, town, database_url) -> None:
    ops, parts = [], []
    for part in (
        "op_id",
        "device_id",
        "author_id",
        "kind",
        "recorded_at",
        "base_revision",
        "payload",
        "more",
    ):
        for value in hostile.EVERYTHING:
            ops.append({**make.op(town.family, "order.create", town.wish()), part: value})
            parts.append((part, value))
    for (part, value), result in zip(parts, hostile.push(town.family, ops), strict=True):
        assert result["status"] == "applied" or hostile.in_chinese(result), (part, value, result)
        if result["status"] == "rejected" and result["code"] == "invalid":
            assert hostile.names_the_field(result, f"/{part}") or part == "payload", (part, value, result)
        elif result["status"] == "applied":
            assert part in ("op_id", "device_id", "recorded_at", "base_revision"), (part, value)


def test_odd_values_mean_the_same_on_both_databases(app, make, town) -> None:
    """Where the two differ: U+0000, surrogates, integers beyond 32 bits, the ends of time, length."""
    values = ["\x00", hostile.SURROGATE, "\uffff", "👩\u200d👧", 2**31, 2**53, "9999-12-31T23:59:59-08:00"]
    values += ["0001-01-01T00:00:00+08:00", "字" * 51, "字" * 201, "x" * 37, "x" * 41, hostile.LONG]
    bases = Bases(town)
    for kind in KINDS:
        client, payload, base = bases.of(kind)
        name = "order.transition" if kind == "rating" else kind
        cases = [(p, v, changed(payload(), p, v)) for p in of_kind(kind) for v in values]
        wrong, kept = judge(send(make, client, name, cases, base))
        assert not wrong, (kind, wrong[:5])
        for op in kept:
            answer = client.get(f"/api/{kinds[name].entity}s/{op['entity']}?revision={op['revision']}")
            assert answer.get_json()["payload"] == op["payload"]


TAKEN_FOR_SOMETHING_ELSE = [
    ("visit.create", ("visited_at",), "{today}T09:00:00,5+08:00"),
    ("visit.create", ("visited_at",), "{today}T09+08:00"),
    ("visit.create", ("visited_at",), "{today}T09:00:00+08:00:30"),
    ("visit.create", ("visited_at",), "{week}T09:00:00+08:00"),
    ("visit.create", ("next_visit_on",), "{week_later}"),
    ("order.create", ("wanted_at",), "{tomorrow}T09+08:00"),
    ("order.create", ("phone",), "¹3800138000"),
    ("order.create", ("phone",), "1380013\x1f8000"),
    ("patient.create", ("phone",), "①3800138000"),
    ("patient.create", ("name",), "\u200b"),
    ("patient.create", ("name",), "\u3164\u2800"),
    ("patient.create", ("name",), "张\u202e兰秀"),
    ("patient.create", ("name",), "张\x85兰"),
    ("patient.create", ("contact_name",), "小\x1b[31m明"),
    ("patient.create", ("consent_at",), "1899-01-01T00:00:00+08:00"),
    ("patient.create", ("consent_at",), "2999-01-01T00:00:00Z"),
    ("patient.create", ("id_card",), "³70406195001010013"),
    ("visit.correct", ("reason",), "\u200b\u3000"),
    ("order.transition", ("scheduled_at",), "{tomorrow}T09+08:00"),
]


@ONLY_SQLITE
@pytest.mark.parametrize(("kind", "path", "text"), TAKEN_FOR_SOMETHING_ELSE)
def test_what_a_lenient_reader_would_take_is_refused(make, town, kind, path, text, database_url) -> None:
    today = clock.today()
    later = (today + timedelta(days=30)).isocalendar()
    value = text.format(
        today=today.isoformat(),
        tomorrow=(today + timedelta(days=1)).isoformat(),
        week="{}-W{:02}-{}".format(*today.isocalendar()),
        week_later=f"{later.year}-W{later.week:02}-{later.weekday}",
    )
    client, payload, base = Bases(town).of(kind)
    [(_, _, _, result)] = send(make, client, kind, [(path, value, changed(payload(), path, value))], base)
    assert (result["status"], result["code"]) == ("rejected", "invalid")
    assert hostile.names_the_field(result, hostile.pointer(path))


@ONLY_SQLITE
def test_injected_text_comes_back_as_it_was_and_runs_on_no_page(make, town, database_url) -> None:
    texts = [*INJECTIONS, *ODD_TEXT[:6]]
    doctor, family, village = town.doctor, town.family, town.village
    patients, pages = [], []
    for number, text in enumerate(texts):
        contact = {"address": text, "contact_name": text}
        payload = make.patient_payload(name=text[:50], id_card=an_id_card(number + 50, "19330101"), **contact)
        result = make.push(doctor, make.op(doctor, "patient.create", payload))[0]
        if result["status"] == "rejected":  # what turns the text around it is no name
            assert {e["pointer"] for e in result["errors"]} <= {"/payload/name", "/payload/contact_name"}
            continue
        patients.append(result["entity_id"])
        answers = {"symptoms": [], "symptoms_other": text, "other_signs": text, "aux_exam": text}
        grade = {**GRADE, "reasons": [text[:60]], "rule_version": text[:40], "colour": "red"}
        visit = sheets.payload(result["entity_id"], answers=answers, grade=grade)
        order = town.wish(patient_id=result["entity_id"], note=text, address=text)
        made = make.push(
            doctor, make.op(doctor, "visit.create", visit), make.op(doctor, "order.create", order)
        )
        assert [r["status"] for r in made] == ["applied", "applied"], made
        reason = sheets.correction(made[0]["entity_id"], reason=text, answers=answers)
        fixed = make.push(doctor, make.op(doctor, "visit.correct", reason, base_revision=1))[0]
        assert fixed["status"] == "applied", fixed
        no = {"order_id": made[1]["entity_id"], "to": "rejected", "note": text}
        assert (
            make.push(village, make.op(village, "order.transition", no, base_revision=1))[0]["status"]
            == "applied"
        )
        assert doctor.get(f"/api/orders/{made[1]['entity_id']}").get_json()["payload"]["note"] == text
        pages += [(doctor, f"/patients/{patients[-1]}"), (doctor, f"/patients/{patients[-1]}/edit")]
        pages += [
            (doctor, f"/visits/{made[0]['entity_id']}"),
            (doctor, f"/visits/{made[0]['entity_id']}/correct"),
        ]
        pages += [(doctor, f"/visits/new/hypertension?patient={patients[-1]}")]
        pages += [(c, f"/orders/{made[1]['entity_id']}") for c in (doctor, village)]
        pages += [(doctor, f"/orders/new?patient={patients[-1]}")]
    assert len(patients) >= len(INJECTIONS)
    make.bind(family.username, patients[0])
    pages += [(c, "/orders") for c in (doctor, village, family)] + [(doctor, "/today"), (doctor, "/patients")]
    pages += [
        (village, "/desk"),
        (village, "/notices"),
        (family, "/family"),
        (family, "/orders/new"),
        (family, "/notices"),
    ]
    seen = ""
    for client, url in pages:
        answer = client.get(url)
        html = answer.get_data(as_text=True)
        assert answer.status_code == 200, (url, answer.status_code)
        assert not Loose(html).bad, (url, Loose(html).bad)
        assert "<script>alert" not in html and "49{%" not in html, url
        seen += html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen
    pack = doctor.get("/api/pack").get_data(as_text=True)
    assert "<script>alert" not in pack


def odd_requests(town: Town, visit: str, order: str) -> list[tuple[FlaskClient, str, tuple[str, ...]]]:
    doctor, anybody = town.doctor, town.app.test_client()
    return [
        (doctor, "/api/sync/pull", ("cursor", "limit")),
        (doctor, "/api/pack", ("cursor",)),
        (doctor, f"/api/patients/{town.patient}", ("revision",)),
        (doctor, f"/api/visits/{visit}", ("revision",)),
        (doctor, f"/api/orders/{order}", ("revision",)),
        (doctor, "/patients", ("q", "state", "sort", "grade", "town", "village", "whole", "find")),
        (doctor, "/orders/new", ("patient", "service", "q")),
        (doctor, f"/orders/{order}", ("do",)),
        (doctor, "/visits/new/adl", ("patient",)),
        (town.dispatcher, "/desk", ("tab",)),
        (anybody, "/sign-in", ("next",)),
        (anybody, "/today", ("next",)),
    ]


def test_odd_addresses_never_break_a_page(app, make, town, caplog) -> None:
    order, visit = town.order(), Bases(town).visit()
    values = ["\x00", "http://[", "//[", "9" * 4000, "0000000000012" + "9" * 4000, "99999999999999999999"]
    values += [*hostile.POSTED[:15], "<script>alert(1)</script>", "%", "_", "\\", "\uffff", "2026-W01-1"]
    values = values if "sqlite" in app.config["SQLALCHEMY_DATABASE_URI"] else values[:8]
    for client, url, names in odd_requests(town, visit, order):
        for name in names:
            for value in values:
                answer = client.get(f"{url}?{name}={quote(value)}")
                fine(answer, url, name, value)
                if url == "/api/sync/pull" and answer.status_code == 422:
                    assert all(hostile.CHINESE.match(e["message"]) for e in answer.get_json()["errors"])
        fine(client.get(f"{url}?%ff%fe=%ff&&=&a[b]=1"), url)
    for rule in app.url_map.iter_rules():
        for value in (
            ("\x00", "x" * 4000, "..%2f..%2f", "%ff%fe", "a%2fb", *hostile.IDS[:3]) if rule.arguments else ()
        ):
            path = rule.rule.replace("<any(patients, visits, orders):plural>", "visits")
            path = "".join(value if "<" in part else f"/{part}" for part in path.split("/") if part)
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                fine(
                    town.doctor.open(f"/{path.lstrip('/')}", method=method, headers=SAME_ORIGIN),
                    method,
                    rule.rule,
                    value,
                )
    assert "unexpected" not in caplog.text


def fine(answer: Any, *about: Any) -> None:
    assert answer.status_code < 500, (about, answer.status_code)
    text = "" if answer.content_encoding else answer.get_data(as_text=True)
    if answer.status_code >= 400:
        assert not INSIDES.search(text), (about, text[:300])
    if answer.mimetype == "text/html":
        assert not Loose(text).bad, (about, Loose(text).bad)


def test_numbers_in_addresses_are_plain_digits(make, town) -> None:
    for limit in ("1_0", " 5", "٣", "５", "1e2", "-1", "+1", "0", "501", "9" * 5000):
        answer = town.doctor.get("/api/sync/pull", query_string={"limit": limit})
        assert answer.status_code == 422, limit
        assert answer.get_json()["errors"][0]["pointer"] == "/limit"
    for revision in ("0", "-1", "01", "1_0", "١", "99999999999", "0000000000019" + "9" * 5000, ""):
        answer = town.doctor.get(f"/api/patients/{town.patient}", query_string={"revision": revision})
        assert answer.status_code in (404, 422), revision


def test_every_form_of_every_page_survives_every_text(app, make, town, caplog) -> None:
    """The fields are those of the page's own form; two take a text in turn, then all take it at once."""
    app.config["SMS_SIGN_IN"] = True
    order, done, visit = town.order(), town.bring_to("done"), Bases(town).visit()
    on = [
        (app.test_client(), "/sign-in"),
        (app.test_client(), "/sign-in/sms"),
        (town.doctor, "/me/password"),
        (town.doctor, "/me/two-step"),
        (town.doctor, "/patients/new"),
        (town.doctor, f"/patients/{town.patient}"),
        (town.doctor, f"/patients/{town.patient}/edit"),
        (town.family, "/orders/new"),
        (town.village, f"/orders/{order}"),
        (town.family, f"/orders/{done}"),
        (town.doctor, f"/visits/{visit}/correct"),
        (town.doctor, "/me"),
        (town.doctor, "/notices"),
        (town.doctor, "/handover"),
        *((town.doctor, f"/visits/new/{form}?patient={town.patient}") for form in sheets.SHEETS),
        (town.family, "/family/bind"),
        (app.test_client(), "/sign-in/join"),
        (waiting_for_a_code(app, town.doctor, make.patient()), "/sign-in/join/code"),
        (town.doctor, f"/patients/{town.patient}/family"),
        (town.doctor, f"/patients/{town.patient}/copy"),
        (town.doctor, f"/patients/{town.patient}/rights"),  # last: its last form may restrict the record
    ]
    texts = (
        hostile.POSTED
        if "sqlite" in app.config["SQLALCHEMY_DATABASE_URI"]
        else ["\x00", hostile.LONG, "\uffff"]
    )
    posted = 0
    for number, (client, url) in enumerate(on):
        page = client.get(url)
        assert page.status_code == 200, url
        for action, fields in hostile.Names(page.get_data(as_text=True)).found.items():
            if action in ("", "/sign-out", "/me/care-mode") or "/devices/" in action:
                continue
            for turn, text in enumerate(texts[number % 3 :: 3] if len(texts) > 3 else texts):
                names = list(fields)
                for name in {names[(2 * turn + k) % len(names)] for k in (0, 1)}:
                    answer = client.post(action, data={**fields, name: text}, headers=SAME_ORIGIN)
                    fine(answer, action, name, text)
                    posted += 1
                fine(client.post(action, data=dict.fromkeys(fields, text), headers=SAME_ORIGIN), action, text)
    assert posted > 20
    assert "unexpected" not in caplog.text
    log_tells_nothing(caplog)


def waiting_for_a_code(app: Flask, doctor: FlaskClient, patient: str) -> FlaskClient:
    """Somebody who joins, and is to prove their number."""
    url = f"/patients/{patient}/family/invitations"
    page = doctor.post(url, data={"said_by": "本人"}, headers=SAME_ORIGIN).get_data(as_text=True)
    code = page.partition('id="binding-code">')[2].partition("<")[0]
    form = {"code": code, "name": "王小梅", "phone": "13812345678", "relation": "姑姑"}
    client = app.test_client()
    assert client.post("/sign-in/join", data=form, headers=SAME_ORIGIN).status_code == 303
    return client


def test_bodies_that_are_not_what_they_say(app, make, town) -> None:
    doctor = town.doctor
    for url in ("/orders", "/patients", "/visits", f"/patients/{town.patient}", "/sign-in"):
        for body, kind, wanted in (
            (b"", "multipart/form-data", None),
            (b"xx", "multipart/form-data; boundary=a", None),
            (b'--a\r\nContent-Disposition: form-data; name="note"; filename="x"\r\n\r\nzz\r\n--a--\r\n',
             "multipart/form-data; boundary=a", None),
            (b"\xff\xfe=%ff&%", "application/x-www-form-urlencoded; charset=utf-16", None),
            (b"{}", "application/json", None),
            (b"note=" + b"a" * 600_000, "application/x-www-form-urlencoded", 413),
            (b"x" * 3_000_000, "application/x-www-form-urlencoded", 413),
        ):  # fmt: skip
            answer = doctor.post(url, data=body, content_type=kind, headers=SAME_ORIGIN)
            fine(answer, url, kind)
            assert wanted in (None, answer.status_code), (url, kind, answer.status_code)


BODIES = [
    b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000, b"\xef\xbb\xbf{}",
    b'{"sent_at":NaN,"ops":[NaN]}', b'{"ops":{},"sent_at":"2026-06-01T09:00:00Z"}',
    b'{"sent_at":"2026-06-01T09:00:00Z","ops":[{}],"ops":[{}]}',
    b'{"sent_at":"2026-06-01T09:00:00Z","sent_at":"2026-06-01T09:00:00Z","ops":[{}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:30].decode("latin-1"))
@ONLY_SQLITE
def test_broken_json_is_refused_as_a_whole(make, town, body, database_url) -> None:
    for url in ("/api/sync/push", "/api/sync/sealed", "/api/auth/login"):
        for encoding in ("identity", "gzip", "deflate", "gzip, gzip"):
            data = gzip.compress(body) if encoding == "gzip" else body
            answer = town.doctor.post(
                url, data=data, headers={"Content-Type": "application/json", "Content-Encoding": encoding}
            )
            assert answer.status_code in (400, 415, 422), (url, encoding, answer.status_code)
            assert answer.mimetype == "application/problem+json"
            fine(answer, url, encoding)


@ONLY_SQLITE
def test_a_small_body_that_inflates_to_a_huge_one_is_cut_off(make, town, database_url) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert town.doctor.post("/api/sync/push", data=bomb, headers=headers).status_code == 413


@ONLY_SQLITE
def test_odd_items_in_a_batch_are_answered_one_by_one(make, town, database_url) -> None:
    good = hostile.dumps(make.op(town.family, "order.create", town.wish()))
    items = [
        "null",
        "1",
        '"x"',
        "[]",
        "{}",
        "NaN",
        '{"op_id":{}}',
        '{"op_id":"\\ud800"}',
        '{"a":1,"a":2}',
        good,
    ]
    sent_at = clock.local(clock.now()).isoformat(timespec="seconds")
    body = f'{{"sent_at":"{sent_at}","ops":[{",".join(items)}]}}'.encode()
    answer = hostile.post_json(town.family, "/api/sync/push", body)
    assert [r["status"] for r in answer.get_json()["results"]] == ["rejected"] * 9 + ["applied"]


@ONLY_SQLITE
def test_every_hostile_member_of_a_sealed_entry_is_refused_by_name(make, town, caplog, database_url) -> None:
    """Nothing of it is opened to somebody else, nothing comes back, nothing is kept."""
    key = town.family.get("/api/auth/me").get_json()["seal"]
    entry = sealed(key, make.op(town.family, "order.create", town.wish()))
    before = hostile.counts(town.app)
    for name in (*entry, "more"):
        results = post_sealed(town.family, [{**entry, name: value} for value in hostile.EVERYTHING])
        for value, result in zip(hostile.EVERYTHING, results, strict=True):
            assert result["status"] == "rejected" and hostile.in_chinese(result), (name, value, result)
            if result["code"] == "invalid":
                assert [e["pointer"].split("/")[1] for e in result["errors"]][:1] == [name], (value, result)
            else:
                assert (name, result["code"]) in (
                    ("data", "cannot_open"), ("author_id", "author_mismatch"), ("key_id", "cannot_open")
                ), (value, result)  # fmt: skip
            assert "op" not in result
    assert hostile.counts(town.app) == before
    log_tells_nothing(caplog)


@ONLY_SQLITE
def test_every_hostile_thing_sealed_is_answered_as_if_it_came_open(make, town, caplog, database_url) -> None:
    key = town.family.get("/api/auth/me").get_json()["seal"]
    for name in ("device_id", "kind", "recorded_at", "payload", "base_revision", "replaces", "more"):
        ops = [{**make.op(town.family, "order.create", town.wish()), name: v} for v in hostile.SOME]
        entries = []
        for op in ops:
            data = seal_bytes(key, b"\x01" + gzip.compress(hostile.dumps(op).encode()))
            entries.append({**sealed(key, {**op, name: None}), "data": data})
        plain, shut = hostile.push(town.family, ops), post_sealed(town.family, entries)
        for value, one, other in zip(hostile.SOME, plain, shut, strict=True):
            if one["status"] == "applied":
                one = {**one, "status": "duplicate"}
            other.pop("op", None)
            assert one == other, (name, value)
    log_tells_nothing(caplog)


def post_sealed(client: FlaskClient, entries: list[Any]) -> list[Any]:
    sent_at = clock.local(clock.now()).isoformat(timespec="seconds")
    results: list[Any] = []
    for start in range(0, len(entries), 100):
        body = {"sent_at": sent_at, "sealed": entries[start : start + 100], "echo": True}
        answer = hostile.post_json(client, "/api/sync/sealed", body)
        fine(answer, "/api/sync/sealed", start)
        assert answer.status_code == 200, answer.get_data(as_text=True)[:500]
        results += answer.get_json()["results"]
    return results


@ONLY_SQLITE
def test_signing_in_refuses_every_hostile_value_by_name(app, make, caplog, database_url) -> None:
    client = app.test_client()
    for name in ("username", "password", "device_id", "device_name", "otp"):
        values = (
            hostile.EVERYTHING if name == "device_id" else hostile.SOME
        )  # no argon2 where the shape is wrong
        for value in values:
            body = {"username": "", "password": "p", "device_id": "d", name: value}
            answer = hostile.post_json(client, "/api/auth/login", body)
            fine(answer, name, value)
            assert answer.status_code in (401, 422), (name, value)
            for error in answer.get_json().get("errors", []):
                assert hostile.CHINESE.match(error["message"]), (name, value, error)
    log_tells_nothing(caplog)


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "", "http://localhost@evil.example", "http://evil.example/localhost"]
)
@ONLY_SQLITE
def test_odd_origins_are_refused_not_stumbled_over(make, town, origin, database_url) -> None:
    assert town.doctor.post("/sign-out", headers={"Origin": origin}).status_code == 403
    assert town.doctor.get("/api/auth/me").status_code == 200


HEADERS = [
    {"Sec-Fetch-Site": "garbage"},
    {"Cookie": "session=" + "x" * 9000},
    {"Cookie": "session=;;;=;\x01"},
    {"HX-Request": "true", "HX-Boosted": "x", "HX-Target": '"<script>'},
    {"X-HTTP-Method-Override": "DELETE"},
    {"User-Agent": "MicroMessenger" * 500},
    {"Accept": "*/*;q=x", "Accept-Encoding": "gzip;q=abc, x;q=999"},
    {"Range": "bytes=999-1"},
    {"If-None-Match": '"', "If-Modified-Since": "x"},
    {"X-Forwarded-For": "'", "X-Forwarded-Host": "evil.example"},
    {"Host": "evil.example"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: next(iter(headers)))
@ONLY_SQLITE
def test_odd_headers_and_methods_are_survived(app, make, town, headers, database_url) -> None:
    for asked in (
        "GET /today", "GET /api/auth/me", "GET /static/css/base.css", "POST /orders", "HEAD /today",
        "OPTIONS /today", "TRACE /today", "FOO /api/auth/me", "PUT /api/sync/push",
        f"DELETE /patients/{town.patient}",
    ):  # fmt: skip
        method, url = asked.split(" ")
        answer = town.doctor.open(url, method=method, headers=headers)
        fine(answer, method, url)
        assert "evil.example" not in str(answer.headers)
    assert town.doctor.get(f"/api/patients/{town.patient}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fwsgi.py", "/static/%2e%2e/wsgi.py",
     "/static/%00", "/%ff", "/sw/..%2fapp.js", "/sw/%2e%2e.js", f"/sw/{'x' * 5000}.js", f"/static/{'x' * 5000}",
     "/.git/config", "/api//auth/me", "/today/", "/TODAY"],
)  # fmt: skip
@ONLY_SQLITE
def test_no_path_leads_out_of_the_house(make, town, path, database_url) -> None:
    answer = town.doctor.get(path)
    assert answer.status_code in (301, 308, 404), answer.status_code
    assert "root:" not in answer.get_data(as_text=True)
    if answer.status_code != 404:
        assert answer.headers["Location"].startswith(("/", "http://localhost/"))


@ONLY_SQLITE
def test_signing_in_again_ends_the_session_before(make, database_url) -> None:
    """Also when a stranger had planted their own cookie: what they know is worth nothing afterwards."""
    client = make.signed_in("doctor")
    planted = client.get_cookie("session").value
    body = {"username": client.username, "password": "correct-horse-7", "device_id": "d2"}
    assert client.post("/api/auth/login", json=body).status_code == 200
    assert client.get_cookie("session").value != planted
    assert client.get("/api/auth/me").status_code == 200
    stranger = make.app.test_client()
    stranger.set_cookie("session", planted)
    assert stranger.get("/api/auth/me").status_code == 401


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@ONLY_SQLITE
def test_any_json_as_payload_gets_an_answer_of_its_own(app, make, town, database_url) -> None:
    clients = {"family": town.family, "doctor": town.doctor}

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(sorted(kinds)), ANY_JSON, ANY_JSON), min_size=1, max_size=8))
    def run(drawn: list[tuple[str, Any, Any]]) -> None:
        client = clients["family" if drawn[0][0].startswith("order") else "doctor"]
        ops = []
        for kind, payload, answers in drawn:
            ops.append(make.op(client, kind, payload, base_revision=1))
            ops.append(make.op(client, "visit.create", {**sheets.payload(town.patient), "answers": answers}))
        for result in hostile.push(client, ops):
            assert result["status"] == "rejected", result
            assert result["op_id"] and hostile.in_chinese(result), result

    run()
    with app.app_context():
        assert not db.session.scalar(db.select(Revision).where(Revision.kind == "visit.create"))
