"""One phone comes home with 250 operations: until the last is confirmed, nearby and on a weak line.

Reference: the same bytes posted to a bare Flask endpoint through the same line.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from bench import bare, phones
from bench.link import weak
from bench.measure import Options, Row

BATCH = 100  # what the phone's sender packs together


def run(folder: Path, options: Options) -> Iterable[Row]:
    count = options.number("drain.operations", 250, 4)
    with (
        options.grounds.copy(options.grounds.one(), options.database) as url,
        bare.served() as bare_port,
        phones.serving(url, folder) as server,
    ):
        doctors = phones.sign_in(url, ("doctor",), 2)
        for person, line in zip(doctors, ("loopback", "weak line"), strict=True):
            ops = phones.visits(person, count)
            work = phones.bodies(ops, BATCH)
            seconds, answers = _drain(server.port, person, work, line)
            _check(ops, answers)
            reference, _ = _drain(bare_port, person, work, line, "/take")
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
    port: int, person: phones.Person, work: list[bytes], line: str, path: str = "/api/sync/push"
) -> tuple[float, list[phones.Answer]]:
    """As the phone does it: ask who one is, then batch after batch on one connection."""
    with weak(port) if line == "weak line" else nullcontext() as link:
        caller = phones.Caller(link.port if link else port, person)
        began = time.monotonic()
        if path != "/take":
            caller.ask("GET", "/api/auth/me")
        answers = []
        for body in work:
            answers.append(caller.push(body, path))
            assert answers[-1].status == 200, answers[-1].raw[:200]
        seconds = time.monotonic() - began
        caller.close()
    return seconds, answers


def _check(ops: list[dict[str, object]], answers: list[phones.Answer]) -> None:
    results = [r for answer in answers for r in answer.json()["results"]]
    assert [r["op_id"] for r in results] == [op["op_id"] for op in ops]
    assert {r["status"] for r in results} == {"applied"}, results[:3]
