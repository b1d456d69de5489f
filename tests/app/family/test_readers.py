"""谁看过档案: what the relatives are told of who read and changed the record."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from app.accounts.models import AuditLine
from app.extensions import db
from app.shared import clock
from app.shared.ids import new_id
from tests.app.visits import sheets
from tests.factories import OTHER_TOWN, Factory


@pytest.fixture
def doctor(make: Factory):
    return make.signed_in(make.user("doctor", name="宁大夫"))


@pytest.fixture
def mother(make: Factory) -> str:
    return make.patient(name="张秀兰")


@pytest.fixture
def daughter(make: Factory, mother: str):
    name = make.user("family", name="女儿本人")
    make.bind(name, mother)
    return make.signed_in(name)


def shown(client, patient_id: str, query: str = "") -> str:
    answer = client.get(f"/family/{patient_id}/readers{query}")
    assert answer.status_code == 200
    return re.sub(r"<[^>]+>", "", answer.get_data(as_text=True))


def test_it_says_who_did_what_and_where_they_work(make, doctor, daughter, mother) -> None:
    for _ in range(2):
        assert doctor.get(f"/patients/{mother}").status_code == 200
    op = make.op(doctor, "visit.create", sheets.payload(mother))
    assert make.push(doctor, op)[0]["status"] == "applied"
    text = shown(daughter, mother)
    assert "宁大夫" in text and "家庭医生 家庭医生团队（演示）" in text
    assert "看了档案 2 次" in text and "记录了随访" in text and "建了档案" in text


def test_one_s_own_reading_and_other_relatives_names_are_not_told(make, daughter, mother) -> None:
    brother = make.user("family", name="儿子")
    make.bind(brother, mother, "妈")
    assert make.signed_in(brother).get("/family").status_code == 200
    assert daughter.get("/family").status_code == 200
    text = shown(daughter, mother)
    assert "另一位家属" in text and "儿子" not in text and "女儿本人" not in text


def test_nothing_of_other_people_and_nothing_that_was_refused(make, doctor, daughter, mother) -> None:
    neighbour = make.patient(name="李桂芳")
    assert doctor.get(f"/patients/{neighbour}").status_code == 200
    stranger = make.signed_in(make.user("doctor", name="外镇大夫", place_code=OTHER_TOWN))
    assert stranger.get(f"/patients/{mother}").status_code == 404
    text = shown(daughter, mother)
    assert "李桂芳" not in text and "外镇大夫" not in text and "宁大夫" not in text
    assert daughter.get(f"/family/{neighbour}/readers").status_code == 404
    assert doctor.get(f"/family/{mother}/readers").status_code == 403


def test_what_a_phone_reports_later_stands_at_the_day_it_was_read(make, doctor, daughter, mother) -> None:
    then = clock.now() - timedelta(days=3)
    read = {"id": new_id(), "patient_id": mother, "page": "patient"}
    for at in (then, clock.now() + timedelta(days=300)):  # the second by a clock that runs ahead
        read |= {"id": new_id(), "at": clock.local(at).isoformat(timespec="seconds")}
        assert doctor.post("/api/sync/reads", json={"device_id": "d", "reads": [read]}).status_code == 200
    text = shown(daughter, mother)
    there, today = clock.local(then), clock.today()
    assert f"{there.month}月{there.day}日" in text and "（在没有网的手机上）" in text
    assert text.index(f"{today.month}月{today.day}日") < text.index(f"{there.month}月{there.day}日")


def test_a_long_list_has_pages_and_bad_numbers_show_the_first(
    app: Flask, doctor, daughter, mother, monkeypatch
) -> None:
    monkeypatch.setattr("app.family.readers.DEEDS_A_PAGE", 2)
    for _ in range(4):
        doctor.get(f"/patients/{mother}")
    assert "第 1 页，共 3 页" in shown(daughter, mother)
    assert "第 3 页，共 3 页" in shown(daughter, mother, "?page=99")
    assert "第 1 页" in shown(daughter, mother, "?page=x")


def test_looking_at_it_is_noted_too(app: Flask, daughter, mother) -> None:
    shown(daughter, mother)
    with app.app_context():
        line = db.session.query(AuditLine).filter_by(action="readers.read").one()
        assert (line.patient_id, line.user_id) == (mother, daughter.user_id)


def test_the_home_leads_there(daughter, mother) -> None:
    assert f'href="/family/{mother}/readers"' in daughter.get("/family").get_data(as_text=True)
