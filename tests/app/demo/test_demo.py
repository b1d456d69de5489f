from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from app.accounts.models import User
from app.demo import reset as demo
from app.demo.accounts import ACCOUNTS, user
from app.demo.history import context, tell
from app.demo.people import STARS, everybody
from app.demo.profiles import PROFILES, spread
from app.encounters.models import Visit
from app.extensions import db, writing
from app.forms import engine
from app.grading import service as grading
from app.grading.models import CurrentGrade
from app.notices.models import SmsMessage
from app.orders.machine import machine
from app.orders.models import Order
from app.patients import identity, scope
from app.patients.models import Patient
from app.plans import listing, queries
from app.shared import clock
from app.sync.models import FeedHead, Revision, Touch
from tests.conftest import SECRET
from tests.factories import Factory

PACK_BYTES = 195_000


@pytest.fixture(scope="module")
def county(sqlite_template, tmp_path_factory) -> Flask:
    """The whole demo county, made once."""
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    shutil.copy(sqlite_template, path)
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": f"sqlite:///{path}"})
    with app.app_context():
        token = writing.set(True)
        assert demo.reset() == 780
        writing.reset(token)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_about_a_tenth_is_red_and_a_third_yellow(county):
    with county.app_context():
        doctor = user("doctor1")
        rows = queries.panel(doctor, clock.today())
        share = Counter(row.colour for row in rows)
        assert len(rows) == 600
        assert 48 <= share["red"] <= 78 and 150 <= share["yellow"] <= 220, share
        assert 4 <= share["unrated"] <= 24
        assert 2 <= sum(row.emergency for row in rows) <= 6


def test_the_list_of_today_is_a_full_but_possible_day(county):
    with county.app_context():
        rows = queries.panel(user("doctor1"), clock.today())
        counts = listing.state_counts(rows, clock.today())
    assert 12 <= counts["todo"] <= 20 and 4 <= counts["late"] <= 6 and counts["done"] == 3, counts


def test_the_pack_of_six_hundred_fits_its_budget(county):
    """Of people with two years of visits: what differs from page to page is what it costs."""
    client = county.test_client()
    login = {"username": "doctor1", "password": "doctor1-demo", "device_id": "phone"}
    assert client.post("/api/auth/login", json=login).status_code == 200
    answer = client.get("/api/pack", headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert answer.headers["Content-Encoding"] == "br"
    assert len(answer.get_data()) <= PACK_BYTES


def test_every_visit_of_the_history_is_one_the_forms_accept(county):
    today = clock.today()
    wrong: Counter[str] = Counter()
    with county.app_context():
        people = {patient.id: patient for patient in db.session.scalars(select(Patient))}
        for visit in db.session.scalars(select(Visit)):
            patient = people[visit.patient_id]
            judged = {
                "visited_on": visit.visited_on.isoformat(),
                "today": today.isoformat(),
                "birth_date": patient.birth_date.isoformat(),
                "sex": patient.sex,
                "conditions": patient.conditions,
                "next_visit_on": visit.next_visit_on.isoformat(),
            }
            wrong.update(
                f"{visit.form}{error['pointer']} {error['message']}"
                for error in engine.check(visit.form, visit.answers, judged).errors
            )
            assert visit.visited_on <= today
    assert wrong == {}


def test_grades_are_what_the_rules_say_today(county):
    with county.app_context():
        assert grading.regrade_stale() == []
        db.session.rollback()


def test_orders_stand_in_every_state_and_no_short_message_waits(county):
    with county.app_context():
        states = set(db.session.scalars(select(Order.state)))
        assert states == {state.key for state in machine().states.values() if state.active}
        assert set(db.session.scalars(select(SmsMessage.state))) <= {"sent"}


def test_the_feed_tells_everything_once_and_in_order(county):
    with county.app_context():
        seqs = list(db.session.scalars(select(Revision.seq).order_by(Revision.seq)))
        assert len(set(seqs)) == len(seqs)
        head = db.session.scalars(select(FeedHead)).one()
        assert head.seq >= max(seqs)
        assert db.session.scalar(select(func.count()).select_from(Touch)) == 780
        visits = db.session.scalar(select(func.count()).select_from(Visit))
        kinds = Counter(db.session.scalars(select(Revision.kind)))
        assert (kinds["visit.create"], kinds["patient.create"]) == (visits, 780)


def test_a_red_that_has_passed_waits_for_a_clinician(county):
    with county.app_context():
        waiting = list(
            db.session.scalars(select(CurrentGrade).where(CurrentGrade.proposed_colour.is_not(None)))
        )
        assert waiting and {grade.colour for grade in waiting} == {"red"}


def test_a_small_reset_has_every_account_and_somebody_for_each_to_try(app: Flask):
    tool = app.test_cli_runner()
    done = tool.invoke(args=["demo", "reset", "--small"])
    assert done.exit_code == 0, done.output
    told = json.loads(tool.invoke(args=["demo", "accounts", "--json"]).stdout)
    assert [one["username"] for one in told] == [account.username for account in ACCOUNTS]
    assert {"username", "password", "role", "id", "scope", "patient_id"} <= set(told[0])
    for one in told:
        assert (
            bool(one["patient_id"]) == (one["role"] not in ("supervisor", "admin"))
            or one["username"] == "provider2"
        )
    with app.app_context():
        for one in told:
            if one["role"] in ("family", "village", "doctor", "nurse", "manager"):
                scope.get(db.session.get_one(User, one["id"]), one["patient_id"])
    client = app.test_client()
    for name in (told[0]["username"], told[0]["phone"]):
        body = {"username": name, "password": told[0]["password"], "device_id": "d"}
        assert client.post("/api/auth/login", json=body).status_code == 200


def test_resetting_twice_gives_the_same_people(app: Flask):
    found = []
    for _ in range(2):
        assert app.test_cli_runner().invoke(args=["demo", "reset", "--small"]).exit_code == 0
        with app.app_context():
            rows = db.session.execute(
                select(Patient.id, Patient.name, Patient.birth_date).order_by(Patient.id)
            )
            colours = db.session.execute(select(CurrentGrade.patient_id, CurrentGrade.colour))
            found.append(([tuple(row) for row in rows], {row.patient_id: row.colour for row in colours}))
    assert found[0] == found[1]


def test_a_database_with_other_peoples_patients_is_not_emptied(app: Flask, make: Factory):
    make.patient()
    done = app.test_cli_runner().invoke(args=["demo", "reset", "--small"])
    assert done.exit_code == 1 and "--yes" in done.output
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Patient)) == 1
        assert not demo.is_demo()
    assert app.test_cli_runner().invoke(args=["demo", "reset", "--small", "--if-empty"]).exit_code == 0
    with app.app_context():
        assert not demo.is_demo()


def test_sign_ins_are_told_only_of_a_demo_database(app: Flask, make: Factory):
    make.user("doctor")
    done = app.test_cli_runner().invoke(args=["demo", "accounts"])
    assert done.exit_code == 1 and "demo reset" in done.output


def test_the_table_of_people_adds_up_to_600_and_every_group_gets_its_share():
    assert sum(profile.count for profile in PROFILES.values()) == 600
    assert Counter(spread(600)) == {key: profile.count for key, profile in PROFILES.items()}
    assert len(set(spread(60))) > 10


@pytest.mark.parametrize(
    "today", [date(2026, 11, 22), date(2028, 2, 29), date(2027, 3, 1), date(2026, 12, 31)]
)
def test_people_are_whole_and_told_apart_on_any_day(today):
    people = everybody(today)
    assert len({person.id_card for person in people}) == len({person.id for person in people}) == 780
    assert len({person.name for person in people}) == 780
    for person in people:
        card = identity.parse_id_card(person.id_card, today)
        assert (card.birth_date, card.sex) == (person.birth_date, person.sex)
        assert identity.parse_phone(person.phone) == person.phone
    ages = {person.name: identity.age_on(person.birth_date, today) for person in people}
    assert all(ages[star.name] == star.age for star in STARS)


def test_in_the_first_minutes_of_a_day_nobody_was_visited_in_the_future():
    just_after_midnight = (
        clock.now().astimezone(clock.LOCAL).replace(hour=0, minute=3, second=0, microsecond=0)
    )
    today = just_after_midnight.date()
    seen = [person for person in everybody(today) if person.due is None and not person.later][:3]
    assert seen
    for person in seen:
        story = tell(person, just_after_midnight)
        newest = story.visits[-1]
        assert newest.on == today and newest.at <= just_after_midnight
        assert newest.at >= just_after_midnight - timedelta(minutes=3)
        assert not engine.check(newest.form, newest.answers, context(person, newest.on, today)).errors
