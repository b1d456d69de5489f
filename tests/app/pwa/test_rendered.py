"""Pages are rendered once and kept: never an old one, never for another reader, never in anybody's way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import NullPool, create_engine, func, select

from app.accounts.models import User
from app.chart import pages as chart
from app.extensions import db, writing
from app.patients.models import Patient
from app.pwa import pack, rendered
from app.pwa.models import RenderedPage
from app.shared import clock
from app.sync import feed
from tests.app.visits.sheets import payload
from tests.factories import OTHER_TOWN


def pack_of(client, cursor=""):
    lines = client.get("/api/pack", query_string={"cursor": cursor}).get_data(as_text=True).splitlines()
    found = [json.loads(line) for line in lines]
    return {line["url"]: line["html"] for line in found if line["t"] == "page"}, found[-1]["cursor"]


@pytest.fixture
def rendering(monkeypatch):
    """The ids of the patients whose page is rendered from here on."""
    seen: list[str] = []
    really = chart.html

    def counted(view, *given, **more):
        seen.append(view.patient.id)
        return really(view, *given, **more)

    monkeypatch.setattr(chart, "html", counted)
    return seen


@contextmanager
def by_hand(app):
    """What no operation does."""
    with app.app_context():
        token = writing.set(True)
        yield
        db.session.commit()
        writing.reset(token)


def kept(app) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(RenderedPage)) or 0


def visit(make, client, patient):
    result = make.push(client, make.op(client, "visit.create", payload(patient, "hypertension")))[0]
    assert result["status"] == "applied", result


def test_a_page_is_rendered_once_for_a_team(app, make, rendering):
    first, second = make.signed_in("doctor"), make.signed_in("doctor")
    patients = {make.patient() for _ in range(3)}
    mine, _ = pack_of(first)
    assert sorted(rendering) == sorted(patients) and kept(app) == 3
    theirs, _ = pack_of(second)
    online = {f"/patients/{one}": second.get(f"/patients/{one}").get_data(as_text=True) for one in patients}
    assert len(rendering) == 3, "the pack and the page of a colleague are what was kept"
    for url, html in online.items():
        assert theirs[url] == html
        assert html == mine[url].replace(first.user_id, second.user_id)


def test_a_page_that_was_asked_for_by_itself_is_kept_too(app, make, rendering):
    first, second = make.signed_in("doctor"), make.signed_in("doctor")
    patient = make.patient()
    answer = first.get(f"/patients/{patient}")
    mine = answer.get_data(as_text=True)
    assert (rendering, kept(app)) == ([patient], 0), "nobody waits for it"
    answer.close()
    assert kept(app) == 1
    theirs = second.get(f"/patients/{patient}").get_data(as_text=True)
    assert mine == theirs.replace(second.user_id, first.user_id)
    assert pack_of(first)[0][f"/patients/{patient}"] == mine
    assert len(rendering) == 1


@pytest.fixture
def waiting(monkeypatch):
    """Is set once somebody waits for a page that another thread is rendering."""
    begun, made_by = Event(), rendered._made_by

    def waits(other):
        begun.set()
        return made_by(other)

    monkeypatch.setattr(rendered, "_made_by", waits)
    return begun


def test_who_asks_for_a_page_that_is_being_rendered_waits_for_it(app, make, rendering, monkeypatch, waiting):
    doctor, colleague, nurse = (make.signed_in(role) for role in ("doctor", "doctor", "nurse"))
    url = f"/patients/{make.patient()}"
    begun, really = Event(), chart.context

    def slowly(*given):
        begun.set()
        assert waiting.wait(30)
        return really(*given)

    monkeypatch.setattr(chart, "context", slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(doctor.get, url)
        assert begun.wait(30)
        second = threads.submit(colleague.get, url)
        answers = [first.result().get_data(as_text=True), second.result().get_data(as_text=True)]
    assert len(rendering) == 1
    assert doctor.user_id in answers[0] and colleague.user_id in answers[1]
    assert colleague.user_id not in answers[0] and doctor.user_id not in answers[1]
    assert nurse.get(url).status_code == 200 and len(rendering) == 2, "another kind of reader"


def test_if_it_cannot_be_rendered_who_waits_for_it_tries_too(app, make, monkeypatch, waiting):
    doctor, colleague = make.signed_in("doctor"), make.signed_in("doctor")
    url = f"/patients/{make.patient()}"
    begun, really = Event(), chart.context

    def fails(*given):
        if begun.is_set():
            return really(*given)
        begun.set()
        assert waiting.wait(30)
        raise ZeroDivisionError

    monkeypatch.setattr(chart, "context", fails)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(doctor.get, url)
        assert begun.wait(30)
        second = threads.submit(colleague.get, url)
        assert (first.result().status_code, second.result().status_code) == (500, 200)
    assert not rendered._under_way


def test_the_frame_names_whoever_reads_and_escapes_it(app, make, rendering):
    patient = make.patient(name="张秀兰")
    plain, odd = make.signed_in("doctor"), make.signed_in(make.user("doctor", name='"><b>\\1&'))
    pack_of(plain)
    html = odd.get(f"/patients/{patient}").get_data(as_text=True)
    assert len(rendering) == 1
    assert f'data-user="{odd.user_id}" data-role="doctor" data-name="&#34;&gt;&lt;b&gt;\\1&amp;"' in html
    assert plain.user_id not in html and "\0" not in html


@pytest.mark.parametrize("role", ["nurse", "village", "manager"])
def test_another_kind_of_reader_gets_a_page_of_their_own(make, rendering, role):
    patient = make.patient()
    pack_of(make.signed_in("doctor"))
    html = make.signed_in(role).get(f"/patients/{patient}").get_data(as_text=True)
    assert len(rendering) == 2 and f'data-role="{role}"' in html
    assert ('href="?to=edit"' in html) is (role != "manager")


def test_large_type_is_a_kind_of_its_own(app, make, rendering):
    doctor = make.signed_in("doctor")
    patient = make.patient()
    pack_of(doctor)
    with by_hand(app):
        db.session.get_one(User, doctor.user_id).care_mode = True
    assert 'lang="zh-CN" data-care>' in doctor.get(f"/patients/{patient}").get_data(as_text=True)


def test_what_is_kept_opens_no_door(app, make):
    doctor = make.signed_in("doctor")
    patient = make.patient(name="张秀兰")
    pack_of(doctor)
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    assert stranger.get(f"/patients/{patient}").status_code == 404
    assert f"/patients/{patient}" not in pack_of(stranger)[0]
    with by_hand(app):
        db.session.get_one(Patient, patient).restricted_at = clock.now()
    assert doctor.get(f"/patients/{patient}").headers["Location"] == f"/patients/{patient}/restricted"
    assert f"/patients/{patient}" not in pack_of(doctor)[0]


def test_whatever_touches_a_patient_makes_the_kept_page_old(app, make, rendering):
    doctor = make.signed_in("doctor")
    patient, other = make.patient(conditions=["hypertension"]), make.patient()
    _, cursor = pack_of(doctor)
    visit(make, doctor, patient)
    rendering.clear()
    delta, _ = pack_of(doctor, cursor)
    assert rendering == [patient] and "132/78" in delta[f"/patients/{patient}"]
    assert "132/78" in doctor.get(f"/patients/{patient}").get_data(as_text=True)
    assert other not in rendering and kept(app) == 2, "the new page takes the place of the old one"


def test_a_birthday_makes_it_old_and_another_day_does_not(make, rendering, monkeypatch):
    doctor = make.signed_in("doctor")
    soon = clock.today() + timedelta(days=3)
    patient = make.patient(birth=f"1952{soon:%m%d}")  # a leap year
    pack_of(doctor)
    now, really = clock.now(), len(rendering)
    for days, more in ((1, 0), (4, 1)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        doctor.get(f"/patients/{patient}")
        assert len(rendering) == really + more, days


def test_a_database_that_came_back_keeps_nothing(app, make, rendering):
    """Feed numbers are given again after a restore, for other contents."""
    doctor = make.signed_in("doctor")
    patient = make.patient()
    pack_of(doctor)
    with by_hand(app):
        feed.begin_anew(db.session.connection())
    doctor.get(f"/patients/{patient}")
    assert len(rendering) == 2


def test_what_changed_while_the_pack_was_made_is_not_kept(app, make, monkeypatch):
    """Its number may be newer than what the page was made from."""
    doctor = make.signed_in("doctor")
    make.patient()
    monkeypatch.setattr(pack.feed, "position", lambda: 0)
    assert pack_of(doctor)[0] and kept(app) == 0


def test_a_phone_that_hangs_up_finds_what_was_made_for_it(app, make, rendering):
    doctor = make.signed_in("doctor")
    for _ in range(3):
        make.patient()
    answer = doctor.get("/api/pack", buffered=False)
    for part in answer.response:
        if b'"/patients/' in part[:60] and b"/new" not in part[:60]:
            break
    answer.close()
    made = len(rendering)
    assert made == kept(app) > 0
    pack_of(doctor)
    assert len(rendering) == 3


def test_a_busy_database_is_left_alone(app, make, database_url, monkeypatch):
    doctor = make.signed_in("doctor")
    make.patient()
    held = "BEGIN IMMEDIATE" if database_url.startswith("sqlite") else "BEGIN; LOCK TABLE rendered_pages"
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    really = rendered.Shelf.keep

    def while_somebody_writes(shelf):
        with engine.connect() as other:
            other.connection.driver_connection.execute(held)
            try:
                really(shelf)
            finally:
                other.connection.driver_connection.execute("ROLLBACK")

    monkeypatch.setattr(rendered.Shelf, "keep", while_somebody_writes)
    assert pack_of(doctor)[0] and kept(app) == 0
    monkeypatch.setattr(rendered.Shelf, "keep", really)
    pack_of(doctor)
    assert kept(app) == 1


def test_pages_nobody_asks_for_any_more_are_thrown_away(app, make, monkeypatch):
    doctor = make.signed_in("doctor")
    make.patient()
    pack_of(doctor)
    with by_hand(app):
        assert rendered.forget_old() == 0
    monkeypatch.setattr(rendered, "build", lambda: "another")
    with by_hand(app):
        assert rendered.forget_old() == 1
    assert kept(app) == 0


def test_a_page_that_names_its_reader_elsewhere_is_not_kept():
    frame = f'<body data-user="{rendered.ID}" data-name="{rendered.NAME}">'
    for named in ("<p>", rendered.NAME):
        assert rendered.fold(frame + named) is not None
    for odd in (rendered.ID, "\0", "\0x"):
        assert rendered.fold(frame + odd) is None
    assert rendered.fold("<p>nobody</p>") is None
