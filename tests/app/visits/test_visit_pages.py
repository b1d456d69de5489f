"""The pages, and the same operations posted by a browser without our script."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from app.encounters.models import Visit
from app.extensions import db
from app.shared import clock
from app.visits import service as visits
from tests.app.visits.sheets import EMERGENCY, correction, payload
from tests.factories import OTHER_TEAM, OTHER_TOWN

HERE = {"Sec-Fetch-Site": "same-origin"}
FORMS = ("adl", "diabetes", "general", "hypertension")
TYPED = {
    "form": "hypertension",
    "mode": "home",
    "next_visit_on": "",
    "symptoms": ["1"],
    "sbp": "132",
    "dbp": "78",
    "heart_rate": "76",
    "weight": "58.5",
    "height": "152",
    "smoke_daily": "0",
    "drink_daily": "0",
    "exercise_times_week": "0",
    "exercise_min": "0",
    "salt": "1",
    "psych_adjust": "1",
    "compliance_behaviour": "1",
    "adverse_reaction": "1",
    "visit_class": "1",
    "referral": "no",
    "meds-0-drug_name": "氨氯地平",
    "meds-0-dose_per_time": "5",
    "meds-0-unit": "mg",
    "meds-0-times_per_day": "1",
    "med_adherence": "1",
}


@pytest.fixture
def doctor(make):
    return make.signed_in("doctor")


@pytest.fixture
def patient(make):
    return make.patient(conditions=["hypertension"])


def typed(patient, **given):
    return {**TYPED, "patient_id": patient, "visited_on": clock.today().isoformat(), **given}


def post(client, url, form):
    return client.post(url, data=form, headers=HERE)


def kept(app):
    with app.app_context():
        return list(db.session.scalars(db.select(Visit)))


def test_one_page_per_form_serves_every_patient(make, doctor):
    for form in FORMS:
        answer = doctor.get(f"/visits/new/{form}")
        assert answer.status_code == 200
        assert answer.headers["X-Page-Rev"].endswith("-0")
        page = answer.get_data(as_text=True)
        assert 'data-page="visit-form"' in page and 'id="saved-template"' in page
        definition = re.search(r'id="form-definition">(.*?)</script>', page, re.S)
        assert json.loads(definition[1])["key"] == form


def test_the_pack_of_a_clinician_holds_the_form_pages_as_the_route_gives_them(make, doctor):
    lines = [json.loads(line) for line in doctor.get("/api/pack").get_data(as_text=True).splitlines()]
    held = {line["url"]: line for line in lines if line["t"] == "page"}
    for form in FORMS:
        answer = doctor.get(f"/visits/new/{form}")
        assert held[f"/visits/new/{form}"]["html"] == answer.get_data(as_text=True)
        assert held[f"/visits/new/{form}"]["rev"] == answer.headers["X-Page-Rev"]
    family = make.signed_in("family")
    urls = [
        json.loads(line).get("url") for line in family.get("/api/pack").get_data(as_text=True).splitlines()
    ]
    assert not [url for url in urls if url and url.startswith("/visits")]


def test_with_a_patient_the_server_fills_in_the_person_and_no_phone_keeps_it(make, doctor, patient):
    make.push(doctor, make.op(doctor, "visit.create", payload(patient, answers={"sbp": 141, "dbp": 83})))
    answer = doctor.get(f"/visits/new/hypertension?patient={patient}")
    page = answer.get_data(as_text=True)
    assert "X-Page-Rev" not in answer.headers and answer.headers["Cache-Control"] == "no-store"
    assert "张秀兰" in page and "上次 141/83" in page and f'value="{patient}"' in page


def test_a_patient_out_of_scope_has_no_form(make, patient):
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN, team_id=OTHER_TEAM))
    assert stranger.get(f"/visits/new/hypertension?patient={patient}").status_code == 404
    assert post(stranger, "/visits", typed(patient)).status_code == 404


@pytest.mark.parametrize("role", ["family", "provider", "dispatcher", "manager", "supervisor", "admin"])
def test_only_clinicians_get_the_form(make, role):
    client = make.signed_in(role)
    assert client.get("/visits/new/hypertension").status_code == 403
    assert post(client, "/visits", typed("x")).status_code == 403


def test_a_form_nobody_knows_is_not_found(doctor):
    assert doctor.get("/visits/new/nobody").status_code == 404
    assert post(doctor, "/visits", {"form": "nobody"}).status_code == 404


def test_posting_without_script_is_the_same_operation(app, doctor, patient):
    answer = post(doctor, "/visits", typed(patient))
    assert answer.status_code == 303
    visit = kept(app)[0]
    assert answer.headers["Location"] == f"/patients/{patient}#record-{visit.id}"
    assert visit.answers["meds"] == [
        {"drug_name": "氨氯地平", "dose_per_time": 5, "unit": "mg", "times_per_day": 1}
    ]
    assert (visit.visited_on, visit.mode, visit.colour) == (clock.today(), "home", "unrated")
    assert doctor.get(f"/api/visits/{visit.id}").get_json()["kind"] == "visit.create"


def test_a_day_of_last_week_is_taken_at_noon(app, doctor, patient):
    day = clock.today() - timedelta(days=7)
    assert post(doctor, "/visits", typed(patient, visited_on=day.isoformat())).status_code == 303
    assert kept(app)[0].visited_on == day


def test_a_refused_form_comes_back_filled_with_the_words_beside_the_fields(app, doctor, patient):
    answer = post(doctor, "/visits", typed(patient, sbp="13x", dbp="500", note="家住三楼"))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "收缩压须为整数。" in page and "舒张压须在 20–200 mmHg 之间。" in page
    assert "家住三楼" in page and "氨氯地平" in page
    never = post(doctor, "/visits", typed(patient, visited_on="never"))
    assert never.status_code == 422 and "请填写随访日期" in never.get_data(as_text=True)
    assert kept(app) == []


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "'\"><img src=x>", "{{7*7}}", "𠮷\u202e", "%00", "-1 OR 1=1"]
)
def test_hostile_text_is_kept_as_text_and_shown_as_text(app, doctor, patient, hostile):
    assert post(doctor, "/visits", typed(patient, note=hostile)).status_code == 303
    visit = kept(app)[0]
    assert visit.answers["note"] == hostile
    page = doctor.get(f"/visits/{visit.id}").get_data(as_text=True)
    assert "<script>alert" not in page and "<img src=x" not in page


def test_a_character_no_database_keeps_is_refused(app, doctor, patient):
    assert post(doctor, "/visits", typed(patient, note="a\x00b")).status_code == 422
    assert kept(app) == []


def test_a_visit_shows_its_answers_grade_and_every_revision(make, doctor, patient):
    said = {"colour": "green", "emergency": False, "reasons": [], "missing": [], "due_in_days": 90}
    sent = make.op(doctor, "visit.create", payload(patient, answers=EMERGENCY, grade=said))
    make.push(doctor, sent)
    page = doctor.get(f"/visits/{sent['op_id']}").get_data(as_text=True)
    assert "血压达危急值 186/104" in page and "手机当时算出的不同" in page
    assert "186 mmHg" in page and "区医院急诊" in page and "头痛" not in page
    assert "1 版" in page and "更正" in page
    make.push(doctor, make.op(doctor, "visit.correct", correction(sent["op_id"]), base_revision=1))
    page = doctor.get(f"/visits/{sent['op_id']}").get_data(as_text=True)
    assert "第 2 版" in page and "看错了血压计" in page
    assert ">186 mmHg</del>" in page and ">132 mmHg</ins>" in page


def test_correcting_without_script(app, doctor, patient):
    post(doctor, "/visits", typed(patient))
    visit = kept(app)[0]
    page = doctor.get(f"/visits/{visit.id}/correct").get_data(as_text=True)
    assert 'value="132"' in page and "氨氯地平" in page
    url = f"/visits/{visit.id}/correct"
    assert post(doctor, url, typed(patient, sbp="130", reason="", base_revision="1")).status_code == 422
    assert post(doctor, url, typed(patient, sbp="130", reason="看错", base_revision="1")).status_code == 303
    stale = post(doctor, url, typed(patient, sbp="128", reason="再改", base_revision="1"))
    assert stale.status_code == 409 and "已被他人更正" in stale.get_data(as_text=True)
    with app.app_context():
        now = db.session.get_one(Visit, visit.id)
        assert (now.answers["sbp"], now.revision, now.visited_at) == (130, 2, visit.visited_at)
    assert post(doctor, url, {"void": "true", "reason": "记错了人", "base_revision": "2"}).status_code == 303
    assert "已经作废" in doctor.get(f"/visits/{visit.id}").get_data(as_text=True)
    assert doctor.get(url).status_code == 403
    with app.app_context():
        assert visits.of(patient) == []


@pytest.mark.parametrize("base", ["", "x", "-1", "99999999999999", "1.0", "١"])
def test_an_absurd_base_revision_is_refused_and_overwrites_nothing(app, doctor, patient, base):
    post(doctor, "/visits", typed(patient))
    url = f"/visits/{kept(app)[0].id}/correct"
    assert post(doctor, url, typed(patient, reason="看错", base_revision=base)).status_code == 422
    assert kept(app)[0].revision == 1


def test_who_may_not_correct_gets_no_form(make, patient):
    nurse, colleague = make.signed_in("nurse"), make.signed_in("nurse")
    sent = make.op(nurse, "visit.create", payload(patient))
    make.push(nurse, sent)
    assert colleague.get(f"/visits/{sent['op_id']}").status_code == 200
    assert colleague.get(f"/visits/{sent['op_id']}/correct").status_code == 403
    assert post(colleague, f"/visits/{sent['op_id']}/correct", {"reason": "x"}).status_code == 403
    stranger = make.signed_in(make.user("doctor", place_code=OTHER_TOWN, team_id=OTHER_TEAM))
    assert stranger.get(f"/visits/{sent['op_id']}").status_code == 404
    assert stranger.get(f"/visits/{sent['op_id']}/correct").status_code == 404
