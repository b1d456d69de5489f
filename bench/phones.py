"""Phones that cost little: bodies are made before the clock starts, answers looked at after it stops."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
from flask import Flask
from sqlalchemy import func, insert, or_, select

from app import create_app
from app.accounts.codes import digest
from app.accounts.models import CLINICIANS, Device, LoginSession, User
from app.extensions import db, writing
from app.patients.models import Patient
from app.shared import clock
from app.shared.ids import new_id
from app.sync.models import Revision
from bench.measure import percentile
from tests.app.visits import sheets
from tests.faults.phone import now
from tests.faults.server import SECRET, Server

BATCH = 100  # as many as a phone sends, and SYNC allows; the raw reference commits as many at once
TIMEOUT_S = 600  # what is measured is the server, however busy the machine
KEEPALIVE_LOST = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Person:
    """Somebody signed in, and whom they may visit."""

    id: str
    username: str
    role: str
    token: str
    patients: tuple[str, ...] = ()

    @property
    def cookie(self) -> str:
        return f"session={self.token}"

    @property
    def device_id(self) -> str:
        return f"bench-{self.username}"


@contextmanager
def database(url: str) -> Iterator[Flask]:
    """The application on a database of ours, with nothing left open afterwards."""
    app = create_app({"SECRET_KEY": SECRET, "DATABASE_URL": url})
    with app.app_context():
        token = writing.set(True)
        try:
            yield app
        finally:
            writing.reset(token)
            db.session.remove()
            db.engine.dispose()


@contextmanager
def serving(url: str, folder: Path, workers: int = 2) -> Iterator[Server]:
    server = Server(url, folder / "server.log", workers)
    server.start()
    server.wait_for_workers()
    try:
        yield server
    finally:
        server.kill()


def sign_in(url: str, roles: Sequence[str], count: int) -> list[Person]:
    """The first `count` users of these roles with anybody to look after, signed in without a password."""
    with database(url):
        found = []
        asked = select(User).where(User.role.in_(roles), User.active).order_by(User.created_at, User.id)
        for user in db.session.scalars(asked).all():
            patients = _patients_of(user)
            if patients or user.role not in CLINICIANS:
                found.append(Person(user.id, user.username, user.role, secrets.token_urlsafe(32), patients))
            if len(found) == count:
                break
        at = clock.now()
        for person in found:
            _let_in(person, at)
        db.session.commit()
    return found


def _let_in(person: Person, at: datetime) -> None:
    known = select(Device.id).where(Device.device_id == person.device_id, Device.user_id == person.id)
    seen = {"device_id": person.device_id, "user_id": person.id, "last_seen_at": at}
    if db.session.scalar(known) is None:  # a kept district has seen this phone before
        device = {"id": new_id(), "name": "bench", "first_seen_at": at}
        db.session.execute(insert(Device).values(**seen, **device))
    session = {"token_hash": digest(person.token), "created_at": at, "expires_at": at + timedelta(hours=24)}
    db.session.execute(insert(LoginSession).values(**seen, **session))


def _patients_of(user: User) -> tuple[str, ...]:
    if user.role not in CLINICIANS:
        return ()
    mine = or_(Patient.team_id == user.team_id, Patient.village_code == user.place_code)
    return tuple(db.session.scalars(select(Patient.id).where(mine, Patient.ended_on.is_(None))))


@dataclass(frozen=True)
class Answer:
    """`raw` is the body as it came over the wire."""

    status: int
    encoding: str
    raw: bytes

    def body(self) -> bytes:
        if self.encoding == "gzip":
            return gzip.decompress(self.raw)
        if self.encoding == "br":
            return bytes(brotli.decompress(self.raw))
        assert not self.encoding, f"no decoder for {self.encoding} here"
        return self.raw

    def json(self) -> Any:
        return json.loads(self.body())


class Caller:
    """One kept-open connection of a signed-in person."""

    def __init__(self, port: int, person: Person | None = None) -> None:
        self._port, self._cookie = port, person.cookie if person else ""
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """A connection that the server has closed meanwhile is opened again."""
        sent = {"Accept-Encoding": "gzip, deflate, br"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Cookie": self._cookie} if self._cookie else {}
        while True:
            fresh = self._connection is None
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            try:
                self._connection.request(method, path, body, sent)
                got = self._connection.getresponse()
                return Answer(got.status, got.headers.get("Content-Encoding", ""), got.read())
            except KEEPALIVE_LOST:
                self.close()
                if fresh:
                    raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        return self.ask("POST", path, body, Content_Type="application/json", **headers)

    def push(self, body: bytes, path: str = "/api/sync/push") -> Answer:
        return self.post(path, body, Content_Encoding="gzip")


def visits(person: Person, count: int) -> list[dict[str, Any]]:
    """Visits to the people of `person`, one after the other, each a second later than the last."""
    draw, made = random.Random(person.username), []
    began = clock.local(clock.now()).replace(microsecond=0) - timedelta(seconds=count)
    whom = list(person.patients)
    draw.shuffle(whom)
    for number in range(count):
        answers = {
            "sbp": draw.randint(104, 128),
            "dbp": draw.randint(60, 78),
            "heart_rate": draw.randint(58, 96),
        }
        at = (began + timedelta(seconds=number)).isoformat()
        payload = sheets.payload(whom[number % len(whom)], answers=answers, visited_at=at)
        made.append({
            "op_id": new_id(), "device_id": person.device_id, "author_id": person.id, "kind": "visit.create",
            "recorded_at": now(), "payload": payload,
        })  # fmt: skip
    return made


def bodies(ops: Sequence[dict[str, Any]], batch: int = BATCH) -> list[bytes]:
    """Gzipped, as the phone's sender makes them."""
    parts = [ops[start : start + batch] for start in range(0, len(ops), batch)]
    return [
        gzip.compress(json.dumps({"sent_at": now(), "ops": part}, ensure_ascii=False).encode(), 6)
        for part in parts
    ]


@dataclass
class Phone(threading.Thread):
    """Sends its batches one after the other, as fast as they are answered."""

    port: int
    person: Person
    work: list[bytes]
    start_line: threading.Barrier
    took: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    busy: int = 0
    seconds: float = 0.0
    failed: Exception | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        caller = Caller(self.port, self.person)
        self.start_line.wait()
        began = time.monotonic()
        try:
            for body in self.work:
                self.took.append(self._send(caller, body))
        except Exception as error:
            self.failed = error
        self.seconds = time.monotonic() - began
        caller.close()

    def _send(self, caller: Caller, body: bytes) -> float:
        began = time.monotonic()
        while True:
            answer = caller.push(body)
            if answer.status == 200:
                self.answers.append(answer)
                return time.monotonic() - began
            assert answer.status == 503, (answer.status, answer.raw[:200])
            self.busy += 1
            time.sleep(0.1)


@dataclass(frozen=True)
class Swarm:
    """What many phones at once met with."""

    records: int
    seconds: float
    took: list[float]
    slowest_phone_s: float
    busy: int

    def figures(self) -> dict[str, Any]:
        return {
            "records": self.records,
            "records_per_s": round(self.records / self.seconds, 1),
            "push_p50_s": round(percentile(self.took, 0.5), 2),
            "push_p99_s": round(percentile(self.took, 0.99), 2),
            "slowest_phone_s": round(self.slowest_phone_s, 1),
            "answers_503": self.busy,
        }


def shared_out(people: Sequence[Person]) -> list[Person]:
    """Each patient left to one of those who may visit them: nobody is visited by two on one day."""
    visitors: dict[str, list[int]] = {}
    for number, person in enumerate(people):
        for patient in person.patients:
            visitors.setdefault(patient, []).append(number)
    mine: dict[int, list[str]] = {number: [] for number in range(len(people))}
    for patient, numbers in sorted(visitors.items()):
        mine[min(numbers, key=lambda number: len(mine[number]))].append(patient)
    return [replace(person, patients=tuple(mine[number])) for number, person in enumerate(people)]


def swarm(url: str, port: int, people: Sequence[Person], each: int, batch: int = BATCH) -> Swarm:
    """`people` push `each` visits at once. Raises AssertionError unless every one is applied and stored."""
    ops = {person: visits(person, each) for person in people}
    line = threading.Barrier(len(people) + 1)
    phones = [Phone(port, person, bodies(ops[person], batch), line) for person in people]
    for phone in phones:
        phone.start()
    line.wait()
    began = time.monotonic()
    for phone in phones:
        phone.join()
    seconds = time.monotonic() - began
    for phone in phones:
        if phone.failed is not None:
            raise phone.failed
    _check(url, phones, [op["op_id"] for person in people for op in ops[person]])
    return Swarm(
        sum(map(len, ops.values())), seconds, [t for phone in phones for t in phone.took],
        max(phone.seconds for phone in phones), sum(phone.busy for phone in phones),
    )  # fmt: skip


def _check(url: str, phones: Sequence[Phone], op_ids: Sequence[str]) -> None:
    told: set[str] = set()
    for phone in phones:
        for answer in phone.answers:
            results = answer.json()["results"]
            told |= {r["op_id"] for r in results if r["status"] in ("applied", "duplicate")}
            wrong = [r for r in results if r["status"] not in ("applied", "duplicate")]
            assert not wrong, wrong[:3]
    assert told == set(op_ids), f"{len(set(op_ids) - told)} were not answered for"
    with database(url):
        stored = 0
        for start in range(0, len(op_ids), 500):
            part = op_ids[start : start + 500]
            stored += db.session.scalar(select(func.count()).where(Revision.op_id.in_(part))) or 0
    assert stored == len(op_ids), f"{len(op_ids) - stored} of {len(op_ids)} are lost"
