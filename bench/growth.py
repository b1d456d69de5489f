"""Ten times the district: how much slower the same work gets for the same doctor. Wanted: at most 1.3.

6,000 people with 100,000 visits and 500 users, beside 60,000 with 1,000,000 and 5,000. Both servers run, and
requests go to them in turn, so that a busy machine slows both. The reference is the smaller district.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import phones
from bench.grow import Size
from bench.measure import Options, Row, percentile
from tests.factories import PASSWORD

TIMES = 10


@dataclass
class District:
    """One of the two, with a doctor, a relative and somebody at the order desk signed in."""

    port: int
    people: dict[str, phones.Person]
    callers: dict[str, phones.Caller]
    pack_cursor: str = ""
    pull_cursor: str = ""
    batch: int = 25  # visits of a push

    def get(self, who: str, path: str) -> bytes:
        answer = self.callers[who].ask("GET", path)
        assert answer.status == 200, (path.split("?")[0], answer.status, answer.raw[:100])
        return answer.body()


def run(folder: Path, options: Options) -> Iterable[Row]:
    rounds = options.number("growth.rounds", 30, 1)
    small = options.grounds.one()
    times = options.number("growth.times", TIMES, 2)
    with ExitStack() as stack:
        one, ten = (
            _district(stack, folder / f"{factor}", options, replace(small, teams=small.teams * factor))
            for factor in (1, times)
        )
        for case, work in CASES:
            fast, slow = _in_turn(one, ten, work, rounds)
            yield Row(
                case,
                {"p50_ms": round(1000 * slow, 1)},
                {"p50_ms": round(1000 * fast, 1)},
                round(slow / fast, 2),
            )


def _district(stack: ExitStack, folder: Path, options: Options, size: Size) -> District:
    folder.mkdir()
    url = options.grounds.itself(size, options.database)  # what is pushed here, a few hundred visits, stays
    roles = ("doctor", "family", "dispatcher")
    people = {role: phones.sign_in(url, (role,), 1)[0] for role in roles}
    server = stack.enter_context(phones.serving(url, folder))
    callers = {role: phones.Caller(server.port, people[role]) for role in roles}
    return District(server.port, people, callers, batch=options.number("growth.batch", 25, 2))


def _in_turn(
    one: District, ten: District, work: Callable[[District], object], rounds: int
) -> tuple[float, float]:
    """Medians in both. The first round only warms up."""
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for district, into in zip((one, ten), took, strict=True):
            job = prepared(work, district)
            began = time.perf_counter()
            job()
            if number:
                into.append(time.perf_counter() - began)
    return percentile(took[0], 0.5), percentile(took[1], 0.5)


def prepared(work: Callable[[District], object], district: District) -> Callable[[], object]:
    """What has to be made beforehand is made before the clock starts."""
    ready = work(district)
    return ready if callable(ready) else lambda: ready


def _page(who: str, path: str) -> Callable[[District], object]:
    return lambda district: lambda: district.get(who, path)


def _patient(district: District) -> object:
    patient = district.people["doctor"].patients[0]
    return lambda: district.get("doctor", f"/patients/{patient}")


def _push(district: District) -> object:
    doctor = district.people["doctor"]
    ops = phones.visits(doctor, district.batch)
    body = phones.bodies(ops)[0]

    def send() -> None:
        results = district.callers["doctor"].push(body).json()["results"]
        assert {r["status"] for r in results} == {"applied"}, results[:3]

    return send


def _one_visit(district: District) -> None:
    """Not timed: whoever has pushed too often in a minute waits for the next one."""
    body = phones.bodies(phones.visits(district.people["doctor"], 1))[0]
    while (answer := district.callers["doctor"].push(body)).status == 429:
        time.sleep(1)
    assert answer.status == 200, answer.raw[:200]


def _delta(district: District) -> object:
    if not district.pack_cursor:
        district.pack_cursor = _end_of(district.get("doctor", "/api/pack?cursor="))
    _one_visit(district)

    def fetch() -> None:
        district.pack_cursor = _end_of(district.get("doctor", f"/api/pack?cursor={district.pack_cursor}"))

    return fetch


def _end_of(pack: bytes) -> str:
    return str(json.loads(pack.splitlines()[-1])["cursor"])


def _pull(district: District) -> object:
    more = not district.pull_cursor  # the first time, all of it
    while more:
        more = _pulled(district, 500)["more"]
    _one_visit(district)

    def fetch() -> None:
        assert _pulled(district, 200)["changes"]

    return fetch


def _pulled(district: District, limit: int) -> dict[str, Any]:
    path = f"/api/sync/pull?limit={limit}&cursor={district.pull_cursor}"
    answer: dict[str, Any] = json.loads(district.get("doctor", path))
    district.pull_cursor = answer["cursor"]
    return answer


def _sign_in(district: District) -> object:
    body = {"username": district.people["doctor"].username, "password": PASSWORD, "device_id": "bench-growth"}

    def send() -> None:
        answer = phones.Caller(district.port).post("/api/auth/login", json.dumps(body).encode())
        assert answer.status == 200, answer.raw[:200]

    return send


CASES: tuple[tuple[str, Callable[[District], object]], ...] = (
    ("list", _page("doctor", "/today")),
    ("patient", _patient),
    ("search", _page("doctor", f"/patients?q={quote('如意')}")),
    ("push of a batch", _push),
    ("pack, one changed", _delta),
    ("pull, one changed", _pull),
    ("first page of a pull", _page("doctor", "/api/sync/pull")),
    ("family home", _page("family", "/family")),
    ("order desk", _page("dispatcher", "/desk")),
    ("signing in", _sign_in),
)
