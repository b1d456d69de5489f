"""Who is told, once; and short messages over real HTTP, never twice."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.notices import rules, service
from app.notices.models import Notice, SmsMessage
from app.notices.senders import Console, international, masked
from app.notices.twilio_sender import Twilio
from app.shared import clock
from tests.app.orders.town import Town
from tests.factories import Factory


class Provider:
    """A local HTTP server that stands where the SMS provider's API stands; `answers` is what it says next."""

    def __init__(self) -> None:
        self.answers: list[int | str] = []
        self.got: list[dict[str, list[str]]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.got.append(
                    {**parse_qs(body), "path": [self.path], "auth": [self.headers["Authorization"]]}
                )
                answer = provider.answers.pop(0) if provider.answers else 201
                if answer == "hang up":
                    self.connection.close()
                    return
                said = (
                    {"sid": f"SM{len(provider.got):032d}"}
                    if answer == 201
                    else {"code": 20500, "message": "no"}
                )
                raw = json.dumps(said).encode()
                self.send_response(int(answer))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def sender(self) -> Twilio:
        return Twilio("AC" + "0" * 32, "token", "+15005550006", self.url)


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def reader(make: Factory) -> str:
    return make.user_id(make.user("family", phone="13812345678"))


def tell(reader: str, key: str = "k") -> None:
    service.notify([reader], "test", "标题", "正文里有病情", "/orders", sms=True, key=key)
    db.session.commit()


def message() -> SmsMessage:
    db.session.rollback()
    found = db.session.scalar(select(SmsMessage).execution_options(populate_existing=True))
    assert found is not None
    return found


def in_time(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    later = clock.now() + timedelta(minutes=minutes)
    monkeypatch.setattr(clock, "now", lambda: later)


def test_the_same_thing_is_told_once(context: Flask, reader: str) -> None:
    tell(reader)
    tell(reader)
    assert service.notify([reader, reader], "test", "又一条", "", "/orders") == 1
    db.session.commit()
    assert len(db.session.scalars(select(Notice)).all()) == 2
    assert len(db.session.scalars(select(SmsMessage)).all()) == 1


def test_a_message_goes_out_once_and_says_nothing_of_health(
    context: Flask, reader: str, provider: Provider
) -> None:
    tell(reader)
    assert service.send_due(sender=provider.sender()) == {"sent": 1}
    assert service.send_due(sender=provider.sender()) == {}
    (got,) = provider.got
    assert got["To"] == ["+8613812345678"]
    assert got["Body"] == ["【暖巡】您有一条新消息，请打开暖巡查看。"]
    assert got["path"][0].endswith("/Messages.json")
    sent = message()
    assert (sent.state, sent.provider_id, sent.tries) == ("sent", "SM" + "1".zfill(32), 1)


def test_the_providers_trouble_is_waited_out(
    context: Flask, reader: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(reader)
    provider.answers = [500, 429, 201]
    assert service.send_due(sender=provider.sender()) == {"queued": 1}
    assert service.send_due(sender=provider.sender()) == {}  # not before its time
    in_time(monkeypatch, 1.1)
    assert service.send_due(sender=provider.sender()) == {"queued": 1}
    in_time(monkeypatch, 5.1)
    assert service.send_due(sender=provider.sender()) == {"sent": 1}
    assert (len(provider.got), message().tries) == (3, 3)


def test_after_five_tries_it_is_given_up(
    context: Flask, reader: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(reader)
    provider.answers = [503] * 9
    for wait in (0, 1.1, 5.1, 30.1, 120.1, 999):
        in_time(monkeypatch, wait)
        service.send_due(sender=provider.sender())
    assert (len(provider.got), message().state) == (5, "failed")
    assert [rules.wait_after(n) for n in range(1, 6)] == [
        *(timedelta(minutes=m) for m in (1, 5, 30, 120)),
        None,
    ]


def test_a_wrong_number_is_not_tried_again(context: Flask, reader: str, provider: Provider) -> None:
    tell(reader)
    provider.answers = [400]
    assert service.send_due(sender=provider.sender()) == {"failed": 1}


def test_a_lost_answer_is_never_sent_again_by_itself(
    context: Flask, reader: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(reader)
    provider.answers = ["hang up"]
    assert service.send_due(sender=provider.sender()) == {"unknown": 1}
    in_time(monkeypatch, 999)
    assert service.send_due(sender=provider.sender()) == {}
    assert len(provider.got) == 1


def test_a_provider_that_is_not_there_is_tried_again(context: Flask, reader: str) -> None:
    tell(reader)
    gone = Provider()
    gone.server.shutdown()
    gone.server.server_close()
    assert service.send_due(sender=gone.sender()) == {"queued": 1}


def test_a_sender_that_died_half_way_leaves_the_message_to_a_person(
    context: Flask, reader: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dies:
        def send(self, phone: str, text: str) -> str:
            raise KeyboardInterrupt

    tell(reader)
    with pytest.raises(KeyboardInterrupt):
        service.send_due(sender=Dies())
    assert message().state == "sending"
    assert service.send_due(sender=provider.sender()) == {}
    in_time(monkeypatch, 6)
    assert service.send_due(sender=provider.sender()) == {"unknown": 1}
    assert provider.got == []


def test_two_schedulers_send_one_message_once(
    app: Flask, context: Flask, reader: str, provider: Provider
) -> None:
    for number in range(6):
        tell(reader, f"k{number}")
    ready = threading.Barrier(2)

    def run() -> None:
        with app.app_context():
            ready.wait()
            service.send_due(sender=provider.sender())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(provider.got) == 6


def test_the_console_names_neither_number_nor_text(
    context: Flask, reader: str, caplog: pytest.LogCaptureFixture
) -> None:
    tell(reader)
    with caplog.at_level(logging.INFO, logger="nuanxun.sms"):
        assert service.send_due() == {"sent": 1}
    assert "138****5678" in caplog.text
    assert "13812345678" not in caplog.text
    assert "消息" not in caplog.text
    assert Console().send("0632-8811234", "x").startswith("console-")


def test_numbers_go_abroad_in_the_form_providers_want() -> None:
    assert international("13812345678") == "+8613812345678"
    assert international("0632-8811234") == "+866328811234"
    assert masked("13812345678") == "138****5678"


def test_everybody_concerned_is_told_of_an_order_exactly_once(app: Flask, make: Factory) -> None:
    town = Town(app, make)
    order_id = town.order()
    step = town.op(town.village, order_id, "scheduled", 1, assignee_id=town.provider.user_id)
    town.make.push(town.village, step, step)
    town.make.push(town.village, step)
    for base, to in enumerate(("accepted", "en_route", "in_service", "done"), start=2):
        town.done(town.provider, order_id, to, base)
    town.done(town.family, order_id, "confirmed", 6, rating={"overall": 1})
    with app.app_context():
        told = {
            who: [
                n.kind
                for n in db.session.scalars(
                    select(Notice)
                    .where(Notice.user_id == client.user_id)
                    .order_by(Notice.created_at, Notice.id)
                )
            ]
            for who, client in (
                ("family", town.family),
                ("village", town.village),
                ("provider", town.provider),
                ("dispatcher", town.dispatcher),
            )
        }
        texts = db.session.scalars(select(SmsMessage.text)).all()
    assert told == {
        "family": ["order.scheduled", "order.en_route", "order.done"],
        "provider": ["order.scheduled"],
        "village": ["order.submitted", "order.confirmed"],
        "dispatcher": ["order.submitted", "order.confirmed"],
    }
    assert len(texts) == 4
    assert not [text for text in texts if "助浴" in text or "安心宁" in text]


def test_the_inbox_marks_what_was_read_and_belongs_to_one_person(app: Flask, make: Factory) -> None:
    town = Town(app, make)
    order_id = town.order()
    html = town.village.get("/notices").get_data(as_text=True)
    assert "1 条未读" in html
    notice_id = html.split('action="/notices/')[1].split("/read")[0]
    same = {"Origin": "http://localhost"}
    assert town.family.post(f"/notices/{notice_id}/read", headers=same).status_code == 404
    answer = town.village.post(f"/notices/{notice_id}/read", headers=same)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk")
    assert "未读" not in town.village.get("/notices").get_data(as_text=True)
    town.done(town.village, order_id, "rejected", 1, note="人手已满")
    town.family.post("/notices/read", headers=same)
    assert "未读" not in town.family.get("/notices").get_data(as_text=True)
