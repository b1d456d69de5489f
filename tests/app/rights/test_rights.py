"""A person's rights over their data: full numbers for a reason, a copy of everything, restriction."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import AuditLine
from app.extensions import db
from app.orders import service as orders
from app.patients.models import Disclosure, FamilyLink
from app.plans import service as plans
from app.shared import clock
from tests.app.orders.town import in_days
from tests.app.visits import sheets
from tests.factories import VILLAGE, Factory, an_id_card
from tests.worlds import Begin

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
CARD = an_id_card(77)


class House:
    """A patient with a visit and an order, a relative, and those who look after them."""

    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make = app, make
        self.patient = make.patient(name="张秀兰", id_card=CARD, phone="13900001234")
        for role in ("doctor", "nurse", "village", "manager", "provider", "dispatcher", "family"):
            setattr(self, role, make.signed_in(role))
        make.bind(self.family.username, self.patient)
        self.visit = self.do(self.doctor, "visit.create", sheets.payload(self.patient))
        self.order = self.do(self.family, "order.create", self.wish())
        given = {"order_id": self.order, "to": "scheduled", "assignee_id": self.provider.user_id}
        self.do(self.dispatcher, "order.transition", {**given, "scheduled_at": in_days(1)}, base_revision=1)

    def wish(self) -> dict[str, Any]:
        return {"patient_id": self.patient, "service": "Y02", "phone": "13800138000", "wanted_at": in_days(1)}

    def push(self, client: Any, kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self.make.push(client, self.make.op(client, kind, payload, **more))[0]

    def do(self, client: Any, kind: str, payload: dict[str, Any], **more: Any) -> str:
        result = self.push(client, kind, payload, **more)
        assert result["status"] == "applied", result
        return result["entity_id"]

    def post(self, client: Any, tail: str, **data: Any) -> Any:
        return client.post(f"/patients/{self.patient}/{tail}", data=data, headers=SAME_ORIGIN)

    def restrict(self) -> None:
        answer = self.post(self.doctor, "restriction", asked_by="本人", reason="不想再被打扰")
        assert answer.status_code == 303, answer.get_data(as_text=True)

    def lines(self, action: str) -> list[tuple[str, str | None]]:
        with self.app.app_context():
            found = db.session.scalars(select(AuditLine).where(AuditLine.action == action))
            return [(line.result, line.patient_id) for line in found]


def words(answer: Any) -> str:
    text = re.sub(r"<(script|template|style)\b.*?</\1>", "", answer.get_data(as_text=True), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


@pytest.fixture
def house(begin: Begin) -> House:
    return begin(House)


def test_numbers_are_masked_until_somebody_says_why(house: House) -> None:
    for url in ("/patients/{}", "/patients/{}/rights"):
        page = house.doctor.get(url.format(house.patient)).get_data(as_text=True)
        assert CARD not in page and CARD[:6] + "********" + CARD[14:] in page, url
    assert CARD not in house.doctor.get("/patients").get_data(as_text=True)
    assert "13900001234" not in house.doctor.get("/patients").get_data(as_text=True)
    assert "13900001234" not in words(house.doctor.get(f"/patients/{house.patient}"))
    none = house.post(house.doctor, "numbers")
    vague = house.post(house.doctor, "numbers", reason="other", note=" ")
    for answer in (none, vague):
        assert answer.status_code == 422 and CARD not in answer.get_data(as_text=True)
    assert house.lines("patient.numbers") == []
    shown = house.post(house.doctor, "numbers", reason="referral", note="转区医院")
    assert CARD in words(shown) and "13900001234" in words(shown)
    assert house.lines("patient.numbers") == [("ok:referral", house.patient)]
    with house.app.app_context():
        kept = db.session.scalars(select(Disclosure)).one()
        assert (kept.what, kept.reason, kept.note) == ("numbers", "referral", "转区医院")
    assert CARD not in house.doctor.get(f"/patients/{house.patient}/rights").get_data(as_text=True)
    told = words(house.family.get(f"/family/{house.patient}/readers"))
    assert "看了完整的证件号和电话" in told


def test_the_copy_holds_everything_as_it_was_recorded(house: House) -> None:
    answer = house.post(house.manager, "copy", format="json", reason="person")
    assert answer.mimetype == "application/json"
    assert re.fullmatch(r'attachment; filename="nuanxun-\d{8}\.json"', answer.headers["Content-Disposition"])
    copy = answer.get_json()
    assert copy["format"] == "nuanxun-copy-1"
    assert copy["person"]["name"] == "张秀兰" and copy["person"]["id_card"] == CARD
    assert [one["id"] for one in copy["visits"]] == [house.visit]
    assert [one["id"] for one in copy["orders"]] == [house.order]
    assert len(copy["revisions"]) == 4 and copy["revisions"][0]["payload"]["name"] == "张秀兰"
    assert copy["observations"] and copy["grades"] and copy["readings"]
    assert {c["purpose"] for c in copy["relatives"][0]["consents"]} >= {"看身体情况", "取一份资料"}
    assert house.lines("patient.copy") == [("ok:person", house.patient)]
    readable = words(house.post(house.manager, "copy", format="page", reason="guardian"))
    assert "张秀兰" in readable and CARD in readable and "血压" in readable


def test_the_copy_says_who_decided_for_the_person(house: House) -> None:
    with house.app.app_context():
        link = db.session.scalars(select(FamilyLink.id)).one()
    guardian = {"guardian": "王建国", "guardian_relation": "儿子", "capacity": "limited", "basis": "监护证明"}
    form = {"said_by": "监护人", **guardian, "wish": "不想让人看", "purpose": "state"}
    assert house.post(house.doctor, f"family/{link}/consents", **form).status_code == 303
    copy = house.post(house.manager, "copy", format="json", reason="guardian").get_json()
    decided = [one for one in copy["relatives"][0]["consents"] if one["said_by"] == "监护人"]
    assert decided and all(one.items() >= {**guardian, "wish": "不想让人看"}.items() for one in decided)
    page = words(house.post(house.manager, "copy", format="page", reason="guardian"))
    assert "监护人 王建国（儿子，老人限制民事行为能力，监护证明；老人自己的意愿：不想让人看）" in page


def test_a_copy_needs_a_reason_and_a_form(house: House) -> None:
    assert house.post(house.doctor, "copy", reason="person").status_code == 422
    assert house.post(house.doctor, "copy", format="json").status_code == 422
    assert house.post(house.doctor, "copy", format="json", reason="relative").status_code == 422
    assert house.lines("patient.copy") == []


def test_a_relative_gets_a_copy_only_with_consent(house: House, make) -> None:
    other = make.signed_in("family")
    make.bind(other.username, house.patient, purposes=["state", "readings", "orders", "readers"])
    for answer in (other.get(f"/patients/{house.patient}/copy"), house.post(other, "copy", format="json")):
        assert answer.status_code == 403
    assert "老人没有同意家属取健康档案的副本" in words(house.post(other, "copy", format="json"))
    copy = house.post(house.family, "copy", format="json")
    assert copy.status_code == 200 and CARD not in copy.get_data(as_text=True)
    assert copy.get_json()["relatives"] == []
    assert house.lines("patient.copy") == [("ok:relative", house.patient)]


def test_copies_are_not_taken_by_the_dozen(house: House) -> None:
    taken = [house.post(house.doctor, "copy", format="json", reason="person") for _ in range(21)]
    assert [answer.status_code for answer in taken] == [200] * 20 + [429]


def test_a_restricted_record_is_in_no_list_pack_or_feed(house: House) -> None:
    readers = (house.doctor, house.nurse, house.village, house.family, house.provider)
    before = {one: one.get("/api/sync/pull").get_json() for one in readers}
    packs = {one: one.get("/api/pack").get_data(as_text=True).splitlines()[-1] for one in readers}
    house.restrict()
    for one in readers:
        cursor = before[one]["cursor"]
        later = one.get(f"/api/sync/pull?cursor={cursor}").get_json()
        assert {r["id"] for r in later["removed"]} >= {c["id"] for c in before[one]["changes"]}
        assert one.get("/api/sync/pull").get_json()["changes"] == []
        whole = one.get("/api/pack").get_data(as_text=True)
        assert house.patient not in whole.replace("-", "") and house.patient not in whole
        since = re.search(r'"cursor":"([^"]+)"', packs[one])
        assert since is not None
        delta = one.get(f"/api/pack?cursor={since[1]}").get_data(as_text=True)
        assert '"t":"page"' in delta  # the lists they were in come anew
        for url in ("/today", "/patients", "/orders", "/desk", "/family"):
            assert "张秀兰" not in words(one.get(url)), url
    since = re.search(r'"cursor":"([^"]+)"', packs[house.doctor])
    assert since is not None
    delta = house.doctor.get(f"/api/pack?cursor={since[1]}").get_data(as_text=True)
    assert f'"t":"gone","url":"/patients/{house.patient}"' in delta
    assert "已按要求限制处理" in words(house.family.get("/family"))


def test_operations_on_a_restricted_record_are_refused_in_words(house: House) -> None:
    house.restrict()
    moved, person = {"order_id": house.order, "to": "done"}, {"patient_id": house.patient}
    asked = [
        (house.doctor, "visit.create", sheets.payload(house.patient), {}),
        (house.doctor, "visit.correct", sheets.correction(house.visit), {"base_revision": 1}),
        (house.nurse, "patient.update", {**person, "address": "二组"}, {"base_revision": 1}),
        (house.family, "patient.update", {**person, "phone": "13800138000"}, {"base_revision": 1}),
        (house.family, "order.create", house.wish(), {}),
        (house.dispatcher, "order.create", house.wish(), {}),
        (house.provider, "order.transition", moved, {"base_revision": 2}),
        (house.dispatcher, "order.transition", {**moved, "to": "cancelled"}, {"base_revision": 2}),
    ]  # fmt: skip
    for client, kind, payload, more in asked:
        result = house.push(client, kind, payload, **more)
        assert (result["status"], result["code"]) == ("rejected", "restricted"), (kind, result)
        assert "已限制处理" in result["detail"], kind
    far = house.make.signed_in(house.make.user("doctor", place_code="370406103"))
    assert house.push(far, "visit.create", sheets.payload(house.patient))["code"] == "missing_dependency"


def test_a_restricted_record_opens_only_with_a_reason_and_only_to_some(house: House) -> None:
    house.restrict()
    url = f"/patients/{house.patient}"
    for one in (house.doctor, house.manager):
        assert one.get(url).headers["Location"] == f"{url}/restricted"
        closed = one.get(f"{url}/restricted")
        assert closed.status_code == 200 and "不想再被打扰" in words(closed) and CARD not in words(closed)
        assert house.post(one, "restricted").status_code == 422
        opened = house.post(one, "restricted", reason="care")
        assert "血压" in words(opened) and "只供这一次查看" in words(opened)
    assert house.lines("patient.open") == [("ok:care", house.patient)] * 2
    for one in (house.nurse, house.village):
        assert one.get(url).status_code == 403 and "已限制处理" in words(one.get(url))
        assert house.post(one, "restricted", reason="care").status_code == 403
    assert house.doctor.get(f"/visits/{house.visit}").status_code == 403
    assert house.doctor.get(f"/api/patients/{house.patient}").status_code == 404
    assert house.post(house.doctor, "numbers", reason="identity").status_code == 403
    assert house.post(house.doctor, "copy", format="json", reason="person").status_code == 200


def test_restricted_records_are_listed_for_those_who_may_open_them(house: House) -> None:
    assert "没有限制处理的档案" in words(house.manager.get("/restricted"))
    house.restrict()
    for one in (house.doctor, house.manager):
        assert "张秀兰" in words(one.get("/restricted"))
    far = house.make.signed_in(house.make.user("manager", place_code="370406103"))
    assert "张秀兰" not in words(far.get("/restricted"))
    assert house.nurse.get("/restricted").status_code == 403


def test_the_night_leaves_a_restricted_record_alone(house: House, context: Flask) -> None:
    house.restrict()
    assert house.patient not in plans.nightly(clock.today() + timedelta(days=400))
    assert orders.confirm_overdue(clock.now() + timedelta(days=400)) == 0


def test_a_manager_lifts_the_restriction_and_everything_comes_back(house: House) -> None:
    start = house.doctor.get("/api/sync/pull").get_json()
    house.restrict()
    gone = house.doctor.get(f"/api/sync/pull?cursor={start['cursor']}").get_json()
    assert house.post(house.doctor, "restriction/lift", why="老人改了主意").status_code == 403
    assert house.post(house.manager, "restriction/lift", why=" ").status_code == 422
    assert house.post(house.manager, "restriction/lift", why="老人改了主意").status_code == 303
    back = house.doctor.get(f"/api/sync/pull?cursor={gone['cursor']}").get_json()
    assert {c["id"] for c in back["changes"]} == {c["id"] for c in start["changes"]}
    assert house.do(house.doctor, "visit.create", sheets.payload(house.patient, "general"))
    copy = house.post(house.manager, "copy", format="json", reason="person").get_json()
    [told] = copy["restrictions"]
    assert (told["asked_by"], told["reason"], told["lifted_why"]) == ("本人", "不想再被打扰", "老人改了主意")
    assert house.post(house.manager, "restriction/lift", why="再一次").status_code == 422


def test_a_restricted_person_cannot_be_registered_a_second_time(house: House) -> None:
    house.restrict()
    again = house.make.patient_payload(id_card=CARD, village_id=VILLAGE)
    assert house.push(house.doctor, "patient.create", again)["errors"][0]["code"] == "duplicate"
