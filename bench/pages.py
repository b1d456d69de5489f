"""Pages a second over kept-open connections: a patient, the list of 600, the family's home, the sign-in.

Reference: one Jinja page of like size from a bare Flask application, same server, same settings. Ours are
asked for as browsers ask, compressed; the bare one does not compress, so the ratio is rather too low.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench import bare, phones
from bench.measure import Options, Row, percentile
from tests.factories import PASSWORD

CALLERS = 4
KNOWN, NEW = "patient", "patient, first reading"  # by anybody of the same kind; a phone's pack reads them all
WORKERS = 2
ENCODINGS = "gzip, deflate, br, zstd"
Ask = Callable[[phones.Caller, int], int]


def run(folder: Path, options: Options) -> Iterable[Row]:
    each = options.number("pages.requests", 400, 2)
    with (
        options.grounds.copy(options.grounds.one(), options.database) as url,
        phones.serving(url, folder, WORKERS) as server,
        bare.served(workers=WORKERS) as bare_port,
    ):
        doctors = phones.sign_in(url, ("doctor",), CALLERS)
        families = phones.sign_in(url, ("family",), CALLERS)
        known, new = doctors[0].patients, doctors[1].patients
        cases: list[tuple[str, Sequence[phones.Person | None], Ask]] = [
            (KNOWN, doctors[:1] * CALLERS, lambda c, n: _get(c, f"/patients/{known[n % len(known)]}")),
            (NEW, doctors[1:2] * CALLERS, lambda c, n: _get(c, f"/patients/{new[n % len(new)]}")),
            ("list", doctors, lambda c, _: _get(c, "/today")),
            ("search", doctors, lambda c, _: _get(c, "/patients?q=nr")),
            ("family home", families, lambda c, _: _get(c, "/family")),
            ("sign-in page", [None] * CALLERS, lambda c, _: _get(c, "/sign-in")),
        ]
        for case, people, ask in cases:
            warmed = each if case == KNOWN else 0 if case == NEW else max(1, each // 10)
            yield _row(case, (server.port, bare_port), people, each, ask, warmed)
        yield _signing_in(server.port, doctors, max(4, each // 10))


def _row(
    case: str,
    ports: tuple[int, int],
    people: Sequence[phones.Person | None],
    each: int,
    ask: Ask,
    warmed: int,
) -> Row:
    port, bare_port = ports
    _hammer(port, people, warmed, ask)
    took, seconds = _hammer(port, people, each, ask)
    size = _plain_size(port, people[0], ask)
    bare_page = f"/page?bytes={size}"
    _hammer(bare_port, people, max(1, each // 10), lambda c, _: _get(c, bare_page))
    bare_took, bare_seconds = _hammer(bare_port, people, each, lambda c, _: _get(c, bare_page))
    rate, bare_rate = len(took) / seconds, len(bare_took) / bare_seconds
    return Row(
        case,
        {**_figures(took, rate), "html_bytes": size},
        {"requests_per_s": round(bare_rate, 1)},
        round(rate / bare_rate, 3),
    )


def _signing_in(port: int, doctors: Sequence[phones.Person], each: int) -> Row:
    """With the real cost of a password; one after another for each caller."""

    names: dict[phones.Caller, str] = {}

    def ask(caller: phones.Caller, _number: int) -> int:
        name = names.setdefault(caller, doctors[len(names) % len(doctors)].username)
        body = {"username": name, "password": PASSWORD, "device_id": "bench-again"}
        answer = caller.post("/api/auth/login", json.dumps(body).encode())
        assert answer.status == 200, answer.raw[:200]
        return len(answer.raw)

    took, seconds = _hammer(port, [None] * CALLERS, max(1, each // CALLERS), ask)
    return Row("signing in", _figures(took, len(took) / seconds))


def _figures(took: list[float], rate: float) -> dict[str, float]:
    return {
        "requests_per_s": round(rate, 1),
        "p50_ms": round(1000 * percentile(took, 0.5), 1),
        "p95_ms": round(1000 * percentile(took, 0.95), 1),
    }


def _get(caller: phones.Caller, path: str) -> int:
    answer = caller.ask("GET", path, Accept_Encoding=ENCODINGS)
    assert answer.status == 200, (path.split("?")[0], answer.status)
    return len(answer.raw)


def _plain_size(port: int, person: phones.Person | None, ask: Ask) -> int:
    class Plain(phones.Caller):
        def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> phones.Answer:
            return super().ask(method, path, body, **{**headers, "Accept_Encoding": "identity"})

    caller = Plain(port, person)
    size = ask(caller, 0)
    caller.close()
    return size


def _hammer(
    port: int, people: Sequence[phones.Person | None], each: int, ask: Ask
) -> tuple[list[float], float]:
    """How long each request took, and all of them together; one connection a person."""
    took: list[float] = []
    failed: list[BaseException] = []

    def work(person: phones.Person | None) -> None:
        caller, mine = phones.Caller(port, person), []
        try:
            for number in range(each):
                began = time.perf_counter()
                ask(caller, number)
                mine.append(time.perf_counter() - began)
        except BaseException as error:
            failed.append(error)
        caller.close()
        took.extend(mine)

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if failed:
        raise failed[0]
    return took, seconds
