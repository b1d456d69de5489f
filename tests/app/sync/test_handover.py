"""/handover: sealed records brought by somebody else, or by their author from another phone."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.accounts.models import AuditLine, User
from app.extensions import db
from app.shared import clock
from app.sync.models import Handover, Revision
from tests.app.visits import sheets
from tests.factories import OTHER_TOWN, OTHER_VILLAGE
from tests.sealing import seal_bytes, sealed

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Phone:
    """A doctor's phone that cannot send: what it holds can only be handed over."""

    def __init__(self, make, owner: FlaskClient) -> None:
        self.make, self.owner = make, owner
        self.key = owner.get("/api/auth/me").get_json()["seal"]
        self.sealed: list[Any] = []

    def op(self, kind: str, payload: dict[str, Any], **given: Any) -> dict[str, Any]:
        op = self.make.op(self.owner, kind, payload, **given)
        self.sealed.append(sealed(self.key, op))
        return op

    def patient(self, **given: Any) -> dict[str, Any]:
        return self.op("patient.create", self.make.patient_payload(**given))

    def file(self, **given: Any) -> bytes:
        body = {
            "format": "nuanxun-sealed-1",
            "device_id": "device-1",
            "made_at": clock.local(clock.now()).isoformat(timespec="seconds"),
            "sealed": self.sealed,
        }
        return json.dumps({**body, **given}, ensure_ascii=False).encode()


@pytest.fixture
def doctor(make) -> FlaskClient:
    return make.signed_in(make.user("doctor", name="周明"))


@pytest.fixture
def phone(make, doctor) -> Phone:
    return Phone(make, doctor)


@pytest.fixture
def manager(make) -> FlaskClient:
    return make.signed_in(make.user("manager", name="吴管理"))


def bring(client: FlaskClient, file: bytes, name: str = "暖巡.nxq") -> Any:
    form = {"file": (io.BytesIO(file), name), "sealed": ""}
    return client.post("/handover", data=form, headers=SAME_ORIGIN, content_type="multipart/form-data")


def result(client: FlaskClient, answer: Any) -> str:
    """The words of the page that a hand-over leads to."""
    assert answer.status_code == 303, words(answer)
    assert re.fullmatch(r"/handover/[0-9a-f-]{36}", answer.headers["Location"])
    shown = client.get(answer.headers["Location"])
    assert shown.status_code == 200
    return words(shown)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.get_data(as_text=True)))


def counts(client: FlaskClient, answer: Any) -> tuple[int, int, int]:
    """收下, 早已收到, 需处理."""
    found = re.search(r"(\d+)收下 ?(\d+)早已收到 ?(\d+)需处理", result(client, answer))
    assert found is not None
    return int(found[1]), int(found[2]), int(found[3])


def stored(app) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Revision)) or 0


def test_a_manager_hands_over_what_a_doctor_wrote(app, make, doctor, phone, manager) -> None:
    patient = phone.patient()
    visit = phone.op("visit.create", sheets.payload(patient["op_id"]))
    answer = bring(manager, phone.file())
    assert counts(manager, answer) == (2, 0, 0)
    assert "都收下了" in result(manager, answer) and "周明的记录" in result(manager, answer)
    mine = doctor.get(f"/api/visits/{visit['op_id']}").get_json()
    assert mine["author_id"] == doctor.user_id and mine["recorded_at"] == visit["recorded_at"]
    assert make.push(doctor, patient, visit)[1]["status"] == "duplicate"  # the phone came back after all
    page = words(manager.get("/handover"))
    assert "周明 2 条" in page and "收下 2" in page and "1 次" in page


def test_what_is_done_is_its_authors_and_who_brought_it_is_written_down(app, phone, doctor, manager) -> None:
    patient = phone.patient()
    answer = bring(manager, phone.file())
    with app.app_context():
        line = db.session.scalars(select(AuditLine).where(AuditLine.action == "handover.upload")).one()
        assert (line.user_id, line.role) == (manager.user_id, "manager")
        assert answer.headers["Location"].endswith(line.object_id)
        made = db.session.scalars(select(AuditLine).where(AuditLine.object_id == patient["op_id"])).one()
        assert (made.user_id, made.request_id) == (doctor.user_id, line.request_id)
        assert db.session.get_one(Handover, line.object_id).device_id == "device-1"


def test_handing_over_twice_is_harmless(app, phone, manager) -> None:
    phone.patient()
    phone.patient()
    file = phone.file()
    assert counts(manager, bring(manager, file)) == (2, 0, 0)
    before = stored(app)
    assert counts(manager, bring(manager, file)) == (0, 2, 0)
    assert stored(app) == before
    assert "早已收到 2" in words(manager.get("/handover"))


def test_one_hands_over_ones_own(make, doctor, phone) -> None:
    phone.patient()
    assert counts(doctor, bring(doctor, phone.file())) == (1, 0, 0)
    for role in ("family", "provider", "supervisor"):
        assert make.signed_in(role).get("/handover").status_code == 200


@pytest.mark.parametrize("role", ["manager of another town", "nurse", "admin", "family", "supervisor"])
def test_nobody_else_hands_over_and_nothing_is_applied(app, make, phone, role) -> None:
    phone.patient()
    who = make.user("manager", place_code=OTHER_TOWN) if "manager" in role else make.user(role)
    client = make.signed_in(who)
    before = stored(app)
    answer = bring(client, phone.file())
    assert answer.status_code == 403
    assert "都不是您管辖的人写的，一条也没有收下" in words(answer) and "周明" not in words(answer)
    assert stored(app) == before
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Handover)) == 0
        line = db.session.scalars(select(AuditLine).where(AuditLine.action == "handover.upload")).one()
        assert (line.user_id, line.result) == (client.user_id, "forbidden")


def test_of_a_shared_phone_only_ones_own_people_are_taken_on(app, make, phone, manager) -> None:
    far = make.signed_in(make.user("doctor", name="钱多", place_code=OTHER_TOWN))
    theirs = Phone(make, far)
    other = theirs.patient(village_id=OTHER_VILLAGE)
    phone.patient()
    mixed = phone.file(sealed=[*theirs.sealed, *phone.sealed, {**phone.sealed[0], "author_id": "nobody"}])
    answer = bring(manager, mixed)
    assert counts(manager, answer) == (1, 0, 2)
    page = result(manager, answer)
    assert "这条不是您管辖的人写的，没有收下" in page and "钱多" not in page
    assert far.get(f"/api/patients/{other['op_id']}").status_code == 404


def test_an_entry_that_was_tampered_with_does_not_hold_up_the_others(app, phone, manager) -> None:
    first, second, third = (phone.patient() for _ in range(3))
    data = phone.sealed[1]["data"]
    phone.sealed[1] = {**phone.sealed[1], "data": data[:-4] + ("AAAA" if data[-4:] != "AAAA" else "BBBB")}
    answer = bring(manager, phone.file())
    assert counts(manager, answer) == (2, 0, 1)
    assert "服务器打不开这条加密的记录" in result(manager, answer)
    for op, status in ((first, 200), (second, 404), (third, 200)):
        assert manager.get(f"/api/patients/{op['op_id']}").status_code == status


def test_an_entry_under_another_name_than_inside_is_refused(app, make, doctor, phone, manager) -> None:
    nurse = make.signed_in("nurse")
    phone.patient()
    phone.sealed[0] = {**phone.sealed[0], "author_id": nurse.user_id}
    answer = bring(manager, phone.file())
    assert counts(manager, answer) == (0, 0, 1)
    assert "与加密内容里写的不一致" in result(manager, answer)


@ONLY_SQLITE
def test_odd_entries_are_answered_one_by_one(app, phone, manager, database_url) -> None:
    phone.patient()
    good = phone.sealed[0]
    odd: list[Any] = [
        None, 1, "x", [], {}, {"author_id": 7}, {**good, "x": 1}, {**good, "data": ""},
        {**good, "key_id": "1"},
        {**good, "author_id": "\x00"}, {**good, "author_id": "x" * 65}, {**good, "author_id": "\ud800"},
        {**good, "data": seal_bytes(phone.key, b"\x00[]")},
        {**good, "data": seal_bytes(phone.key, b"\x07{}")},
        {**good, "op_id": "\ud800"}, {**good, "data": {"a": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}},
    ]  # fmt: skip
    file = json.dumps(json.loads(phone.file()) | {"sealed": [*odd, good]}).encode()
    answer = bring(manager, file)
    assert counts(manager, answer) == (1, 0, len(odd))
    address = answer.headers["Location"]
    assert manager.post(f"{address}/retry", headers=SAME_ORIGIN).status_code == 303
    assert counts(manager, answer)[0] == 1


def test_what_was_refused_is_told_in_words_and_taken_on_when_it_can_be(app, make, phone, manager) -> None:
    """A visit whose patient nobody has sent yet: refused, kept, and applied once the patient is there."""
    there = make.patient(name="张秀兰")
    patient = phone.patient(name="李不知")
    phone.sealed.clear()
    visit = phone.op("visit.create", sheets.payload(patient["op_id"]))
    phone.op("visit.create", sheets.payload(there, answers={"sbp": 999}))
    answer = bring(manager, phone.file())
    assert counts(manager, answer) == (0, 0, 2)
    page = result(manager, answer)
    assert "它依赖的记录还没有上传" in page and "随访" in page and "周明写的" in page
    assert "张秀兰" in page and "李不知" not in page and "收缩压" in page
    assert re.search(r"\d+月\d+日 \d\d:\d\d", page)
    make.push(phone.owner, patient)
    again = manager.post(f"{answer.headers['Location']}/retry", headers=SAME_ORIGIN)
    assert counts(manager, again) == (1, 0, 1)
    assert manager.get(f"/api/visits/{visit['op_id']}").status_code == 200
    assert counts(manager, manager.post(f"{again.headers['Location']}/retry", headers=SAME_ORIGIN)) == (
        1,
        0,
        1,
    )
    with app.app_context():
        lines = db.session.scalars(select(AuditLine).where(AuditLine.action == "handover.retry")).all()
        assert [line.user_id for line in lines] == [manager.user_id] * 2


def test_a_refused_entry_names_the_field_that_is_wrong(phone, manager) -> None:
    phone.patient(id_card="370406195001010014")
    phone.op("patient.create", {"name": ""})
    page = result(manager, bring(manager, phone.file()))
    assert "新建档案" in page and "身份证号" in page and "电话：必填" in page


def test_what_came_by_itself_meanwhile_counts_as_received(make, phone, manager) -> None:
    patient = phone.patient()
    phone.sealed.clear()
    visit = phone.op("visit.create", sheets.payload(patient["op_id"]))
    answer = bring(manager, phone.file())
    assert counts(manager, answer) == (0, 0, 1)
    make.push(phone.owner, patient, visit)
    assert counts(manager, manager.post(f"{answer.headers['Location']}/retry", headers=SAME_ORIGIN)) == (
        0,
        1,
        0,
    )


def test_a_patient_out_of_the_readers_scope_is_not_named(make, phone, manager) -> None:
    """The doctor wrote about somebody of another town: the manager learns no name and no finding."""
    far = make.patient(name="远方人", village_id=OTHER_VILLAGE)
    phone.op("visit.create", sheets.payload(far, answers={"sbp": 999}))
    correction = make.patient(name="近处人")
    seen = make.push(phone.owner, make.op(phone.owner, "visit.create", sheets.payload(correction)))[0]
    phone.op("visit.correct", sheets.correction(seen["entity_id"]), base_revision=7)
    page = result(manager, bring(manager, phone.file()))
    assert "远方人" not in page and "收缩压" not in page
    assert "近处人" in page and "更正随访" in page and "这次随访已被他人更正" in page


def test_the_files_order_holds_across_authors(app, make, doctor, phone, manager) -> None:
    nurse = Phone(make, make.signed_in(make.user("nurse", name="孙护士")))
    patient = phone.patient()
    visit = nurse.op("visit.create", sheets.payload(patient["op_id"]))
    late = phone.op("visit.create", sheets.payload(patient["op_id"], "adl"))
    file = phone.file(sealed=[phone.sealed[0], nurse.sealed[0], phone.sealed[1]])
    answer = bring(manager, file)
    assert counts(manager, answer) == (3, 0, 0)
    assert "周明、孙护士的记录" in result(manager, answer)
    assert doctor.get(f"/api/visits/{visit['op_id']}").get_json()["author_id"] == nurse.owner.user_id
    assert doctor.get(f"/api/visits/{late['op_id']}").status_code == 200


def test_more_than_one_batch_is_taken_on_in_one_go(make, phone, manager) -> None:
    for _ in range(101):
        phone.patient()
    assert counts(manager, bring(manager, phone.file())) == (101, 0, 0)


def test_the_work_of_somebody_who_has_left_is_still_taken_on(app, doctor, phone, manager) -> None:
    phone.patient()
    with app.app_context():
        db.session.get_one(User, doctor.user_id).active = False
        db.session.commit()
    assert counts(manager, bring(manager, phone.file())) == (1, 0, 0)


@pytest.mark.parametrize("days", [-3, 0, 1826])
def test_neither_an_old_file_nor_a_clock_that_runs_ahead_costs_a_visit(make, phone, manager, days) -> None:
    patient = make.patient()
    then = clock.local(clock.now() + timedelta(days=days)).isoformat(timespec="seconds")
    phone.op("visit.create", sheets.payload(patient, visited_at=then), recorded_at=then)
    assert counts(manager, bring(manager, phone.file(made_at=then))) == (1, 0, 0)


def test_a_qr_code_is_taken_on_like_a_file(phone, manager) -> None:
    phone.patient()
    text = json.dumps({"sealed": phone.sealed})
    answer = manager.post("/handover", data={"sealed": text}, headers=SAME_ORIGIN)
    assert counts(manager, answer) == (1, 0, 0)
    again = manager.post("/handover", data={"sealed": text}, headers=SAME_ORIGIN)
    assert counts(manager, again) == (0, 1, 0)
    for odd in ("x", "[]", "{}", '{"sealed":[]}', '{"sealed":{}}', '{"sealed":[1],"sealed":[2]}'):
        no = manager.post("/handover", data={"sealed": odd}, headers=SAME_ORIGIN)
        assert no.status_code == 422 and "这个二维码里没有暖巡的记录" in words(no), odd


@ONLY_SQLITE
def test_what_is_no_file_of_ours_is_refused_in_words(app, phone, manager, database_url) -> None:
    phone.patient()
    before = stored(app)
    for file, status, said in (
        (b"", 422, "这个文件是空的"),
        (b"\xff\xfe\x00", 422, "这不是从暖巡存下来的文件"),
        (b"PK\x03\x04 not this", 422, "这不是从暖巡存下来的文件"),
        (b"null", 422, "应为对象"),
        (b"[" * 100_000, 422, "这不是从暖巡存下来的文件"),
        (phone.file()[:-20], 422, "文件不完整"),
        (phone.file(format="nuanxun-sealed-2"), 422, "format 不是这一版能读的格式"),
        (phone.file(format=None), 422, "format 不能为空"),
        (phone.file(device_id=""), 422, "device_id 长度应为 1 到 64"),
        (phone.file(made_at="yesterday"), 422, "made_at 时间格式不对"),
        (phone.file(extra=1), 422, "extra 不认识的字段"),
        (phone.file(sealed=[]), 422, "sealed 里面没有记录"),
        (phone.file(sealed="x"), 422, "sealed 应为数组"),
        (phone.file(sealed=[1] * 2001), 413, "一次最多交 2000 条"),
        (phone.file().replace(b"device-1", b"a\\u0000b"), 422, "这不是从暖巡存下来的文件"),
        (b"x" * (8 * 1024 * 1024 + 1), 413, "文件过大，最多 8 MB"),
        (b"x" * (9 * 1024 * 1024), 413, "文件过大，最多 8 MB"),
    ):
        answer = bring(manager, file)
        assert answer.status_code == status, (file[:40], answer.status_code)
        assert said in words(answer), (file[:40], said)
        assert 'id="file-fault"' in answer.get_data(as_text=True)
    assert stored(app) == before
    nothing = manager.post("/handover", data={}, headers=SAME_ORIGIN)
    assert nothing.status_code == 422 and "请选择" in words(nothing)


@ONLY_SQLITE
def test_a_file_larger_than_any_other_body_is_taken(app, phone, manager, database_url) -> None:
    """Only this door takes more than 2 MiB."""
    phone.patient()
    good = phone.sealed[0]
    padded = [{**good, "data": "A" * 170_000} for _ in range(40)]
    answer = bring(manager, phone.file(sealed=[*padded, good]))
    assert counts(manager, answer) == (1, 0, 40)
    big = {"data": "A" * (3 * 1024 * 1024)}
    assert manager.post("/me/care-mode", data=big, headers=SAME_ORIGIN).status_code == 413
    assert manager.post("/handover", data={"sealed": big["data"]}, headers=SAME_ORIGIN).status_code == 413


def test_a_hand_over_is_for_the_eyes_of_who_made_it(make, phone, manager, doctor, client) -> None:
    phone.patient()
    address = bring(manager, phone.file()).headers["Location"]
    colleague = make.signed_in("manager")
    for who in (doctor, colleague, make.signed_in("admin")):
        assert who.get(address).status_code == 404
        assert who.post(f"{address}/retry", headers=SAME_ORIGIN).status_code == 404
        assert "周明 1 条" not in words(who.get("/handover"))
    assert manager.get("/handover/nothing").status_code == 404
    assert client.get(address).status_code == 302
    assert client.post("/handover", data={}, headers=SAME_ORIGIN).status_code == 401
    assert (
        manager.post("/handover", data={"sealed": "x"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code
        == 403
    )


def test_too_many_in_a_minute_are_asked_to_wait(phone, manager, monkeypatch) -> None:
    monkeypatch.setattr("app.sync.handover_pages.HANDOVERS_A_MINUTE", 1)
    phone.patient()
    assert bring(manager, phone.file()).status_code == 303
    answer = bring(manager, phone.file())
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert "操作太频繁" in words(answer)


def test_the_way_to_the_page_is_on_ones_own(make, manager, doctor) -> None:
    for client, there in ((manager, True), (doctor, True), (make.signed_in("family"), False)):
        assert ('href="/handover"' in client.get("/me").get_data(as_text=True)) is there
    assert "也可以交本镇医生护士的" in words(manager.get("/handover"))
    assert "还没有交过" in words(doctor.get("/handover"))
