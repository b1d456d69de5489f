"""What a browser's profile really holds: the bytes of a file, and all that is packed inside it.

A string in a LevelDB table is seldom found by reading the file: its blocks are packed with Snappy, and
Chromium packs large IndexedDB values with Snappy once more. This unpacks as much as a thief would.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli

TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
LOG_BLOCK = 32768
WRAPPED = b"\xff\x11\x02"  # an IndexedDB value packed with Snappy follows
SIMPLE_CACHE = bytes.fromhex("305c72a71b6dfbfc")
LARGEST = 64 * 1024 * 1024


def layers(path: Path) -> Iterator[bytes]:
    """The file as it is, then everything found packed in it."""
    raw = path.read_bytes()
    yield raw
    inner = list(_containers(raw))
    yield from inner
    for data in (raw, *inner):
        yield from _streams(data)


def _containers(raw: bytes) -> Iterator[bytes]:
    if raw.endswith(TABLE_MAGIC):
        yield from _blocks(raw)
    else:
        yield _records(raw)
    if raw.startswith(SIMPLE_CACHE):
        yield from _cached(raw)


def _streams(data: bytes) -> Iterator[bytes]:
    for place in _places(data, b"\x1f\x8b\x08"):
        try:
            yield zlib.decompressobj(31).decompress(data[place:], LARGEST)
        except (zlib.error, gzip.BadGzipFile):
            continue
    for place in _places(data, WRAPPED):
        yield unsnap(data[place + len(WRAPPED) :])


def _places(data: bytes, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)


def _blocks(raw: bytes) -> Iterator[bytes]:
    """Every block of a table, unpacked, keys and values in one piece each."""
    footer = raw[-FOOTER:]
    _, place = _varint(footer, 0)
    _, place = _varint(footer, place)
    start, place = _varint(footer, place)
    size, _ = _varint(footer, place)
    for _key, handle in _entries(_block(raw, start, size)):
        offset, place = _varint(handle, 0)
        length, _ = _varint(handle, place)
        block = _block(raw, offset, length)
        yield block
        # Keys share their beginnings; put together, a string in one cannot hide.
        yield b"\n".join(key for key, _ in _entries(block))


def _block(raw: bytes, offset: int, size: int) -> bytes:
    body = raw[offset : offset + size]
    return unsnap(body) if raw[offset + size : offset + size + 1] == b"\x01" else body


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < 4:
        return
    restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 - 4 * restarts
    place, key = 0, b""
    while place < end:
        shared, place = _varint(block, place)
        fresh, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + fresh]
        yield key, block[place + fresh : place + fresh + length]
        place += fresh + length


def _records(raw: bytes) -> bytes:
    """A log with the seven bytes before each fragment taken out, so that no string is cut in two."""
    parts = []
    for start in range(0, len(raw), LOG_BLOCK):
        block, place = raw[start : start + LOG_BLOCK], 0
        while place + 7 <= len(block):
            length, kind = struct.unpack_from("<HB", block, place + 4)
            if not 1 <= kind <= 4 or place + 7 + length > len(block):
                break
            parts.append(block[place + 7 : place + 7 + length])
            place += 7 + length
    return b"".join(parts)


def _cached(raw: bytes) -> Iterator[bytes]:
    key_length = struct.unpack_from("<I", raw, 12)[0]
    body = raw[24 + key_length :]
    unpack = brotli.Decompressor()
    try:
        yield unpack.process(body)
    except brotli.error:
        return


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place


def unsnap(data: bytes) -> bytes:
    """Snappy's raw format. What follows the packed part, or is damaged, ends it."""
    wanted, place = _varint(data, 0)
    if not 0 < wanted <= LARGEST:
        return b""
    out = bytearray()
    while place < len(data) and len(out) < wanted:
        tag = data[place]
        place += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                more = length - 59
                length = int.from_bytes(data[place : place + more], "little")
                place += more
            length += 1
            out += data[place : place + length]
            place += length
            continue
        if kind == 1:
            length, offset = 4 + ((tag >> 2) & 7), ((tag >> 5) << 8) | int.from_bytes(data[place : place + 1])
            place += 1
        else:
            width = 2 if kind == 2 else 4
            length, offset = 1 + (tag >> 2), int.from_bytes(data[place : place + width], "little")
            place += width
        if not 0 < offset <= len(out):
            break
        for _ in range(length):
            out.append(out[-offset])
    return bytes(out)
