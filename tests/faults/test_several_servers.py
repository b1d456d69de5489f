"""Three app servers, each with a scheduler, on one PostgreSQL: one address could stand before them."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db, writing
from app.jobs import work
from app.notices import service as notices
from app.shared import clock
from tests.factories import Factory
from tests.faults.drive import check, errors_in, fresh_database
from tests.faults.phone import Line, Phone, Puller
from tests.faults.server import PAUSE_S, SECRET, Program, Server, request

OPS_EACH = 36
# What is done at the start and then not for most of an hour.
ONCE = {job.name for job in work.JOBS if job.rest >= timedelta(minutes=50)}
WATCH = """
CREATE TABLE seen_runs (name text);
CREATE FUNCTION see_run() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO seen_runs VALUES (NEW.name); RETURN NEW; END $$;
CREATE TRIGGER see_run AFTER INSERT ON job_runs FOR EACH ROW EXECUTE FUNCTION see_run();
"""


class House:
    """The three, and the database they share."""

    def __init__(self, url: str, folder: Path) -> None:
        self.app: Flask = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
        self.make = Factory(self.app)
        with self.app.app_context(), db.engine.begin() as connection:
            connection.execute(text(WATCH))
        self.servers = [Server(url, folder / f"server-{n}.log", workers=1) for n in range(3)]
        self.schedulers = [Program(url, folder / f"jobs-{n}.log", "jobs", "run") for n in range(3)]

    def start(self) -> None:
        began = time.monotonic()
        for program in (*self.servers, *self.schedulers):
            program.spawn()
        for server in self.servers:
            server.wait(began, 120)

    def kill(self) -> None:
        for program in (*self.servers, *self.schedulers):
            program.kill()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    def asked(self, statement: str, **values: Any) -> list[Any]:
        with self.app.app_context(), db.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def queue_sms(self, phone: str) -> None:
        with self.app.app_context():
            token = writing.set(True)
            notices.send_code_to(phone, "验证码 123456", clock.now() + timedelta(minutes=10))
            db.session.commit()
            writing.reset(token)

    def sent(self) -> Counter[str]:
        """Telephone -> how often a scheduler said that a message went there."""
        said = "".join(scheduler.log.read_text() for scheduler in self.schedulers)
        lines = [line for line in said.splitlines() if "sms to " in line]
        return Counter(line.partition("sms to ")[2].split(" ")[0][-4:] for line in lines)


def until(true: Callable[[], bool], what: str, wait_s: float = 90) -> None:
    end = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < end, what
        time.sleep(PAUSE_S)


class Everywhere(Puller):
    """Pulls from each server in turn with one cursor."""

    def __init__(self, line: Line, ports: list[int]) -> None:
        super().__init__(line)
        self.ports = itertools.cycle(ports)

    def once(self) -> bool:
        self.line.port = next(self.ports)
        return super().once()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="nuanxun-several-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with fresh_database("postgres", folder) as url:
            made = House(url, folder)
            made.users = [made.make.user("village", username=f"village-{n}") for n in range(4)]  # type: ignore[attr-defined]
            try:
                for number in range(3):
                    made.queue_sms(f"1380000000{number}")
                made.start()
                yield made
            finally:
                made.kill()


def test_phones_that_push_through_all_of_them_lose_and_double_nothing(house) -> None:
    *names, reader = house.users
    puller = Everywhere(Line(house.ports[0], reader), house.ports)
    phones = [
        Phone(Line(port, name), port, number, OPS_EACH, seed=1)
        for number, (port, name) in enumerate(zip(house.ports, names, strict=True))
    ]
    for thread in (puller, *phones):
        thread.start()
    for phone in phones:
        phone.join()
        assert phone.failed is None, phone.failed
    puller.stopping.set()
    puller.join()
    wrong, complaints = check(house.app, phones, puller)
    assert not any(wrong.values()), complaints
    assert sum(errors_in(server.log) for server in house.servers) == 0


def test_a_session_begun_on_one_is_known_to_the_others_and_ends_everywhere(house) -> None:
    here, _, third = house.ports
    line = Line(here, house.users[0])

    def status(port: int) -> int:
        return request(port, "GET", "/api/auth/me", headers={"Cookie": line.cookie})[0]

    assert [status(port) for port in house.ports] == [200, 200, 200]
    assert request(third, "POST", "/api/auth/logout", {}, {"Cookie": line.cookie})[0] == 204
    assert [status(port) for port in house.ports] == [401, 401, 401]


def test_wrong_passwords_are_counted_together(house) -> None:
    wrong = {"username": "village-3", "password": "no", "device_id": "somewhere"}
    told = [request(house.ports[n % 3], "POST", "/api/auth/login", wrong)[0] for n in range(5)]
    assert told[:4] == [401] * 4
    assert [request(port, "POST", "/api/auth/login", wrong)[0] for port in house.ports] == [429] * 3


def test_each_job_that_is_due_is_done_once(house) -> None:
    def runs() -> Counter[str]:
        return Counter(name for (name,) in house.asked("SELECT name FROM seen_runs"))

    until(lambda: runs().keys() >= ONCE and len(house.sent()) == 3, "a job was not run")
    assert {name: count for name, count in runs().items() if name in ONCE} == dict.fromkeys(ONCE, 1)
    assert house.sent() == Counter({"0000": 1, "0001": 1, "0002": 1})


def test_when_the_one_that_runs_a_job_dies_another_takes_it_over(house) -> None:
    def holder() -> str:
        return str(house.asked("SELECT holder FROM job_leases WHERE name = 'send-sms'")[0][0])

    by_pid = {str(s.process.pid): s for s in house.schedulers if s.process is not None}
    until(lambda: holder().split(":")[1] in by_pid, "nobody sends")
    died = holder()
    by_pid[died.split(":")[1]].kill()
    with house.app.app_context(), db.engine.begin() as connection:
        # As if it had been in the middle of a run; a lease lasts minutes, here a second.
        connection.execute(
            text("UPDATE job_leases SET holder = :died, until = :until WHERE name = 'send-sms'"),
            {"died": died, "until": clock.now().replace(tzinfo=None) + timedelta(seconds=1)},
        )
    house.queue_sms("13800000009")
    until(lambda: house.sent()["0009"] == 1, "nobody took over")
    assert holder() != died
