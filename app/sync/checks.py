"""What an operation, open or sealed, must look like before anybody asks what it means."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError

from app.errors import from_marshmallow
from app.shared import strictjson
from app.shared.ids import is_id
from app.sync import sealing
from app.sync.fits import fits
from app.sync.registry import Kind, Rejected, kinds
from app.sync.schema import MAX_OP_BYTES, OpSchema, SealedSchema

op_schema = OpSchema()
sealed_schema = SealedSchema()


def id_in(raw: Any) -> str | None:
    """The op_id that the answer to `raw` may bear; None where there is none to be read."""
    op_id = raw.get("op_id") if isinstance(raw, dict) else None
    return op_id if is_id(op_id) else None


@dataclass(frozen=True)
class Looked:
    """An operation looked at without asking the database anything, and what was found wrong with its parts.

    `payload_text` is the canonical text of its payload; `digest`, hex SHA-256, of that of the whole.
    `fault` is in its outer shape, and then nothing else is known; `payload_fault` is one of its kind.
    """

    raw: Any
    payload_text: str = ""
    digest: str = ""
    kind: Kind | None = None
    fault: Rejected | None = None
    payload_fault: Rejected | None = None


def look(raw: Any) -> Looked:
    """Never raises: what is wrong is told when the operation's turn has come."""
    try:
        _check_outer(raw)
        text = strictjson.canonical(raw["payload"])
        digest = _digest_of(raw, text)
    except Rejected as no:
        return Looked(raw, fault=no)
    kind = kinds.get(raw["kind"])
    try:
        if kind is not None:
            _check_payload(kind, raw)
    except Rejected as no:
        return Looked(raw, text, digest, kind, payload_fault=no)
    return Looked(raw, text, digest, kind)


def _check_outer(raw: Any) -> None:
    """Raises Rejected naming every fault of the operation's outer shape."""
    _outer(op_schema, raw)
    if raw.get("replaces") == raw["op_id"]:
        raise _fault("/replaces", "invalid", "不能是这条操作自己的编号")


def _digest_of(raw: dict[str, Any], payload_text: str) -> str:
    """Raises Rejected when the operation is too large."""
    canonical = strictjson.canonical_around(raw, "payload", payload_text).encode("utf-8")
    if len(canonical) > MAX_OP_BYTES:
        raise _fault("", "too_large", f"单条记录不能超过 {MAX_OP_BYTES // 1024} KB")
    return hashlib.sha256(canonical).hexdigest()


def _check_payload(kind: Kind, raw: dict[str, Any]) -> None:
    """Raises Rejected when the payload is not what its kind wants."""
    if kind.needs_base and "base_revision" not in raw:
        raise _fault("/base_revision", "required", "必填：所依据的版本号")
    _load(_schema(kind.schema), raw["payload"], "/payload")


@cache
def _schema(shape: type[Schema]) -> Schema:
    """Made once: making one takes longer than asking it."""
    return shape()


def opened(entry: Any, author_id: str) -> dict[str, Any]:
    """The operation inside a sealed entry of this author. Raises Rejected.

    Nothing of the inside is told before it has named this author: whoever finds a sealed operation must not
    learn from our answers what it holds.
    """
    _outer(sealed_schema, entry)
    if entry["author_id"] != author_id:
        raise Rejected("author_mismatch")
    try:
        op = sealing.open_op(entry)
    except sealing.CannotOpen:
        raise Rejected("cannot_open") from None
    for name in ("op_id", "author_id"):
        if op.get(name) != entry[name]:
            raise _fault(f"/{name}", "mismatch", "与加密内容里写的不一致")
    return op


def _outer(shape: Schema, raw: Any) -> None:
    if not strictjson.sound(raw):
        raise Rejected("invalid", errors=list(strictjson.faults(raw)))
    if not isinstance(raw, dict):
        raise _fault("", "invalid", "应为对象")
    _load(shape, raw)


def _load(shape: Schema, raw: dict[str, Any], pointer: str = "") -> None:
    if fits(shape, raw):
        return
    try:
        shape.load(raw)
    except ValidationError as error:
        raise Rejected("invalid", errors=from_marshmallow(error, pointer)) from error


def _fault(pointer: str, code: str, message: str) -> Rejected:
    return Rejected("invalid", errors=[{"pointer": pointer, "code": code, "message": message}])
