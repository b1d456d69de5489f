"""Lists are rendered once for all who see the same people: never an old one, never with others on it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

from app.accounts.models import User
from app.extensions import db, writing
from app.plans import pages
from app.shared import clock
from app.sync import feed
from tests.app.visits.sheets import payload
from tests.factories import OTHER_TOWN

LISTS = ("/today", "/patients")


@contextmanager
def by_hand(app):
    with app.app_context():
        token = writing.set(True)
        yield
        db.session.commit()
        writing.reset(token)


@pytest.fixture
def rendering(monkeypatch):
    """The places of the lists that are rendered from here on."""
    seen: list[str] = []
    really = pages.html

    def counted(user, place, *given):
        seen.append(f"/{place}")
        return really(user, place, *given)

    monkeypatch.setattr(pages, "html", counted)
    return seen


def shown(client, url):
    with client.get(url) as answer:
        assert answer.status_code == 200, url
        return answer.get_data(as_text=True)


def both(client):
    return [shown(client, url) for url in LISTS]


def test_a_list_is_rendered_once_for_a_team_and_names_whoever_reads(make, rendering):
    first, second = make.signed_in("doctor"), make.signed_in(make.user("doctor", name="<白医生>"))
    make.patient(name="张秀兰")
    mine, theirs = both(first), both(second)
    assert rendering == list(LISTS)
    for old, new in zip(mine, theirs, strict=True):
        assert "张秀兰" in new and "<白医生>" not in new and "&lt;白医生&gt;" in new
        assert first.user_id not in new and second.user_id in new and "\0" not in old + new
    assert theirs == both(second)


def test_somebody_new_and_somebody_visited_make_it_old(make, rendering):
    doctor = make.signed_in("doctor")
    patient = make.patient(name="张秀兰", conditions=["hypertension"])
    both(doctor)
    make.patient(name="李桂芳")
    assert all("李桂芳" in html for html in both(doctor))
    before = both(doctor)
    make.push(doctor, make.op(doctor, "visit.create", payload(patient, "hypertension")))
    after = both(doctor)
    assert len(rendering) == 6 and before != after


def test_who_leaves_is_gone_at_once(make):
    doctor, manager = make.signed_in("doctor"), make.signed_in("manager")
    for name in ("张秀兰", "李桂芳", "赵大山"):
        make.patient(name=name)
    patient = make.patient(name="钱守义")
    assert all("钱守义" in html for html in both(doctor))
    given = {"asked_by": "本人", "reason": "本人要求"}
    ours = {"Sec-Fetch-Site": "same-origin"}
    assert manager.post(f"/patients/{patient}/restriction", data=given, headers=ours).status_code < 400
    assert all("钱守义" not in html and "张秀兰" in html for html in both(doctor))


def test_tomorrow_it_is_another(make, rendering, monkeypatch):
    doctor = make.signed_in("doctor")
    make.patient(conditions=["hypertension"])
    shown(doctor, "/today")
    moment = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: moment)
    html = shown(doctor, "/today")
    assert len(rendering) == 2 and f'datetime="{clock.today().isoformat()}"' in html


def test_those_who_see_others_get_their_own(app, make, rendering):
    doctor, nurse, manager = (make.signed_in(role) for role in ("doctor", "nurse", "manager"))
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    make.patient(name="张秀兰")
    for one in (doctor, nurse, manager):
        assert "张秀兰" in shown(one, "/patients")
    assert "张秀兰" not in shown(stranger, "/patients")
    assert len(rendering) == 4
    with by_hand(app):
        moved, left = (db.session.get_one(User, one.user_id) for one in (doctor, stranger))
        moved.team_id, moved.place_code = left.team_id, left.place_code
    assert "张秀兰" not in shown(doctor, "/patients")


def test_a_choice_is_made_for_whoever_asks(make, rendering):
    doctor = make.signed_in("doctor")
    make.patient(name="张秀兰")
    for url in ("/patients?q=zxl", "/today?state=all", "/patients?find=1", "/today?whole=1"):
        shown(doctor, url)
    assert not rendering


def test_a_database_that_came_back_keeps_no_list(app, make, rendering):
    doctor = make.signed_in("doctor")
    make.patient()
    shown(doctor, "/patients")
    with by_hand(app):
        feed.begin_anew(db.session.connection())
    shown(doctor, "/patients")
    assert len(rendering) == 2
