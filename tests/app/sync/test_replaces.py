"""An operation that mends a refused one: whichever copy of the old one turns up, there is no double."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.shared.ids import new_id
from app.sync import registry
from tests.sealing import sealed

BAD_CARD = "370406195001010014"
GONE = "0197fd4e-4c36-7cd4-8d5c-9d6d0a8d5a01"


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in("doctor")


def create(make, doctor, replaces=None, **given):
    more = {} if replaces is None else {"replaces": replaces}
    return make.op(doctor, "patient.create", make.patient_payload(**given), **more)


def edit(make, doctor, patient, base, replaces=None):
    more = {} if replaces is None else {"replaces": replaces}
    payload = {"patient_id": patient, "address": "一组"}
    return make.op(doctor, "patient.update", payload, base_revision=base, **more)


def test_once_mended_the_old_operation_answers_duplicate_for_ever(make, doctor) -> None:
    old = create(make, doctor, id_card=BAD_CARD)
    new = create(make, doctor, replaces=old["op_id"])
    assert make.push(doctor, old)[0]["code"] == "invalid"
    [applied] = make.push(doctor, new)
    assert applied == {"op_id": new["op_id"], "status": "applied", "entity_id": new["op_id"], "revision": 1}
    key = doctor.get("/api/auth/me").get_json()["seal"]
    body = {"sent_at": old["recorded_at"], "sealed": [sealed(key, old)]}
    unsealed = doctor.post("/api/sync/sealed", json=body).get_json()["results"]
    for [late] in (make.push(doctor, old), unsealed):
        assert late == {
            "op_id": old["op_id"], "status": "duplicate", "entity_id": new["op_id"], "revision": 1,
            "replaced_by": new["op_id"],
        }  # fmt: skip
    assert make.push(doctor, new)[0]["status"] == "duplicate"
    assert doctor.get(f"/api/patients/{old['op_id']}").status_code == 404


def test_the_old_one_would_be_good_by_now_and_still_makes_no_double(make, doctor) -> None:
    """It was refused for what it depends on; that has arrived since, and so has the mended one."""
    patient = create(make, doctor)
    old = edit(make, doctor, patient["op_id"], 1)
    assert make.push(doctor, old)[0]["code"] == "not_found"
    new = edit(make, doctor, patient["op_id"], 1, replaces=old["op_id"])
    results = make.push(doctor, patient, new, old)
    assert [r["status"] for r in results] == ["applied", "applied", "duplicate"]
    assert results[2]["entity_id"] == patient["op_id"] and results[2]["revision"] == 2
    assert doctor.get(f"/api/patients/{patient['op_id']}").get_json()["revision"] == 2


def test_mending_what_was_applied_is_a_conflict_and_changes_nothing(make, doctor) -> None:
    old = create(make, doctor)
    new = create(make, doctor, replaces=old["op_id"])
    results = make.push(doctor, old, new)  # in one batch, as when an answer was lost
    assert [r["status"] for r in results] == ["applied", "conflict"]
    assert results[1]["code"] == "already_applied"
    assert results[1]["current"] == {"entity_id": old["op_id"], "revision": 1}
    assert doctor.get(f"/api/patients/{new['op_id']}").status_code == 404
    assert make.push(doctor, old)[0]["status"] == "duplicate"


def test_what_is_mended_again_and_again_is_kept_once(make, doctor) -> None:
    """Each mend names the first of the chain; so every copy of every stage is known."""
    first = create(make, doctor, id_card=BAD_CARD)
    second = create(make, doctor, replaces=first["op_id"], phone="1")
    third = create(make, doctor, replaces=first["op_id"])
    results = make.push(doctor, first, second, third, first, second)
    assert [r["status"] for r in results] == ["rejected", "rejected", "applied", "duplicate", "conflict"]
    assert results[3]["replaced_by"] == third["op_id"] and results[4]["code"] == "already_applied"
    assert results[4]["current"] == {"entity_id": third["op_id"], "revision": 1}


def test_a_mend_of_a_mend_is_known_by_the_one_it_names(make, doctor) -> None:
    second = create(make, doctor, replaces=GONE, phone="1")
    third = create(make, doctor, replaces=second["op_id"])
    results = make.push(doctor, second, third, second)
    assert [r["status"] for r in results] == ["rejected", "applied", "duplicate"]
    fourth = create(make, doctor, replaces=third["op_id"])
    assert make.push(doctor, fourth)[0]["code"] == "already_applied"


def test_a_refused_mend_leaves_the_old_one_free(make, doctor) -> None:
    old = create(make, doctor)
    bad = create(make, doctor, replaces=old["op_id"], id_card=BAD_CARD)
    assert [r["status"] for r in make.push(doctor, bad, old)] == ["rejected", "applied"]


def test_a_mend_undone_half_way_leaves_the_old_one_free(make, doctor, monkeypatch) -> None:
    old = create(make, doctor)
    new = create(make, doctor, replaces=old["op_id"])
    kind = registry.kinds["patient.create"]

    def apply(op: registry.Op) -> registry.Applied:
        kind.apply(op)
        raise KeyError("a fault nobody thought of")

    monkeypatch.setitem(
        registry.kinds, kind.name, registry.Kind(**{**vars(kind), "apply": apply, "together": None})
    )
    assert make.push(doctor, new)[0]["status"] == "rejected"
    monkeypatch.undo()
    assert make.push(doctor, old)[0]["status"] == "applied"


def test_nobody_can_take_an_operation_out_of_anothers_hands(make, doctor) -> None:
    nurse = make.signed_in("nurse")
    waiting, applied = create(make, doctor), create(make, doctor)
    make.push(doctor, applied)
    taken = create(make, nurse, replaces=waiting["op_id"])
    assert make.push(nurse, taken)[0]["status"] == "applied"
    mended = create(make, doctor, replaces=waiting["op_id"])
    assert make.push(doctor, mended)[0]["status"] == "applied"
    [odd] = make.push(nurse, create(make, nurse, replaces=applied["op_id"]))
    assert (odd["status"], odd["code"]) == ("rejected", "invalid")
    assert [e["pointer"] for e in odd["errors"]] == ["/replaces"] and "current" not in odd


def test_what_an_operation_replaces_is_part_of_it_and_shown_in_the_feed(make, doctor) -> None:
    new = create(make, doctor, replaces=GONE)
    plain = create(make, doctor)
    make.push(doctor, new, plain)
    without = {name: value for name, value in new.items() if name != "replaces"}
    assert make.push(doctor, without)[0]["code"] == "op_id_reused"
    assert make.push(doctor, {**plain, "replaces": GONE})[0]["code"] == "op_id_reused"
    changes = {c["op_id"]: c for c in doctor.get("/api/sync/pull").get_json()["changes"]}
    assert changes[new["op_id"]]["replaces"] == GONE and "replaces" not in changes[plain["op_id"]]


@pytest.mark.parametrize("replaces", ["", "x", None, 1, [], GONE.upper(), GONE + "\n", "itself"])
def test_what_is_replaced_is_named_by_an_operation_id(make, doctor, replaces) -> None:
    op = create(make, doctor)
    op["replaces"] = op["op_id"] if replaces == "itself" else replaces
    [result] = make.push(doctor, op)
    assert (result["status"], result["code"]) == ("rejected", "invalid")
    assert [e["pointer"] for e in result["errors"]] == ["/replaces"]


def test_an_operation_never_seen_may_be_replaced(make, doctor) -> None:
    """It was refused on the way of a hand-over, or by a server since restored from a backup."""
    assert make.push(doctor, create(make, doctor, replaces=new_id()))[0]["status"] == "applied"
