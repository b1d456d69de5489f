"""The patient page: what it shows, whom it hides, and what it costs."""

from __future__ import annotations

import json
import re

import pytest
from flask_login import login_user
from markupsafe import escape
from sqlalchemy import event

from app.accounts.models import AuditLine
from app.chart import pages, queries
from app.extensions import db, writing
from app.patients import scope
from app.patients.models import Patient
from app.shared import clock
from app.shared.ids import new_id
from tests.app.visits.sheets import EMERGENCY, correction, payload
from tests.factories import OTHER_TOWN


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


def visit(make, client, patient, form="hypertension", **given):
    op = make.op(client, "visit.create", payload(patient, form, **given))
    result = make.push(client, op)[0]
    assert result["status"] == "applied", result
    return op["op_id"]


def shown(client, patient):
    answer = client.get(f"/patients/{patient}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def data_of(html):
    return json.loads(re.search(r'id="patient-data">(.*?)</script>', html, re.S)[1])


def test_identity_is_masked_and_the_call_is_one_touch_away(make, doctor):
    patient = make.patient(name="张秀兰", phone="13900001234", conditions=["hypertension"], lives_alone=True)
    html = shown(doctor, patient)
    assert re.search(r"370406\*{8}\d{3}[\dX]", html) and "139****1234" in html
    assert "19500101" not in html, "the full number stands nowhere on the page"
    assert 'href="tel:13900001234"' in html
    line = re.search(r"back-head-sub cut\">(.*?)</p>", html, re.S)[1]
    assert "高血压" in line and "独居" in line


def test_an_emergency_calls_first(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    assert 'class="banner' not in shown(doctor, patient).split("<template")[0]
    visit(make, doctor, patient, answers=EMERGENCY)
    html = shown(doctor, patient).split("<template")[0]
    assert 'class="banner' in html and "血压达危急值 186/104" in html
    assert 'href="tel:120"' in html


def test_grade_reasons_missing_and_history_are_in_chinese(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient, answers={"sbp": 162, "dbp": 94, "visit_class": 2})
    html = shown(doctor, patient)
    assert "血压控制不满意 162/94" in html
    assert "生活自理能力未评估" in html
    assert visit_id[-6:] not in html and 'href="?visit=1"' in html
    assert re.search(r'visit-what" data-form="hypertension">.*?高血压随访.*?162/94', html, re.S)
    for code in ("BP_UNCONTROLLED", "hypertension follow"):
        assert code not in html.split('id="patient-data"')[0]


def test_a_corrected_visit_says_so(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    assert "有更正" not in shown(doctor, patient)
    content = correction(visit_id, answers={"sbp": 140})
    make.push(doctor, make.op(doctor, "visit.correct", content, base_revision=1))
    assert "有更正" in shown(doctor, patient)


def test_the_trend_has_a_picture_a_sentence_and_a_table(make, doctor):
    patient = make.patient(conditions=["hypertension", "diabetes_t2"])
    visit(make, doctor, patient, "diabetes", answers={"fpg": 7.8, "visit_class": 2})
    html = shown(doctor, patient)
    assert html.count('<svg class="chart"') == 3  # 收缩压, 舒张压, 空腹血糖
    assert "目前只有这一次测量。" in html
    assert re.search(r'<td class="fig">7.8<', html)
    assert 'data-bands="red:3.9,green:7.0,yellow:13.9,red:"' in html
    assert "style=" not in html


def test_links_of_the_page_lead_on_without_its_script(make, doctor):
    """They name only what differs: a whole address in each was a tenth of a visit pack."""
    patient = make.patient(conditions=["diabetes_t2"])
    visit_id = visit(make, doctor, patient)
    html = shown(doctor, patient)
    address = f"/patients/{patient}"
    leads_to = {
        "?form=adl": f"/visits/new/adl?patient={patient}",
        "?to=order": f"/orders/new?patient={patient}",
        "?to=edit": f"{address}/edit",
        "?to=family": f"{address}/family",
        "?to=rights": f"{address}/rights",
        "?visit=1": f"/visits/{visit_id}",
    }
    for link, to in leads_to.items():
        assert f'href="{link}"' in html, link
        answer = doctor.get(address + link)
        assert (answer.status_code, answer.headers["Location"]) == (302, to), link
    links = (
        "?to=nowhere",
        "?form=nothing",
        "?visit=0",
        "?visit=2",
        "?visit=20261131-adl",
        "?visit=x",
        "?x=1",
    )
    for link in links:
        assert doctor.get(address + link).status_code == 200, link
    other = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    assert {other.get(address + link).status_code for link in leads_to} == {404}


def test_what_is_due_is_what_the_dock_begins_with(make, doctor):
    html = shown(doctor, make.patient(conditions=["diabetes_t2"]))
    assert 'href="?form=diabetes" data-sheet="start"' in html
    due = html[html.index('id="due"') : html.index('id="visits-title"')]
    assert re.findall(r'href="\?form=(\w+)" data-form', due)[0] == "diabetes"
    sheet = html[html.index('<dialog class="sheet" id="start"') :]
    assert len(re.findall(r'href="/visits/new/\w+" data-form=', sheet)) == 4, "aimed by the script"


def test_the_data_block_is_what_the_scripts_read(make, doctor):
    patient = make.patient(name="张秀兰", conditions=["hypertension"])
    visit(make, doctor, patient)
    data = data_of(shown(doctor, patient))
    day = clock.today().isoformat()
    assert data["id"] == patient and "as_of" not in data["facts"]
    assert data["read"] == {"bp": 1} and "bp" not in data["by"]["0"], "it stands in the table of readings"
    assert data["by"]["0"]["height"] == 152, "measured with one form, known to every form"
    assert "张秀兰" not in str(data) and day not in str(data), "what the page shows already"
    assert data["facts"]["conditions"] == ["hypertension"]
    assert data["grade"]["colour"] in ("yellow", "unrated", "green")
    last = data.get("before", {})
    assert set(last) <= {"hypertension"} and "salt" not in str(last), "codes of options are not measurements"


def test_the_history_tells_the_phone_form_and_day(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient)
    html = shown(doctor, patient)
    assert f'id="visits" data-newest="{clock.today().isoformat()}"' in html
    row = re.search(r'<a [^>]*\?visit=1".*?</a>', html, re.S)[0]
    assert 'data-form="hypertension"' in row
    assert f"{clock.today().month}月{clock.today().day}日</span>" in row


def test_a_row_of_the_history_leads_to_the_visit(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    name = f"{clock.today():%Y%m%d}-hypertension"
    to = doctor.get(f"/patients/{patient}/visits/{name}")
    assert to.status_code == 302 and to.headers["Location"] == f"/visits/{visit_id}"
    for nowhere in (
        f"{name}-2",
        f"{name}-0",
        f"{name}s",
        name.replace("hypertension", "adl"),
        "20260231-adl",
        "1",
    ):
        assert doctor.get(f"/patients/{patient}/visits/{nowhere}").status_code == 404, nowhere
    assert doctor.get(f"/patients/{make.patient()}/visits/{name}").status_code == 404
    other = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    assert other.get(f"/patients/{patient}/visits/{name}").status_code == 404


def test_two_visits_of_a_day_and_form_are_told_apart(make, doctor):
    """Each by a name that stays its own when another is written for the day, or cancelled."""
    patient = make.patient(conditions=["hypertension"])
    name = f"{clock.today():%Y%m%d}-adl"
    address = f"/patients/{patient}/visits/{name}"

    def led(tail=""):
        return doctor.get(address + tail).headers["Location"].rpartition("/")[2]

    early, late = (
        visit(make, doctor, patient, "adl", visited_at=f"{clock.today():%Y-%m-%d}T00:0{n}:00+08:00")
        for n in (1, 2)
    )
    assert (led(), led("-2")) == (early, late)
    rows = re.findall(
        r'<a class="row visit-row" href="\?visit=(\d)"( data-nth="2")?>', shown(doctor, patient)
    )
    assert rows == [("1", ' data-nth="2"'), ("2", "")]
    assert f'data-named="{name}-2"' in doctor.get(f"/visits/{late}/correct").get_data(as_text=True)
    gone = {"visit_id": late, "reason": "记错了人", "void": True}
    make.push(doctor, make.op(doctor, "visit.correct", gone, base_revision=1))
    assert (led(), led("-2")) == (early, late), "a page from before still finds the cancelled one"
    assert "data-nth" not in shown(doctor, patient)


def test_pages_of_older_builds_name_a_visit_by_the_end_of_its_id(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit_id = visit(make, doctor, patient)
    to = doctor.get(f"/patients/{patient}/visits/{visit_id[-8:]}")
    assert to.status_code == 302 and to.headers["Location"] == f"/visits/{visit_id}"
    assert doctor.get(f"/patients/{patient}/visits/{visit_id[-5:]}").status_code == 404
    assert doctor.get(f"/patients/{make.patient()}/visits/{visit_id[-8:]}").status_code == 404
    other = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    assert other.get(f"/patients/{patient}/visits/{visit_id[-8:]}").status_code == 404


def test_hostile_text_stays_text(make, doctor):
    name = "</script><img src=x onerror=alert(1)>"
    patient = make.patient(name=name, address='"><b>', contact_name="<i>", contact_phone="13900005678")
    html = shown(doctor, patient)
    assert "<img src=x" not in html and '"><b>' not in html and "<i>" not in html
    assert f"<h1>{escape(name)} <span" in html


def test_another_teams_patient_is_absent(make, doctor):
    patient = make.patient(name="张秀兰")
    other = make.signed_in(make.user("doctor", place_code=OTHER_TOWN))
    refused, absent = other.get(f"/patients/{patient}"), other.get(f"/patients/{new_id()}")
    assert refused.status_code == absent.status_code == 404
    assert "张秀兰" not in refused.get_data(as_text=True)
    roles = ("family", "provider", "dispatcher", "supervisor", "admin")
    assert {make.signed_in(role).get(f"/patients/{patient}").status_code for role in roles} == {403}
    assert make.signed_in("manager").get(f"/patients/{patient}").status_code == 200


def test_a_manager_reads_and_does_not_visit(make):
    patient = make.patient()
    html = shown(make.signed_in("manager"), patient)
    assert "/visits/new/" not in html and "确认降级" not in html


def test_every_reading_of_a_record_is_audited(app, make, doctor):
    patient = make.patient()
    shown(doctor, patient)
    with app.app_context():
        line = db.session.query(AuditLine).filter_by(action="patient.read").one()
        assert (line.patient_id, line.user_id) == (patient, doctor.user_id)


def test_a_waiting_downgrade_is_confirmed_on_the_page(make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient, answers=EMERGENCY)
    visit(make, doctor, patient, "general", answers={"conditions": ["hypertension"], "sbp": 128, "dbp": 76})
    html = shown(doctor, patient).split("<template")[0]
    assert "确认降级" in html and f'action="/patients/{patient}/grade/confirm"' in html
    answer = doctor.post(f"/patients/{patient}/grade/confirm", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    assert "确认降级" not in shown(doctor, patient).split("<template")[0]


def test_the_page_says_the_same_tomorrow(make, doctor, monkeypatch):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient)
    today = shown(doctor, patient)
    from datetime import timedelta

    moment = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert shown(doctor, patient) == today


def in_pack(app, make, client):
    with app.test_request_context():
        user = make.get_user(client.username)
        login_user(user)
        return {page.url: page.render() for page in pages.pages_of(user)}


def test_the_pack_holds_the_same_page_as_the_route(app, make, doctor):
    patient = make.patient(conditions=["hypertension"])
    visit(make, doctor, patient)
    make.patient(name="另一人")
    packed = in_pack(app, make, doctor)
    assert len(packed) == 2
    assert packed[f"/patients/{patient}"] == shown(doctor, patient)


def test_many_pages_ask_no_more_of_the_database_than_few(app, make, doctor):
    visit(make, doctor, make.patient(conditions=["hypertension"]))
    with app.app_context():
        user = make.get_user(doctor.username)
        few = statements(lambda: queries.load_many(scope.all_of(user)))
        more_patients(59)
        people = scope.all_of(user)
        assert len(people) == 60
        assert statements(lambda: queries.load_many(people)) <= few < 15


def statements(work) -> int:
    seen = []

    def listener(*given):
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", listener)
    try:
        work()
    finally:
        event.remove(db.engine, "before_cursor_execute", listener)
    return len(seen)


def more_patients(count: int) -> None:
    token = writing.set(True)
    db.session.rollback()
    pattern = db.session.query(Patient).first()
    columns = {c.key: getattr(pattern, c.key) for c in Patient.__mapper__.column_attrs}
    for number in range(count):
        db.session.add(Patient(**{**columns, "id": new_id(), "id_card_index": f"{number:064d}"}))
    db.session.commit()
    writing.reset(token)
