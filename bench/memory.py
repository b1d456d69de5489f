"""Memory of a worker: after the first pages, after a swarm of phones. PSS counts what workers share once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench import machine, phones
from bench.measure import Options, Row
from tests.faults.server import Server

CLINICIANS = ("doctor", "nurse", "village")


def run(folder: Path, options: Options) -> Iterable[Row]:
    count = options.number("memory.phones", 50, 2)
    each = options.number("memory.visits", 50, 2)
    with options.grounds.copy(options.grounds.one(), options.database) as url:
        people = phones.sign_in(url, CLINICIANS, count)
        with phones.serving(url, folder) as server:
            _warm(server, people[0])
            yield Row("warmed up", _figures(server))
            phones.swarm(url, server.port, people, each)
            yield Row(f"after {count} phones × {each} visits", _figures(server))
            for person in people[:3]:
                assert phones.Caller(server.port, person).ask("GET", "/api/pack?cursor=").status == 200
            yield Row("after three packs", _figures(server))


def _warm(server: Server, person: phones.Person) -> None:
    for path in ("/today", f"/patients/{person.patients[0]}", "/patients?q=n") * 4:
        assert phones.Caller(server.port, person).ask("GET", path).status == 200


def _figures(server: Server) -> dict[str, float]:
    held = [machine.memory_mb(pid) for pid in server.worker_pids()]
    return {
        "workers": len(held),
        "rss_mb_a_worker": round(max(rss for rss, _ in held), 1),
        "pss_mb_a_worker": round(sum(pss for _, pss in held) / len(held), 1),
    }
