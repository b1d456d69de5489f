"""The visit pack of a doctor with 600 people: all of it, three people changed, nothing changed.

Bytes are those on the wire with the encoding browsers ask for. `first_page_s`: until the first page could be
shown. Reference: the very same bytes as a file from a bare Flask application over the same line.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import brotli  # type: ignore[import-untyped]

from bench import bare, phones
from bench.link import weak
from bench.measure import Options, Row

CHANGED = 3
PAGE = b'{"t":"page"'


@dataclass(frozen=True)
class Fetched:
    """One pack as a phone met it."""

    seconds: float
    first_page_s: float | None
    wire: bytes
    lines: list[bytes]

    @property
    def cursor(self) -> str:
        return str(json.loads(self.lines[-1])["cursor"])

    @property
    def pages(self) -> int:
        return sum(line.startswith(PAGE) for line in self.lines)


def run(folder: Path, options: Options) -> Iterable[Row]:
    with (
        options.grounds.copy(options.grounds.one(), options.database) as url,
        phones.serving(url, folder) as server,
        bare.served(file=folder / "pack") as bare_port,
    ):
        person = phones.sign_in(url, ("doctor",), 1)[0]
        for line in ("loopback", "weak line"):
            for case, found in _fetched(server.port, person, line):
                (folder / "pack").write_bytes(found.wire)
                yield _row(f"{case}, {line}", found, _file(bare_port, line))


def _fetched(port: int, person: phones.Person, line: str) -> Iterator[tuple[str, Fetched]]:
    whole = fetch(port, person, "", line)
    assert whole.pages > len(person.patients), "a page of the panel is missing"
    yield "full", whole
    yield "full again", fetch(port, person, "", line)
    cursor = whole.cursor
    for body in phones.bodies(phones.visits(person, CHANGED)):
        assert phones.Caller(port, person).push(body).status == 200
    delta = fetch(port, person, cursor, line)
    assert CHANGED <= delta.pages < whole.pages, delta.pages
    yield f"{CHANGED} changed", delta
    nothing = fetch(port, person, delta.cursor, line)
    assert nothing.pages == 0
    yield "nothing changed", nothing


def _row(case: str, found: Fetched, reference: float) -> Row:
    figures = {
        "pages": found.pages,
        "wire_bytes": len(found.wire),
        "html_bytes": sum(map(len, found.lines)),
        "seconds": round(found.seconds, 3),
        "first_page_s": None if found.first_page_s is None else round(found.first_page_s, 3),
    }
    return Row(case, figures, {"seconds": round(reference, 3)}, round(found.seconds / reference, 2))


def fetch(port: int, person: phones.Person, cursor: str, line: str) -> Fetched:
    with weak(port) if line == "weak line" else nullcontext() as link:
        connection = http.client.HTTPConnection(
            "127.0.0.1", link.port if link else port, timeout=phones.TIMEOUT_S
        )
        began = time.monotonic()
        headers = {"Cookie": person.cookie, "Accept-Encoding": "gzip, deflate, br, zstd"}
        connection.request("GET", f"/api/pack?cursor={cursor}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()[:200]
        wire, plain, first = bytearray(), bytearray(), None
        expand = _decoder(answer.headers.get("Content-Encoding", ""))
        while part := answer.read1(65536):
            wire += part
            plain += expand(part)
            if first is None and 0 <= plain.find(PAGE) < plain.rfind(b"\n"):
                first = time.monotonic() - began
        seconds = time.monotonic() - began
        connection.close()
    lines = bytes(plain).splitlines()
    assert json.loads(lines[-1])["t"] == "end", "the pack was cut"
    return Fetched(seconds, first, bytes(wire), lines)


def _decoder(encoding: str):  # type: ignore[no-untyped-def]
    if encoding == "br":
        return brotli.Decompressor().process
    assert encoding == "", f"no decoder for {encoding} here"
    return lambda part: part


def _file(port: int, line: str) -> float:
    with weak(port) if line == "weak line" else nullcontext() as link:
        caller = phones.Caller(link.port if link else port)
        began = time.monotonic()
        status = caller.ask("GET", "/file").status
        seconds = time.monotonic() - began
        caller.close()
    assert status == 200
    return seconds
