"""The pack on the wire: small, whole, and on its way before it is finished."""

from __future__ import annotations

import gzip

import brotli
import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from app.pwa.squeeze import squeezed

LINES = [f"line {number} of a pack\n" for number in range(100)]


def answer(accepted: str, lines=LINES) -> Response:
    request = Request(EnvironBuilder(headers={"Accept-Encoding": accepted}).get_environ())
    return squeezed(request, Response(mimetype="application/x-ndjson"), iter(lines))


@pytest.mark.parametrize(
    ("accepted", "encoding", "unpack"),
    [("gzip, br, zstd", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress), ("", None, bytes)],
)
def test_what_was_squeezed_comes_out_whole(accepted, encoding, unpack):
    made = answer(accepted)
    assert made.content_encoding == encoding and "Accept-Encoding" in made.vary
    assert unpack(b"".join(made.iter_encoded())).decode() == "".join(LINES)


def test_the_first_page_leaves_before_the_second_is_made():
    made = []

    def slowly():
        for line in LINES:
            made.append(line)
            yield line

    parts = iter(answer("br", slowly()).response)
    reader = brotli.Decompressor()
    assert reader.process(next(parts)).decode() == LINES[0] and made == LINES[:1]
    assert reader.process(next(parts)).decode() == LINES[1]


def test_a_pack_is_compressed_once(make):
    doctor = make.signed_in("doctor")
    plain = doctor.get("/api/pack").get_data(as_text=True)
    packed = doctor.get("/api/pack", headers={"Accept-Encoding": "br"})
    assert packed.headers["Content-Encoding"] == "br"
    assert brotli.decompress(packed.get_data()).count(b"\n") == plain.count("\n")
