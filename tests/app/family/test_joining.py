"""A relative joins with the clinic's code alone, and the pages tell nobody more than that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts.models import AuditLine, LoginSession, SignInStep, User
from app.extensions import db, writing
from app.jobs import runner, work
from app.notices import service as notices
from app.notices.models import Notice, SmsMessage
from app.patients.models import FamilyInvitation
from tests.app.accounts.door import notices_of, pass_by, post, words
from tests.app.notices.test_notices import Provider
from tests.app.patients.test_bindings import Clinic
from tests.factories import PASSWORD, Factory
from tests.worlds import Begin

pytestmark = pytest.mark.usefixtures("quick_argon2")
PHONE = "13812345678"
CHOSEN = "梅花 47 朵开在山亭"
MINE = {"name": "王小梅", "phone": PHONE, "relation": "奶奶", "password": CHOSEN, "device_id": "her-phone"}
WRONG = "绑定码不对，或者已经用过、过期。请卫生室重新给一个。"


@pytest.fixture
def clinic(begin: Begin) -> Clinic:
    return begin(Clinic)


@pytest.fixture
def provider(app: Flask) -> Iterator[Provider]:
    app.config["SMS_SIGN_IN"] = True
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


def join(client: Any, code: str, address: str = "127.0.0.1", **given: str) -> Any:
    return post(client, "/sign-in/join", address, **{**MINE, "code": code, **given})


def give(client: Any, code: str) -> Any:
    return post(client, "/sign-in/join/code", code=code)


def sign_in(client: Any, name: str = PHONE, password: str = CHOSEN) -> Any:
    return post(client, "/sign-in", username=name, password=password, next="/family/bind")


def sent(app: Flask, provider: Provider) -> list[str]:
    with app.app_context():
        notices.send_due(sender=provider.sender())
    return [got["Body"][0] for got in provider.got]


def code_in(text: str) -> str:
    found = re.search(r"验证码 (\d{6})", text)
    assert found is not None, text
    return found[1]


def found(app: Flask, phone: str = PHONE) -> User | None:
    with app.app_context():
        return db.session.scalar(select(User).where(User.phone == phone))


def counted(app: Flask, *models: Any) -> list[int]:
    with app.app_context():
        return [db.session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def audited(app: Flask) -> list[tuple[str, bool]]:
    with app.app_context():
        lines = db.session.scalars(
            select(AuditLine).where(AuditLine.action == "family.join").order_by(AuditLine.id)
        )
        return [(line.result, line.user_id is not None) for line in lines]


def test_a_granddaughter_joins_with_a_password_and_waits_for_the_clinic(clinic: Clinic, client) -> None:
    assert 'href="/sign-in/join"' in client.get("/sign-in").get_data(as_text=True)
    page = client.get("/sign-in/join").get_data(as_text=True)
    assert "data-care" in page and 'name="code"' in page and "<script>" not in page
    answer = join(client, clinic.invite("state", "orders"), phone=" +86 138-1234-5678 ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?joined&next=/family/bind")
    told = client.get(answer.headers["Location"])
    assert "绑定码收到了。请用刚才填的手机号和密码登录" in words(
        told
    ) and 'value="/family/bind"' in told.get_data(True)
    assert sign_in(client).headers["Location"] == "/family/bind"
    assert "等卫生室确认" in words(client.get("/family/bind"))
    assert "还没有绑定老人" in words(client.get("/family")) and "张秀兰" not in words(client.get("/family"))
    assert client.get(f"/api/patients/{clinic.mother}").status_code == 404
    page = words(clinic.doctor.get(f"/patients/{clinic.mother}/family"))
    assert "王小梅" in page and "138****5678" in page and "奶奶" in page and "家属自己注册的" in page
    assert "有家属等您确认" in words(clinic.doctor.get("/notices"))
    assert clinic.decide("confirm").status_code == 303
    assert "张秀兰" in words(client.get("/family"))
    user = found(clinic.app)
    assert user is not None and (user.role, user.name, user.active) == ("family", "王小梅", True)
    assert user.password_hash.startswith("$argon2") and audited(clinic.app) == [("ok", True)]


def test_with_text_messages_the_number_is_proved_first(clinic: Clinic, client, provider) -> None:
    code = clinic.invite("state")
    answer = join(client, code, password="")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in/join/code")
    assert found(clinic.app) is None
    with clinic.app.app_context():
        step, message = (
            db.session.scalars(select(SignInStep)).one(),
            db.session.scalars(select(SmsMessage)).one(),
        )
        assert PHONE not in step.carries and "王小梅" not in step.carries and message.text.startswith("v1:")
    assert "138****5678" in words(client.get("/sign-in/join/code"))
    (text,) = sent(clinic.app, provider)
    assert provider.got[0]["To"] == ["+86" + PHONE] and text.startswith("【暖巡】家属注册验证码")
    assert give(clinic.app.test_client(), code_in(text)).status_code == 401  # another browser
    answer = give(client, code_in(text))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/family/bind?sent")
    assert "等卫生室确认" in words(client.get("/family"))
    assert client.get("/api/auth/me").get_json()["user"]["name"] == "王小梅"
    assert give(client, code_in(text)).status_code == 401  # used up
    assert audited(clinic.app) == [("ok", True)]
    assert clinic.decide("confirm").status_code == 303 and "张秀兰" in words(client.get("/family"))


def test_codes_that_open_nothing_answer_alike_and_store_nothing(clinic: Clinic, client, monkeypatch) -> None:
    used = clinic.invite("state")
    assert clinic.claim(used).status_code == 303
    withdrawn = clinic.invite("state")
    clinic.decide("dismiss")
    late = clinic.invite("state")
    before = counted(clinic.app, User, Notice, LoginSession, FamilyInvitation, SmsMessage, SignInStep)
    told = []
    for code in ("aaaa-bbbb", used, withdrawn, "'; --"):
        told.append(join(client, code))
    pass_by(monkeypatch, hours=73)
    told.append(join(client, late))
    pages = {re.sub(r'(id="code"[^>]*) value="[^"]*"', r"\1", a.get_data(as_text=True)) for a in told}
    assert {a.status_code for a in told} == {422} and len(pages) == 1 and WRONG in pages.pop()
    assert counted(clinic.app, User, Notice, LoginSession, FamilyInvitation, SmsMessage, SignInStep) == before
    assert audited(clinic.app) == [("refused:code", False)] * 5


@pytest.mark.parametrize("by_text", [False, True])
def test_a_number_that_has_an_account_is_answered_like_any_other(
    clinic: Clinic, make, provider, by_text: bool, monkeypatch
) -> None:
    clinic.app.config["SMS_SIGN_IN"] = by_text
    make.user("doctor", phone="13812345670")
    gone = make.user("family", phone="13812345671")
    with clinic.app.app_context():
        token = writing.set(True)
        make.get_user(gone).active = False
        db.session.commit()
        writing.reset(token)
    told = {}
    for phone in ("13812345670", "13812345671", "13900004321", "13812345672"):
        client = clinic.app.test_client()
        answer = join(client, clinic.invite("state"), phone=phone)
        page = client.get(answer.headers["Location"])
        wrong = give(client, "000000")
        told[phone] = [
            (answer.status_code, answer.headers["Location"]),
            words(page).replace(f"{phone[:3]}****{phone[-4:]}", ""),
            (wrong.status_code, words(wrong).replace(f"{phone[:3]}****{phone[-4:]}", "")),
        ]
        assert client.get_cookie("session") is None
        clinic.decide("dismiss")
    assert all(said == told["13812345672"] for said in told.values())
    with clinic.app.app_context():
        assert db.session.scalar(select(func.count()).where(User.role == "family")) == (2 if by_text else 3)
    if by_text:
        texts = dict(
            zip((got["To"][0][3:] for got in provider.got), sent(clinic.app, provider), strict=False)
        )
        texts = {got["To"][0][3:]: got["Body"][0] for got in provider.got}
        for phone in ("13812345670", "13812345671"):
            assert "这个手机号已有账号" in texts[phone] and not re.search(r"\d{6}", texts[phone])
        assert code_in(texts["13812345672"]) and code_in(texts["13900004321"])
    else:
        assert "有人用您的手机号注册家属账号" in notices_of(clinic.app, clinic.daughter.user_id)


def test_whoever_has_an_account_already_comes_into_it_by_the_message(
    clinic: Clinic, client, provider
) -> None:
    before = counted(clinic.app, User)
    join(client, clinic.invite("state"), phone="13900004321", name="别人写的名字")
    answer = give(client, code_in(sent(clinic.app, provider)[0]))
    assert answer.status_code == 303
    me = client.get("/api/auth/me").get_json()["user"]
    assert (me["id"], me["name"]) == (clinic.daughter.user_id, "女儿") and counted(clinic.app, User) == before
    assert "等卫生室确认" in clinic.home()
    assert (
        sign_in(clinic.app.test_client(), clinic.daughter.username, PASSWORD).status_code == 303
    )  # as before


@pytest.mark.parametrize("by_text", [False, True])
def test_an_account_that_came_to_nothing_gives_way(clinic: Clinic, client, provider, by_text: bool) -> None:
    clinic.app.config["SMS_SIGN_IN"] = False
    join(client, clinic.invite("state"), name="借号的人")
    sign_in(client)
    waits = found(clinic.app)
    assert waits is not None
    clinic.app.config["SMS_SIGN_IN"] = by_text
    clinic.decide("dismiss")
    owner = clinic.app.test_client()
    join(owner, clinic.invite("state"))
    if by_text:
        assert give(owner, code_in(sent(clinic.app, provider)[-1])).status_code == 303
    else:
        assert sign_in(owner).headers["Location"] == "/family/bind"
    now = found(clinic.app)
    assert now is not None and (now.name, now.id == waits.id) == ("王小梅", False)
    assert client.get("/family").status_code == 302  # the other one is out


def test_a_code_taken_meanwhile_makes_no_account(clinic: Clinic, client, provider) -> None:
    code = clinic.invite("state")
    join(client, code)
    assert clinic.claim(code).status_code == 303
    before = counted(clinic.app, User, LoginSession)
    answer = give(client, code_in(sent(clinic.app, provider)[0]))
    assert answer.status_code == 422 and WRONG in words(answer) and "重新填写" in words(answer)
    assert counted(clinic.app, User, LoginSession) == before


def test_two_relatives_of_one_code_are_one(clinic: Clinic, client, provider) -> None:
    code = clinic.invite("state")
    son = clinic.app.test_client()
    join(client, code)
    join(son, code, phone="13812345679", name="王小山")
    first, second = (code_in(text) for text in sent(clinic.app, provider))
    assert give(son, second).status_code == 303
    assert give(client, first).status_code == 422 and found(clinic.app) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("code", " ", "请填写卫生室给的绑定码"),
        ("code", "a" * 31, "请填写卫生室给的绑定码"),
        ("name", "\u3164", "请写您的姓名"),
        ("name", "王" * 51, "请写您的姓名"),
        ("name", "a\u202eb", "请写您的姓名"),
        ("phone", "1381234567", "请填写 11 位手机号"),
        ("phone", "２３812345678", "请填写 11 位手机号"),
        ("relation", "", "请写您怎么称呼老人"),
        ("password", "", "密码至少 8 个字"),
        ("password", "password123", "太多人用"),
        ("password", "13812345678", "密码里有您的账号、手机号或姓名"),
        ("password", "wangxiaomei", "密码里有您的账号、手机号或姓名"),
        ("password", "x" * 257, "密码最多 256 个字"),
    ],
)
def test_a_wrong_field_is_named_and_the_rest_is_kept(clinic: Clinic, client, name, value, said) -> None:
    code = clinic.invite("state")
    before = counted(clinic.app, User, Notice, SignInStep)
    answer = post(client, "/sign-in/join", **{**MINE, "code": code, name: value})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and said in page and f'id="{name}-fault"' in page
    for other in {"name", "phone", "relation"} - {name}:
        assert f'value="{MINE[other]}"' in page
    assert CHOSEN not in page and counted(clinic.app, User, Notice, SignInStep) == before
    assert join(client, code).status_code == 303


def test_all_that_is_wrong_is_said_at_once(client) -> None:
    page = post(client, "/sign-in/join").get_data(as_text=True)
    assert page.count("aria-invalid") == 5 and "有 5 处要改" in page


def test_guessing_is_slowed_down_by_address_and_in_all(clinic: Clinic, client, monkeypatch) -> None:
    monkeypatch.setattr("app.family.joining.FORMS_AN_HOUR", 3)
    code = clinic.invite("state")
    answers = [join(client, f"aaaa-bbb{n}", "10.0.0.1") for n in range(4)]
    assert [a.status_code for a in answers] == [422] * 3 + [429] and int(
        answers[-1].headers["Retry-After"]
    ) > 0
    assert join(client, code, "10.0.0.1").status_code == 429  # the right one, too
    monkeypatch.setattr("app.patients.bindings.TRIES_OF_ALL", 4)
    assert join(client, "aaaa-bbbb", "10.0.0.2").status_code == 422
    assert join(client, code, "10.0.0.3").status_code == 429
    assert clinic.claim(code).status_code == 429  # one ceiling for both ways in
    page = words(join(client, code, "10.0.0.3"))
    assert "操作太频繁" in page


def test_one_code_is_no_way_to_try_a_list_of_numbers(clinic: Clinic, client, make, monkeypatch) -> None:
    monkeypatch.setattr("app.family.joining.USES_OF_A_CODE", 2)
    code = clinic.invite("state")
    answers = [join(client, code, phone="13900004321").status_code for _ in range(3)]
    assert answers == [303, 303, 429]


def test_a_number_gets_one_message_a_minute_here_too(clinic: Clinic, client, provider, monkeypatch) -> None:
    code = clinic.invite("state")
    assert join(client, code).status_code == 303
    assert join(client, code).status_code == 429
    assert post(client, "/sign-in/sms", phone=PHONE).status_code == 429
    pass_by(monkeypatch, seconds=61)
    assert join(client, code).status_code == 303
    first, second = (code_in(text) for text in sent(clinic.app, provider))
    assert first == second or give(client, first).status_code == 401  # the newest counts
    assert give(client, second).status_code == 303


def test_wrong_codes_run_out(clinic: Clinic, client, provider) -> None:
    clinic.app.config["SIGN_IN_TRIES"] = 10
    join(client, clinic.invite("state"))
    right = code_in(sent(clinic.app, provider)[0])
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    assert [words(give(client, wrong)).count("验证码不对") for _ in range(5)] == [1] * 5
    answer = give(client, right)
    assert answer.status_code == 401 and "重新填写" in words(answer) and found(clinic.app) is None


def test_who_is_signed_in_is_led_on_or_told(clinic: Clinic) -> None:
    code = clinic.invite("state")
    assert clinic.daughter.get("/sign-in/join").headers["Location"] == "/family/bind"
    assert join(clinic.daughter, code).headers["Location"] == "/family/bind"
    page = clinic.doctor.get("/sign-in/join")
    assert "这台手机已有人登录" in words(page) and 'name="code"' not in page.get_data(as_text=True)
    assert join(clinic.doctor, code).status_code == 422 and found(clinic.app) is None
    assert clinic.claim(code).status_code == 303


def test_the_code_page_leads_back_where_nothing_waits(client) -> None:
    assert client.get("/sign-in/join/code").headers["Location"] == "/sign-in/join"
    answer = give(client, "123456")
    assert answer.status_code == 401 and "从头再来" in words(answer)


def lapse(app: Flask) -> str:
    return runner.run(app, work.find("lapse-accounts"))


def test_an_account_nobody_confirmed_is_disabled_after_thirty_days(
    clinic: Clinic, client, monkeypatch
) -> None:
    join(client, clinic.invite("state"))
    sign_in(client)
    user = found(clinic.app)
    assert user is not None
    pass_by(monkeypatch, days=29)
    assert lapse(clinic.app) == "nothing"
    pass_by(monkeypatch, days=2)
    assert lapse(clinic.app) == "done"
    assert client.get("/family").status_code == 302  # signed out
    assert sign_in(client).status_code == 401
    with clinic.app.app_context():
        left = db.session.get_one(User, user.id)
        assert (left.active, left.phone) == (False, None)
        line = db.session.scalars(select(AuditLine).where(AuditLine.action == "user.disable")).one()
        assert (line.object_id, line.result) == (user.id, "ok")
    pass_by(monkeypatch, days=1)
    assert lapse(clinic.app) == "nothing"
    clinic.doctor = clinic.make.signed_in(clinic.doctor.username)
    assert (
        join(clinic.app.test_client(), clinic.invite("state")).status_code == 303
    )  # the number is free again
    again = found(clinic.app)
    assert again is not None and again.id != user.id


def test_who_was_confirmed_who_waits_and_whom_the_office_made_are_left_alone(
    clinic: Clinic, client, make, monkeypatch
) -> None:
    join(client, clinic.invite("state"))
    clinic.decide("confirm")
    make.user("family", phone="13812345679")
    pass_by(monkeypatch, days=20)
    clinic.doctor = make.signed_in(clinic.doctor.username)
    waits = clinic.app.test_client()
    join(waits, clinic.invite("state"), phone="13812345670")
    pass_by(monkeypatch, days=11)
    again = make.signed_in(clinic.doctor.username)
    clinic.doctor = again
    assert lapse(clinic.app) == "nothing"
    for phone in (PHONE, "13812345679", "13812345670"):
        user = found(clinic.app, phone)
        assert user is not None and user.active, phone
    sign_in(waits, "13812345670")
    monkeypatch.setattr("app.family.joining.BATCH", 1)
    pass_by(monkeypatch, days=9, hours=1)
    waits = clinic.app.test_client()
    sign_in(waits, "13812345670")
    assert post(waits, "/family/bind", code=clinic_code(clinic, make), relation="奶奶").status_code == 303
    pass_by(monkeypatch, days=2)
    assert lapse(clinic.app) == "nothing"  # entered another code, which the clinic has not answered yet
    pass_by(monkeypatch, days=14)
    assert lapse(clinic.app) == "done" and found(clinic.app, "13812345670") is None
    assert found(clinic.app) is not None


def clinic_code(clinic: Clinic, make: Factory) -> str:
    clinic.doctor = make.signed_in(clinic.doctor.username)
    return clinic.invite("state")
