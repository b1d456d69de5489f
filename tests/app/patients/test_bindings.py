"""How a relative is bound: a code made at the clinic, entered by the relative, confirmed by the clinic."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import or_, select, update
from sqlalchemy.exc import DBAPIError

from app.accounts.models import AuditLine
from app.extensions import db, writing
from app.patients.models import Consent, FamilyGrant, FamilyInvitation, FamilyLink
from app.shared import clock
from app.shared.ids import new_id
from tests.app.orders.town import in_days
from tests.factories import Factory
from tests.worlds import Begin

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
ALL = ["state", "readings", "orders", "readers", "copy"]


class Clinic:
    """A doctor, their patient, and a daughter who is not bound yet."""

    def __init__(self, app: Flask, make: Factory) -> None:
        self.app, self.make = app, make
        self.mother = make.patient(name="张秀兰")
        self.doctor = make.signed_in(make.user("doctor", name="宁大夫"))
        self.daughter = make.signed_in(make.user("family", name="女儿", phone="13900004321"))

    def post(self, client: FlaskClient, url: str, **data: Any) -> Any:
        return client.post(url, data=data, headers=SAME_ORIGIN)

    def invite(self, *purposes: str, **given: Any) -> str:
        answer = self.post(
            self.doctor,
            f"/patients/{self.mother}/family/invitations",
            **{"purpose": list(purposes), "said_by": "本人", **given},
        )
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200, text
        found = re.search(r'id="binding-code">([^<]+)<', text)
        assert found is not None and "<svg" in text
        return found[1]

    def claim(self, code: str, client: FlaskClient | None = None, relation: str = "妈妈") -> Any:
        return self.post(client or self.daughter, "/family/bind", code=code, relation=relation)

    def invitation(self) -> str:
        with self.app.app_context():
            newest = select(FamilyInvitation.id).order_by(FamilyInvitation.made_at.desc())
            return db.session.scalars(newest).first() or ""

    def decide(self, what: str) -> Any:
        return self.post(
            self.doctor, f"/patients/{self.mother}/family/invitations/{self.invitation()}/{what}"
        )

    def bind(self, *purposes: str) -> str:
        """The whole way; returns the address of the binding at the clinic."""
        assert self.claim(self.invite(*purposes)).status_code == 303
        assert self.decide("confirm").status_code == 303
        return self.link()

    def link(self) -> str:
        page = self.doctor.get(f"/patients/{self.mother}/family").get_data(as_text=True)
        found = re.search(rf'href="(/patients/{self.mother}/family/[0-9a-f-]+)"', page)
        assert found is not None
        return found[1]

    def agree(self, link: str, *purposes: str) -> None:
        answer = self.post(self.doctor, f"{link}/consents", purpose=list(purposes), said_by="本人")
        assert answer.status_code == 303, answer.get_data(as_text=True)

    def home(self) -> str:
        return words(self.daughter.get("/family"))


def words(answer: Any) -> str:
    text = re.sub(r"<(script|template|style)\b.*?</\1>", "", answer.get_data(as_text=True), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


@pytest.fixture
def clinic(begin: Begin) -> Clinic:
    return begin(Clinic)


def test_a_relative_sees_nobody_before_the_clinic_has_confirmed(clinic: Clinic) -> None:
    code = clinic.invite("state", "orders")
    assert "还没有绑定老人" in clinic.home()
    assert clinic.claim(code).headers["Location"] == "/family/bind?sent"
    assert "等卫生室确认" in clinic.home() and "张秀兰" not in clinic.home()
    assert clinic.daughter.get(f"/api/patients/{clinic.mother}").status_code == 404
    page = words(clinic.doctor.get(f"/patients/{clinic.mother}/family"))
    assert "女儿" in page and "139****4321" in page and "13900004321" not in page and "妈妈" in page
    assert "有家属等您确认" in words(clinic.doctor.get("/notices"))
    assert clinic.decide("confirm").status_code == 303
    assert "张秀兰" in clinic.home() and "给妈妈点服务" in clinic.home()
    assert "绑定好了" in words(clinic.daughter.get("/notices"))


def test_a_code_is_typed_as_people_type(clinic: Clinic) -> None:
    code = clinic.invite("state")
    assert clinic.claim(f" {code.replace('-', ' ').upper()} ").status_code == 303


def test_a_code_is_good_for_one_relative_and_for_three_days(clinic: Clinic, make, monkeypatch) -> None:
    code = clinic.invite("state")
    son = make.signed_in("family")
    assert clinic.claim(code).status_code == 303
    used = clinic.claim(code, son)
    wrong = clinic.claim("aaaa-bbbb", son)
    now = clock.now()
    second = clinic.invite("state")
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=72, seconds=1))
    old = clinic.claim(second, son)
    for answer in (used, wrong, old):
        assert answer.status_code == 422
        assert "绑定码不对，或者已经用过、过期" in answer.get_data(as_text=True)


def test_what_nobody_confirms_lapses(clinic: Clinic, monkeypatch) -> None:
    clinic.claim(clinic.invite("state"))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=14, seconds=1))
    clinic.doctor, clinic.daughter = (
        clinic.make.signed_in(one.username) for one in (clinic.doctor, clinic.daughter)
    )
    assert clinic.decide("confirm").status_code == 404
    assert "等卫生室确认" not in clinic.home()


def test_guessing_codes_is_slowed_down_for_whoever_guesses(clinic: Clinic, make) -> None:
    code, guesser = clinic.invite("state"), make.signed_in("family")
    answers = [clinic.claim(f"aaaa-bbb{n}", guesser) for n in range(2, 8)]
    assert [a.status_code for a in answers] == [422] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert clinic.claim(code, guesser).status_code == 429  # the right one, too
    assert clinic.claim(code).status_code == 303  # others are not held up


def test_the_clinic_can_refuse_and_take_back(clinic: Clinic) -> None:
    code = clinic.invite("state")
    assert clinic.decide("confirm").status_code == 422  # nobody has entered it
    assert clinic.decide("dismiss").status_code == 303
    assert clinic.claim(code).status_code == 422
    clinic.claim(clinic.invite("state"))
    assert clinic.decide("dismiss").status_code == 303
    assert clinic.decide("confirm").status_code == 404
    assert "没有绑定" in words(clinic.daughter.get("/notices")) and "张秀兰" not in clinic.home()


def test_one_person_has_five_relatives_at_most(clinic: Clinic, make) -> None:
    for _ in range(4):
        make.bind(make.user("family"), clinic.mother)
    clinic.invite("state")
    url = f"/patients/{clinic.mother}/family/invitations"
    answer = clinic.post(clinic.doctor, url, said_by="本人")
    assert answer.status_code == 422 and "最多绑定 5 位" in answer.get_data(as_text=True)


def test_a_consent_to_something_that_is_not_asked_for_is_none(clinic: Clinic) -> None:
    url = f"/patients/{clinic.mother}/family/invitations"
    answer = clinic.post(clinic.doctor, url, purpose=["state", "everything"], said_by="本人")
    assert answer.status_code == 422 and "请重新勾选老人同意什么" in words(answer)
    assert not clinic.invitation()


def test_who_agrees_must_be_said(clinic: Clinic) -> None:
    url = f"/patients/{clinic.mother}/family/invitations"
    assert "请选择谁表示同意" in clinic.post(clinic.doctor, url).get_data(as_text=True)
    assert not clinic.invitation()


GUARDIAN = {
    "said_by": "监护人",
    "guardian": "王建国",
    "guardian_relation": "儿子",
    "capacity": "none",
    "basis": "区法院判决书",
}
LIMITED = {**GUARDIAN, "capacity": "limited", "wish": "愿意女儿来看"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("guardian", " ", "请写明监护人姓名"),
        ("guardian", "王" * 51, "监护人姓名不能超过 50 个字"),
        ("guardian_relation", "", "请写明监护人和老人的关系"),
        ("capacity", "", "请选择老人的行为能力"),
        ("capacity", "full", "请选择老人的行为能力"),
        ("basis", "\u3164", "请写明监护的依据"),
        ("basis", "a\u202eb", "监护的依据含有无法识别的字符"),
        ("wish", "", "请写明老人自己的意愿"),
        ("wish", "愿" * 201, "老人自己的意愿不能超过 200 个字"),
    ],
)
def test_a_guardian_says_who_they_are_and_why(clinic: Clinic, name: str, value: str, words: str) -> None:
    url = f"/patients/{clinic.mother}/family/invitations"
    answer = clinic.post(clinic.doctor, url, **{**LIMITED, name: value})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and words in page
    assert name == "guardian" or 'value="王建国"' in page  # what was typed is still there
    assert not clinic.invitation()


def test_a_guardians_decision_is_shown_and_audited_from_the_code_to_the_end(clinic: Clinic) -> None:
    clinic.claim(clinic.invite("state", "orders", **LIMITED))
    told = "监护人 王建国（儿子，老人限制民事行为能力，区法院判决书；老人自己的意愿：愿意女儿来看）"
    assert told in words(clinic.doctor.get(f"/patients/{clinic.mother}/family"))
    clinic.decide("confirm")
    link = clinic.link()
    assert words(clinic.doctor.get(link)).count(told) == 2
    clinic.post(clinic.doctor, f"{link}/consents", purpose=["state"], **GUARDIAN)
    assert "监护人 王建国（儿子，老人无民事行为能力，区法院判决书）" in words(clinic.doctor.get(link))
    refused = clinic.post(clinic.doctor, f"{link}/end", how="patient", **{**GUARDIAN, "basis": ""})
    assert refused.status_code == 422 and 'id="end-basis-fault"' in refused.get_data(as_text=True)
    assert clinic.post(clinic.doctor, f"{link}/end", how="patient", **GUARDIAN).status_code == 303
    with clinic.app.app_context():
        kept = [
            (c.purpose, c.given, c.guardian, c.capacity, c.wish) for c in db.session.scalars(select(Consent))
        ]
        actions = AuditLine.action.startswith("family."), AuditLine.action.startswith("consent.")
        lines = db.session.scalars(select(AuditLine).where(or_(*actions)).order_by(AuditLine.id))
        audited = [(line.action, line.result) for line in lines if line.action != "family.read"]
    assert sorted(kept) == [
        ("orders", False, "王建国", "none", None),
        ("orders", True, "王建国", "limited", "愿意女儿来看"),
        ("state", False, "王建国", "none", None),
        ("state", True, "王建国", "limited", "愿意女儿来看"),
    ]
    assert audited == [
        ("family.invite", "ok:guardian_limited"),
        ("family.claim", "ok"),
        ("consent.give", "ok:orders:guardian_limited"),
        ("consent.give", "ok:state:guardian_limited"),
        ("family.confirm", "ok:guardian_limited"),
        ("consent.withdraw", "ok:orders:guardian_none"),
        ("consent.withdraw", "ok:state:guardian_none"),
        ("family.end", "ok:patient:guardian_none"),
    ]


def test_what_is_asked_of_a_guardian_is_nothing_to_the_person_themself(clinic: Clinic) -> None:
    clinic.claim(clinic.invite("state", **{**LIMITED, "said_by": "本人"}))
    clinic.decide("confirm")
    with clinic.app.app_context():
        kept = db.session.scalars(select(Consent)).one()
        assert (kept.said_by, kept.guardian, kept.capacity, kept.wish) == ("本人", None, None, None)


def test_a_guardian_of_before_is_shown_as_it_was_written(clinic: Clinic) -> None:
    link = clinic.bind()
    with clinic.app.app_context():
        token = writing.set(True)
        found = db.session.scalars(select(FamilyLink)).one()
        db.session.add(
            Consent(
                id=new_id(), patient_id=found.patient_id, link_id=found.id, purpose="state", given=True,
                text_version="2026-06", said_by="监护人", guardian="王建国（儿子）", at=clock.now(),
            )
        )  # fmt: skip
        db.session.commit()
        writing.reset(token)
    assert "监护人 王建国（儿子）" in words(clinic.doctor.get(link))


def test_what_is_withheld_is_said_in_honest_words(clinic: Clinic) -> None:
    clinic.bind()
    home = clinic.home()
    assert "妈妈没有同意您看身体情况，也没有同意看谁看过档案，也没有同意代点服务。" in home
    assert "给妈妈点服务" not in home and "谁看过妈妈的档案" not in home
    assert "没有可以代点的老人" in words(clinic.daughter.get("/orders/new"))
    answer = clinic.daughter.get(f"/family/{clinic.mother}/readers")
    assert answer.status_code == 403 and "老人没有同意家属看谁看过档案" in answer.get_data(as_text=True)
    assert "没有同意" in words(clinic.daughter.get(f"/family/{clinic.mother}"))


def test_readings_are_shown_only_where_they_are_agreed_to(clinic: Clinic, make) -> None:
    from tests.app.family.test_family_home import measured

    measured(clinic.app, clinic.mother, conditions=["hypertension"])
    link = clinic.bind("state", "orders", "readers")
    assert "血压" in clinic.home() and "152/88" not in clinic.home()
    assert "没有同意您看血压、血糖的数值" in clinic.home()
    clinic.agree(link, *ALL)
    assert "152/88" in clinic.home() and "没有同意" not in clinic.home()
    clinic.agree(link, "readings", "orders")  # readings without the state mean nothing
    assert "152/88" not in clinic.home() and "没有同意您看身体情况" in clinic.home()


def wish(clinic: Clinic) -> dict[str, Any]:
    order = {"patient_id": clinic.mother, "service": "Y02", "phone": "13800138000", "wanted_at": in_days(1)}
    return clinic.make.op(clinic.daughter, "order.create", order)


def test_withdrawing_orders_counts_at_once_everywhere(clinic: Clinic) -> None:
    link = clinic.bind(*ALL)
    daughter, make = clinic.daughter, clinic.make
    order = make.push(daughter, wish(clinic))[0]["entity_id"]
    desk = make.signed_in("dispatcher")
    full = {"order_id": order, "to": "rejected", "note": "约满"}
    no = make.op(desk, "order.transition", full, base_revision=1)
    assert make.push(desk, no)[0]["status"] == "applied"
    assert "没有受理" in words(daughter.get("/notices"))
    start = pack(daughter)
    assert {"/family", "/orders", "/orders/new", f"/orders/{order}"} <= start["pages"]
    cursor = daughter.get("/api/sync/pull").get_json()["cursor"]
    clinic.agree(link, "state", "readers")
    assert daughter.get(f"/orders/{order}").status_code == 403
    assert daughter.get(f"/api/orders/{order}").status_code == 404
    assert "助浴" not in words(daughter.get("/orders"))
    assert "没有受理" not in words(daughter.get("/notices"))
    later = daughter.get(f"/api/sync/pull?cursor={cursor}").get_json()
    assert [one["id"] for one in later["removed"]] == [order]
    after = pack(daughter, start["cursor"])
    assert {"/family", "/orders", "/orders/new"} <= after["pages"] and f"/orders/{order}" in after["gone"]
    result = make.push(daughter, wish(clinic))[0]
    assert (result["status"], result["code"]) == ("rejected", "forbidden")
    assert "老人没有同意家属代点服务" in result["detail"]
    move = {"order_id": order, "to": "cancelled", "note": "不去了"}
    result = make.push(daughter, make.op(daughter, "order.transition", move, base_revision=2))[0]
    assert result["code"] == "forbidden" and "没有同意" in result["detail"]
    clinic.agree(link, *ALL)
    again = daughter.get(f"/api/sync/pull?cursor={later['cursor']}").get_json()
    assert order in [one["id"] for one in again["changes"]]
    assert make.push(daughter, wish(clinic))[0]["status"] == "applied"


def pack(client: FlaskClient, cursor: str = "") -> dict[str, Any]:
    lines = [json.loads(line) for line in client.get(f"/api/pack?cursor={cursor}").get_data().splitlines()]
    return {
        "pages": {line["url"] for line in lines if line["t"] == "page"},
        "gone": {line["url"] for line in lines if line["t"] == "gone"},
        "cursor": lines[-1]["cursor"],
    }


@pytest.mark.parametrize("how", ["patient", "clinic", "relative"])
def test_a_binding_ends_by_whoever_wants_it(clinic: Clinic, how: str) -> None:
    link = clinic.bind(*ALL)
    start = pack(clinic.daughter)
    if how == "relative":
        answer = clinic.post(clinic.daughter, f"/family/{clinic.mother}/leave")
    else:
        assert clinic.post(clinic.doctor, f"{link}/end", how="patient").status_code == 422  # who says so?
        answer = clinic.post(clinic.doctor, f"{link}/end", how=how, said_by="本人")
    assert answer.status_code == 303
    assert "还没有绑定老人" in clinic.home()
    after = pack(clinic.daughter, start["cursor"])
    assert {"/family", "/orders/new"} <= after["pages"]
    for url in ("/family/{}", "/family/{}/readers", "/patients/{}/copy"):
        assert clinic.daughter.get(url.format(clinic.mother)).status_code == 404, url
    assert clinic.daughter.get(f"/api/patients/{clinic.mother}").status_code == 404
    result = clinic.make.push(clinic.daughter, wish(clinic))[0]
    assert result["code"] == "not_found"
    assert clinic.doctor.get(link).status_code == 404
    clinic.bind("state")  # and bound anew it begins anew
    assert "张秀兰" in clinic.home()


def test_every_consent_is_kept_with_its_words_and_nothing_is_rewritten(clinic: Clinic) -> None:
    link = clinic.bind("state", "orders")
    clinic.agree(link, "state", "readings")
    clinic.agree(link, "state", "readings")  # the same again is no change
    clinic.post(clinic.daughter, f"/family/{clinic.mother}/leave")
    with clinic.app.app_context():
        rows = list(db.session.scalars(select(Consent).order_by(Consent.at, Consent.id)))
        told = [(row.purpose, row.given, row.said_by, row.text_version) for row in rows]
        assert db.session.scalars(select(FamilyGrant)).all() == []
    assert told == [
        ("orders", True, "本人", "2026-06"),
        ("state", True, "本人", "2026-06"),
        ("readings", True, "本人", "2026-06"),
        ("orders", False, "本人", "2026-06"),
        ("readings", False, "家属", "2026-06"),
        ("state", False, "家属", "2026-06"),
    ]


def test_the_database_itself_refuses_to_rewrite_a_consent(clinic: Clinic) -> None:
    clinic.bind("state")
    with clinic.app.app_context():
        token = writing.set(True)
        with pytest.raises(DBAPIError):
            db.session.execute(update(Consent).values(given=False))
        db.session.rollback()
        writing.reset(token)


def test_the_clinic_reads_back_what_was_consented_to(clinic: Clinic) -> None:
    page = words(clinic.doctor.get(clinic.bind("orders")))
    assert "同意 代点服务" in page and "宁大夫 记录" in page and "2026-06 版" in page
    assert "同意这位家属替我点上门服务" in page
