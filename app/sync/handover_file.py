"""What is handed over: a file from a phone (.nxq), or the text of a QR code. Nothing is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from app.errors import DomainError
from app.shared import clock, strictjson
from app.sync.schema import Moment, Strict, Text

FORMAT = "nuanxun-sealed-1"
MAX_ENTRIES = 2000
MAX_FILE_BYTES = 8 * 1024 * 1024


class LinkSchema(Strict):
    """The text of a QR code."""

    sealed = fields.List(
        fields.Raw(allow_none=True),
        required=True,
        validate=validate.Length(min=1, error="里面没有记录"),
        error_messages={"required": "里面没有记录", "null": "里面没有记录", "invalid": "应为数组"},
    )


class FileSchema(LinkSchema):
    format = Text(required=True, validate=validate.Equal(FORMAT, error="不是这一版能读的格式"))
    device_id = Text(required=True, validate=validate.Length(1, 64, error="长度应为 1 到 64"))
    made_at = Moment(required=True)


@dataclass(frozen=True)
class Brought:
    """Sealed entries, each still to be judged by itself; a QR code says neither phone nor time."""

    entries: list[Any]
    device_id: str | None = None
    made_at: datetime | None = None


def read_file(raw: bytes) -> Brought:
    """Raises DomainError 422 or 413 about `file`."""
    if not raw:
        raise DomainError("请选择从手机上存下来的文件（.nxq），这个文件是空的。", field="file")
    if len(raw) > MAX_FILE_BYTES:
        raise too_large()
    found = _read(raw, FileSchema(), "file", "这不是从暖巡存下来的文件（.nxq），或者文件不完整")
    return Brought(found["sealed"], found["device_id"], clock.parse_moment(found["made_at"]))


def read_link(text: str) -> Brought:
    """Raises DomainError 422 about `sealed`."""
    found = _read(text.encode("utf-8", "replace"), LinkSchema(), "sealed", "这个二维码里没有暖巡的记录")
    return Brought(found["sealed"])


def too_large() -> DomainError:
    megabytes = MAX_FILE_BYTES // (1024 * 1024)
    return DomainError(f"文件过大，最多 {megabytes} MB。", field="file", code="too_large", status=413)


def _read(raw: bytes, schema: LinkSchema, field: str, otherwise: str) -> dict[str, Any]:
    try:
        found = strictjson.loads(raw)
    except strictjson.NotJson:
        raise DomainError(f"{otherwise}。", field=field) from None
    faults = [fault["pointer"] for fault in strictjson.faults(found, inside=lambda key: key != "sealed")]
    if faults:
        raise DomainError(f"{otherwise}。", field=field)
    try:
        shaped: dict[str, Any] = schema.load(found)
    except ValidationError as error:
        raise DomainError(f"{otherwise}：{_first(error)}。", field=field) from error
    if len(shaped["sealed"]) > MAX_ENTRIES:
        much = f"一次最多交 {MAX_ENTRIES} 条，请分几次存成文件。"
        raise DomainError(much, field=field, code="too_large", status=413)
    return shaped


def _first(error: ValidationError) -> str:
    """`format：不是这一版能读的格式`: the member of the file and what is wrong with it."""
    messages = error.normalized_messages()
    name = min(messages)
    said = messages[name]
    words = str(said[0]) if isinstance(said, list) else "格式不对"
    return words if name == "_schema" else f"{name} {words}"
