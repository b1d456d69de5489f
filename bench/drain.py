"""One phone comes home with 250 operations: until the last is confirmed, nearby and on a weak line.

The first finds a server that has just been started, and has every statement to prepare; the others one that
has been at work, as the servers of a district are.

Reference: as many requests, with the same bytes up, to a bare Flask application through the same line.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from math import ceil
from pathlib import Path

from bench import bare, phones
from bench.link import weak
from bench.measure import Options, Row

MOST = 100  # operations in a request
LINES = {"loopback, just started": False, "loopback": False, "weak line": True}
AT_ONCE = 4  # requests that the phone's sender has under way, when each is about other people


def run(folder: Path, options: Options) -> Iterable[Row]:
    count = options.number("drain.operations", 250, 4)
    with (
        options.grounds.copy(options.grounds.one(), options.database) as url,
        bare.served() as bare_port,
        phones.serving(url, folder) as server,
    ):
        doctors = phones.sign_in(url, ("doctor",), len(LINES))
        for person, (line, is_weak) in zip(doctors, LINES.items(), strict=True):
            ops = phones.visits(person, count)
            work = phones.bodies(ops, min(MOST, ceil(count / AT_ONCE)))
            seconds, answers = _drain(server.port, person, work, is_weak)
            _check(ops, answers)
            reference, _ = _drain(bare_port, person, work, is_weak, "/page?bytes=600", "/take")
            yield Row(
                line,
                {
                    "operations": count,
                    "bytes_up": sum(map(len, work)),
                    "seconds": round(seconds, 2),
                },
                {"seconds": round(reference, 2)},
                round(seconds / reference, 2),
            )


def _drain(
    port: int,
    person: phones.Person,
    work: list[bytes],
    is_weak: bool,
    greeting: str = "/api/auth/me",
    door: str = "/api/sync/push",
) -> tuple[float, list[phones.Answer]]:
    """As the phone does it: batches on connections of their own, and meanwhile ask who one is."""
    with weak(port) if is_weak else nullcontext() as link:
        callers = [phones.Caller(link.port if link else port, person) for _ in range(AT_ONCE + 1)]
        answers: dict[int, phones.Answer] = {}

        def push(lane: int) -> None:
            for place in range(lane, len(work), AT_ONCE):
                headers = {"Content_Encoding": "gzip", "Nuanxun_User": person.id}
                answers[place] = callers[lane].post(door, work[place], **headers)

        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            began = time.monotonic()
            heard = pool.submit(callers[AT_ONCE].ask, "GET", greeting)
            for _ in pool.map(push, range(AT_ONCE)):
                pass
            assert heard.result().status == 200
            seconds = time.monotonic() - began
        for caller in callers:
            caller.close()
    assert all(answer.status == 200 for answer in answers.values()), answers
    return seconds, [answers[place] for place in range(len(work))]


def _check(ops: list[dict[str, object]], answers: list[phones.Answer]) -> None:
    results = [r for answer in answers for r in answer.json()["results"]]
    assert [r["op_id"] for r in results] == [op["op_id"] for op in ops]
    assert {r["status"] for r in results} == {"applied"}, results[:3]
