"""Keys derived, not stored; and opening what a phone sealed."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from app import create_app
from app.shared import clock
from app.shared.strictjson import Fault
from app.sync import sealing
from tests.conftest import SECRET
from tests.sealing import seal_bytes, sealed, unpadded

OP = {"op_id": "o", "author_id": "a", "payload": {"name": "张秀兰 𠮷"}}
EMPTY = gzip.compress(b"{}", mtime=0)
OTHER = "another secret with which we once began"


@pytest.fixture
def house(tmp_path):
    """Applications that differ in their secrets alone; no database is asked."""

    def build(secret: str = SECRET, fallbacks: str = ""):
        env = {
            "SECRET_KEY": secret,
            "SECRET_KEY_FALLBACKS": fallbacks,
            "DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
        }
        return create_app(env).app_context()

    return build


def opened(key, plaintext: bytes, **given):
    return sealing.open_op({"key_id": key["key_id"], "data": seal_bytes(key, plaintext, **given)})


def test_what_was_sealed_comes_out_equal_EMPTY_or_not(house) -> None:
    with house():
        key = sealing.current()
        assert sealing.open_op(sealed(key, OP)) == sealing.open_op(sealed(key, OP, squeeze=False)) == OP


def test_the_key_is_that_of_the_month_here_and_the_same_after_every_start(house, monkeypatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 31, 16, 0, tzinfo=UTC))  # midnight here
    with house():
        first = sealing.current()
    sealing._private.cache_clear()
    sealing._public.cache_clear()
    with house():
        assert sealing.current() == first
    assert first["key_id"] == "202611" and len(first["public_key"]) == 87
    with house(OTHER):
        assert sealing.current()["public_key"] != first["public_key"]


def test_the_keys_of_other_months_open_too(house, monkeypatch) -> None:
    """A phone comes back from a drawer after a year; another's clock runs ahead."""
    with house():
        for month in (datetime(2025, 1, 5, tzinfo=UTC), datetime(2099, 12, 5, tzinfo=UTC)):
            monkeypatch.setattr(clock, "now", lambda month=month: month)
            entry = sealed(sealing.current(), OP)
            monkeypatch.undo()
            assert sealing.open_op(entry) == OP


def test_a_former_secret_opens_only_while_the_operator_names_it(house) -> None:
    with house(OTHER):
        entry = sealed(sealing.current(), OP)
    with house(), pytest.raises(sealing.CannotOpen):
        sealing.open_op(entry)
    with house(fallbacks=f"{'x' * 40}, {OTHER}"):
        assert sealing.open_op(entry) == OP
        assert sealing.open_op(sealed(sealing.current(), OP)) == OP


@pytest.mark.parametrize("cut", [0, 1, 64, 65, 66, 81, -1])
def test_a_cut_seal_cannot_be_opened(house, cut) -> None:
    with house():
        key = sealing.current()
        data = seal_bytes(key, b"\x00{}")
        whole = sealing._bytes(data)[:cut]
        with pytest.raises(sealing.CannotOpen):
            sealing.open_op({"key_id": key["key_id"], "data": unpadded(whole)})


@pytest.mark.parametrize(
    "plaintext",
    [
        b"", b"\x00", b"\x01", b"\x02{}", b"{}", b"\x00[]", b"\x00null", b"\x00{", b"\x00\xff",
        b"\x00" + b"[" * 100_000, b"\x01not gzip", b"\x01" + EMPTY[:-1],
        b"\x01" + EMPTY + b"more", b"\x01" + EMPTY * 2,
        b"\x00" + b" " * 128 * 1024 + b"{}", b"\x01" + gzip.compress(b" " * 50_000_000),
    ],
)  # fmt: skip
def test_a_seal_without_an_operation_inside_cannot_be_opened(house, plaintext) -> None:
    with house(), pytest.raises(sealing.CannotOpen):
        opened(sealing.current(), plaintext)


def test_the_largest_is_opened(house) -> None:
    with house():
        body = b"{" + b" " * (128 * 1024 - 2) + b"}"
        assert opened(sealing.current(), b"\x01" + gzip.compress(body)) == {}


def test_a_seal_made_for_another_purpose_or_month_cannot_be_opened(house) -> None:
    with house():
        key = sealing.current()
        with pytest.raises(sealing.CannotOpen):
            opened(key, b"\x00{}", info=b"nuanxun-op-2")
        with pytest.raises(sealing.CannotOpen):
            sealing.open_op(sealed(key, OP, key_id="200001"))


@pytest.mark.parametrize("key_id", ["", "2026-11", "20261", "2026111", "２０２６１１", "202611\n"])
def test_a_key_id_is_six_digits(house, key_id) -> None:
    with house(), pytest.raises(sealing.CannotOpen):
        sealing.open_op(sealed(sealing.current(), OP, key_id=key_id))


def test_what_json_should_not_hold_is_left_to_who_judges(house) -> None:
    with house():
        assert opened(sealing.current(), b'\x00{"a":NaN}') == {"a": Fault("not_a_number")}
