"""What pages may cost: bytes and statements, counted. Time is measured elsewhere (bench/)."""

from __future__ import annotations

import json
from contextlib import contextmanager

import brotli
import pytest
from sqlalchemy import event, insert

from app.demo import reset as demo
from app.extensions import db, writing
from app.patients.models import Patient
from app.pwa.squeeze import BROTLI
from app.shared.ids import new_id
from app.sync import feed
from app.sync.models import Touch
from tests.app.visits.sheets import payload

PEOPLE = 600
PATIENT_BYTES = 16_500  # of a page with ten visits and a year of readings; 20 KB with three curves
PATIENT_WIRE_BYTES = 260  # of one more such page in the pack
LIST_BYTES = 60_000  # of 600 people
UNCHANGED_BYTES = 1024
FIRST_LIST_BYTES = 3000  # the list after the door, as brotli sends it
DOOR = {"Referer": "http://localhost/sign-in", "Accept-Encoding": "gzip, br"}


@contextmanager
def counted(app):
    """The statements that take place meanwhile."""
    seen: list[str] = []

    def listener(*given):
        seen.append(given[2])

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", listener)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", listener)


def fetch(client, cursor=""):
    body = client.get("/api/pack", query_string={"cursor": cursor}).get_data()
    lines = [json.loads(line) for line in body.splitlines()]
    return body, [line["url"] for line in lines if line["t"] == "page"], lines[-1]["cursor"]


@pytest.fixture
def doctor(app, make):
    """Somebody with 600 people."""
    client = make.signed_in("doctor")
    pattern_id = make.patient(conditions=["hypertension"])
    with app.app_context():
        token = writing.set(True)
        pattern = db.session.get_one(Patient, pattern_id)
        columns = {c.key: getattr(pattern, c.key) for c in Patient.__mapper__.column_attrs}
        rows = [{**columns, "id": new_id(), "id_card_index": f"{n:064d}"} for n in range(PEOPLE - 1)]
        db.session.execute(insert(Patient), rows)
        seq = feed.take(len(rows))
        db.session.execute(insert(Touch), [{"patient_id": row["id"], "seq": seq} for row in rows])
        db.session.commit()
        writing.reset(token)
    client.people = [row["id"] for row in rows]
    return client


def test_a_pack_of_six_hundred_costs_as_many_statements_as_one_of_a_few(app, doctor):
    with counted(app) as first:
        _, urls, cursor = fetch(doctor)
    assert sum(url.startswith("/patients/") for url in urls) >= PEOPLE
    with counted(app) as again:
        fetch(doctor)
    with counted(app) as unchanged:
        body, urls, _ = fetch(doctor, cursor)
    assert not urls and len(body) < UNCHANGED_BYTES
    assert (len(first) < 110, len(again) < 45, len(unchanged) < 22) == (True, True, True), (
        len(first), len(again), len(unchanged),
    )  # fmt: skip


def test_a_delta_costs_what_changed(app, make, doctor):
    _, _, cursor = fetch(doctor)
    changed = sorted(doctor.people[100:400:100])
    for patient in changed:
        op = make.op(doctor, "visit.create", payload(patient, "hypertension"))
        assert make.push(doctor, op)[0]["status"] == "applied"
    with counted(app) as seen:
        body, urls, _ = fetch(doctor, cursor)
    people = sorted(url.rpartition("/")[2] for url in urls if url.startswith("/patients/"))
    assert [one for one in people if one in doctor.people] == changed
    assert len(urls) <= len(changed) + 4, "the two lists, and what is about orders"
    assert len(seen) < 50, len(seen)
    assert len(body) < 2 * LIST_BYTES + len(changed) * PATIENT_BYTES + 20_000


def test_the_list_of_six_hundred_is_small(app, doctor):
    for url in ("/today", "/patients"):
        with counted(app) as seen:
            html = doctor.get(url).get_data()
        assert len(html) < LIST_BYTES, url
        assert len(seen) < 12, (url, seen)
        doctor.get(url).close()
        with counted(app) as kept:
            assert doctor.get(url).get_data() == html
        assert len(kept) <= 5, (url, kept)


def test_the_first_list_after_the_door_does_not_grow_with_the_people(app, doctor):
    for url in ("/today", "/patients"):
        first = doctor.get(url, headers=DOOR).get_data()
        assert len(first) < FIRST_LIST_BYTES, (url, len(first))


def test_the_page_of_one_person_is_asked_for_in_a_few_statements(app, doctor):
    url = f"/patients/{doctor.people[7]}"
    doctor.get(url)
    with counted(app) as rendering:
        doctor.get(url)
    fetch(doctor)
    with counted(app) as kept:
        doctor.get(url)
    # Who asks, the page, the line of the audit; and on SQLite what begins each transaction.
    assert (len(rendering) < 18, len(kept) <= 5) == (True, True), (rendering, kept)


def test_a_family_s_home_costs_no_more_with_more_relatives(app, make):
    client = make.signed_in("family")
    counts = []
    for _ in range(3):
        make.bind(client.username, make.patient())
        client.get("/family")
        with counted(app) as seen:
            client.get("/family")
        counts.append(len(seen))
    assert counts[2] <= counts[1] < 45, counts


def test_a_patient_page_is_lean_and_the_next_one_almost_free(app):
    with app.app_context():
        token = writing.set(True)
        demo.reset(small=True)
        writing.reset(token)
    client = app.test_client()
    login = {"username": "doctor1", "password": "doctor1-demo", "device_id": "phone"}
    assert client.post("/api/auth/login", json=login).status_code == 200
    body, _, _ = fetch(client)
    lines = body.splitlines(keepends=True)
    pages = {n: json.loads(line)["html"] for n, line in enumerate(lines) if b'"url":"/patients/' in line[:60]}
    pages = {n: html for n, html in pages.items() if 'id="patient-data"' in html}
    sizes = [len(html.encode()) for html in pages.values()]
    assert len(sizes) > 5 and sum(sizes) / len(sizes) < PATIENT_BYTES, sizes
    rest = b"".join(line for n, line in enumerate(lines) if n not in list(pages)[2:])
    more = len(brotli.compress(body, **BROTLI)) - len(brotli.compress(rest, **BROTLI))
    assert more / (len(pages) - 2) < 2 * PATIENT_WIRE_BYTES, "among a dozen there is less to refer to"
