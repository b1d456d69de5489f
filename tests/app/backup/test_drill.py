"""Operations confirmed after the backup come back from the phones; many drills: drill.py by hand."""

from __future__ import annotations

import pytest

from app.backup import restoring, service
from app.shared import clock
from app.sync import feed
from tests.app.backup.drill import drill
from tests.factories import PASSWORD


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_an_older_backup_nothing_is_lost_and_nothing_doubled(app, seed) -> None:
    figures = drill(app, 40, seed)
    assert not any(figures["wrong"].values()), figures


def test_what_rests_on_another_phones_work_waits_for_it_for_thirty_days(app, make, monkeypatch) -> None:
    """Later nobody brings it any more: a person has to look."""
    one, two = make.signed_in("village"), make.signed_in("village")
    made = make.op(one, "patient.create", make.patient_payload())
    make.push(one, made)
    with app.app_context():
        file = service.create().path
    target = {"patient_id": made["op_id"]}
    first = make.op(one, "patient.update", {**target, "address": "一组"}, base_revision=1)
    second = make.op(two, "patient.update", {**target, "address": "二组"}, base_revision=2)
    fresh = make.op(one, "patient.create", make.patient_payload())
    target = {"patient_id": fresh["op_id"]}
    third = make.op(two, "patient.update", {**target, "address": "三组"}, base_revision=1)
    for phone, op in ((one, first), (two, second), (one, fresh), (two, third)):
        assert make.push(phone, op)[0]["status"] == "applied"
    with app.app_context():
        restoring.restore(file)
        assert feed.restored_lately()
    waits = [result["code"] for result in make.push(two, second, third)]
    assert waits == ["missing_dependency", "missing_dependency"]
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + feed.KEPT_BY_PHONES)
    body = {"username": two.username, "password": PASSWORD, "device_id": f"device-{two.username}"}
    assert two.post("/api/auth/login", json=body).status_code == 200
    assert [r["code"] for r in make.push(two, second, third)] == ["stale_revision", "not_found"]
    monkeypatch.undo()
    assert {r["status"] for r in make.push(one, first, fresh)} == {"applied"}
    assert {r["status"] for r in make.push(two, second, third)} == {"applied"}


def test_without_a_restore_a_revision_nobody_knows_is_a_conflict_as_ever(app, make) -> None:
    phone = make.signed_in("village")
    made = make.op(phone, "patient.create", make.patient_payload())
    make.push(phone, made)
    ahead = make.op(
        phone, "patient.update", {"patient_id": made["op_id"], "address": "一组"}, base_revision=7
    )
    assert make.push(phone, ahead)[0]["code"] == "stale_revision"
