"""/family: plain words, one card a person, what is theirs and nothing else."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.extensions import db, writing
from app.observations import service as observations
from app.patients.models import Patient
from app.plans import service as plans
from app.shared import clock
from tests.app.orders.town import Town
from tests.factories import Factory, days_ago
from tests.worlds import Begin


@pytest.fixture
def town(begin: Begin) -> Town:
    return begin(Town)


def measured(app: Flask, patient_id: str, **changes: object) -> None:
    """Two raised readings, and the grade they make."""
    with app.app_context():
        token = writing.set(True)
        patient = db.session.get_one(Patient, patient_id)
        for name, value in changes.items():
            setattr(patient, name, value)
        for days, sbp, dbp in ((30, 150, 86), (5, 152, 88)):
            reading = {"code": "bp", "value": {"sbp": sbp, "dbp": dbp}, "unit": "mmHg"}
            observations.write(observations.rows(None, patient_id, days_ago(days), [reading]))
        plans.refresh(patient, cause="patient")
        db.session.commit()
        writing.reset(token)


def words_of(html: str) -> str:
    """What a person can read."""
    html = re.sub(r"<(script|template|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("<body", 1)[1]))


def test_the_home_says_in_plain_words_how_mother_is(app: Flask, town: Town) -> None:
    measured(app, town.patient, conditions=["hypertension"], conditions_on=days_ago(5))
    html = town.family.get("/family").get_data(as_text=True)
    words = words_of(html)
    assert "妈妈" in words
    assert "血压" in words
    assert "152/88" in words
    assert "150/86" not in words
    assert "给妈妈点服务" in words
    assert 'href="tel:120"' in html
    assert not re.search(r"\b[A-Z]{2,}_[A-Z_]+\b", html)
    assert "hypertension" not in html
    assert "高血压" not in words


def test_reasons_kept_from_relatives_are_nowhere_in_the_page(app: Flask, town: Town) -> None:
    measured(
        app, town.patient, hospice=True, conditions=["dementia"], conditions_on=days_ago(5), lives_alone=True
    )
    html = town.family.get("/family").get_data(as_text=True)
    for hidden in ("安宁", "轻生", "认知", "失智", "痴呆", "HOSPICE", "DEMENTIA", "dementia", "hospice"):
        assert hidden not in re.sub(r'"services":.*?\}', "", html)


def test_each_bound_person_has_a_card_and_others_have_none(app: Flask, make: Factory, town: Town) -> None:
    father = make.patient(name="安长福", sex="1")
    stranger = make.patient(name="路人甲")
    make.bind(town.family.username, father, "爸爸")
    html = town.family.get("/family").get_data(as_text=True)
    assert html.count("data-person=") == 2
    assert "爸爸" in html
    assert stranger not in html
    assert "路人甲" not in html
    new = town.family.get(f"/orders/new?patient={father}").get_data(as_text=True)
    assert "给爸爸点服务" in new


def test_orders_stand_on_the_home_in_the_familys_words(town: Town) -> None:
    order_id = town.bring_to("scheduled")
    html = town.family.get("/family").get_data(as_text=True)
    assert f'id="record-{order_id}"' in html
    assert "已预约" in words_of(html)
    assert "已排班" not in words_of(html)


def test_a_relative_bound_to_nobody_is_told_how(make: Factory) -> None:
    client = make.signed_in("family")
    assert "还没有绑定老人" in client.get("/family").get_data(as_text=True)
    assert "没有可以代点的老人" in client.get("/orders/new").get_data(as_text=True)


def test_the_home_is_for_relatives_only(make: Factory) -> None:
    assert make.signed_in("village").get("/family").status_code == 403


def test_a_new_measurement_makes_the_stored_home_old(app: Flask, town: Town) -> None:
    before = town.family.get("/family").headers["X-Page-Rev"]
    assert town.family.get("/family").headers["X-Page-Rev"] == before
    measured(app, town.patient, conditions=["hypertension"], conditions_on=clock.today())
    assert town.family.get("/family").headers["X-Page-Rev"] != before
