"""Registering and changing patients, as operations and as forms."""

import pytest

from tests.factories import NEXT_VILLAGE, OTHER_VILLAGE, VILLAGE


def test_the_same_identity_number_twice_is_one_person(make) -> None:
    doctor = make.signed_in("doctor")
    payload = make.patient_payload()
    one, two = (make.op(doctor, "patient.create", payload) for _ in range(2))
    results = make.push(doctor, one, two)
    assert results[1]["errors"][0]["pointer"] == "/payload/id_card"
    assert results[1]["errors"][0]["code"] == "duplicate"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "  "}, "/name"),
        ({"name": "名" * 51}, "/name"),
        ({"name": "a\x07b"}, "/name"),
        ({"name": 5}, "/name"),
        ({"phone": "12"}, "/phone"),
        ({"phone": None}, "/phone"),
        ({"village_id": OTHER_VILLAGE}, "/village_id"),
        ({"village_id": "370406102"}, "/village_id"),
        ({"village_id": "nowhere"}, "/village_id"),
        ({"conditions": "hypertension"}, "/conditions"),
        ({"conditions": ["plague"]}, "/conditions/0"),
        ({"conditions": [1]}, "/conditions/0"),
        ({"conditions": ["chd", "chd"]}, "/conditions"),
        ({"consent_at": "2026-01-01"}, "/consent_at"),
        ({"lives_alone": 1}, "/lives_alone"),
        ({"contact_relation": "9"}, "/contact_relation"),
        ({"contact_phone": "x"}, "/contact_phone"),
        ({"address": "长" * 201}, "/address"),
        ({"surprise": True}, "/surprise"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(make, change, pointer) -> None:
    doctor = make.signed_in("doctor")
    op = make.op(doctor, "patient.create", {**make.patient_payload(), **change})
    [result] = make.push(doctor, op)
    assert (result["status"], result["code"]) == ("rejected", "invalid")
    assert f"/payload{pointer}" in [e["pointer"] for e in result["errors"]]
    assert all("一" <= e["message"][0] <= "鿿" or e["message"][0].isdigit() for e in result["errors"])
    assert doctor.get(f"/api/patients/{op['op_id']}").status_code == 404


@pytest.mark.parametrize("missing", ["name", "id_card", "phone", "village_id"])
def test_each_required_field_is_asked_for(make, missing) -> None:
    doctor = make.signed_in("doctor")
    payload = make.patient_payload()
    del payload[missing]
    [result] = make.push(doctor, make.op(doctor, "patient.create", payload))
    assert [e["pointer"] for e in result["errors"]] == [f"/payload/{missing}"]


def test_a_relative_may_change_the_phone_and_nothing_else(make) -> None:
    patient = make.patient()
    family = make.signed_in("family")
    phone = {"patient_id": patient, "phone": "13900009999"}
    assert (
        make.push(family, make.op(family, "patient.update", phone, base_revision=1))[0]["code"] == "not_found"
    )
    make.bind(family.username, patient)
    conditions = {"patient_id": patient, "conditions": []}
    [refused] = make.push(family, make.op(family, "patient.update", conditions, base_revision=1))
    assert refused["code"] == "forbidden"
    assert (
        make.push(family, make.op(family, "patient.update", phone, base_revision=1))[0]["status"] == "applied"
    )


def test_a_village_doctor_registers_only_in_the_own_village(make) -> None:
    clinic = make.signed_in("village")
    own = make.op(clinic, "patient.create", make.patient_payload(village_id=VILLAGE))
    next_door = make.op(clinic, "patient.create", make.patient_payload(village_id=NEXT_VILLAGE))
    assert [r["status"] for r in make.push(clinic, own, next_door)] == ["applied", "rejected"]


def test_the_form_without_javascript_registers_and_shows_faults_again(make) -> None:
    doctor = make.signed_in("doctor")
    headers = {"Sec-Fetch-Site": "same-origin"}
    payload = make.patient_payload(name="<script>alert(1)</script>")
    bad = doctor.post("/patients", data={**payload, "phone": "1"}, headers=headers)
    assert bad.status_code == 422
    text = bad.get_data(as_text=True)
    assert "电话应为" in text and "&lt;script&gt;alert(1)" in text and "<script>alert" not in text
    good = doctor.post("/patients", data={**payload, "conditions": ["hypertension"]}, headers=headers)
    assert good.status_code == 303
    shown = doctor.get("/api" + good.headers["Location"]).get_json()
    assert shown["payload"]["conditions"] == ["hypertension"]


def test_the_edit_form_without_javascript_changes_the_patient(make) -> None:
    patient, doctor = make.patient(), make.signed_in("doctor")
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert "13900001234" in doctor.get(f"/patients/{patient}/edit").get_data(as_text=True)
    form = {
        "phone": "13900005555",
        "address": "二组",
        "base_revision": "1",
        "lives_alone": "1",
        "conditions": "none",
    }
    assert doctor.post(f"/patients/{patient}", data=form, headers=headers).status_code == 303
    record = doctor.get(f"/api/patients/{patient}").get_json()["record"]
    assert (record["phone"], record["address"], record["lives_alone"]) == ("13900005555", "二组", True)
    assert record["conditions"] == []
    stale = doctor.post(f"/patients/{patient}", data=form, headers=headers)
    assert stale.status_code == 409 and "已被他人更新" in stale.get_data(as_text=True)
