"""The shapes of what comes in (SYNC §3), from which /api/openapi.json is generated too."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from app.shared import clock
from app.shared.ids import OP_ID

MAX_OPS = 100
MAX_OP_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_OPENED_BYTES = 2 * MAX_OP_BYTES  # of a sealed operation: its JSON may be written with escapes
# base64url of the format byte, the key's point (65) and the tag (16) around the largest
MAX_SEALED_CHARS = -(-(MAX_OPENED_BYTES + 1 + 65 + 16) * 4 // 3)
MAX_INFLATED_BYTES = 2 * 1024 * 1024
PUSHES_A_MINUTE = 60
SENT_AS = "Nuanxun-User"  # a header of a push: whose session its sender takes this to be
LIMITS = {
    "max_ops": MAX_OPS,
    "max_op_bytes": MAX_OP_BYTES,
    "max_bytes": MAX_BODY_BYTES,
    "pushes_per_minute": PUSHES_A_MINUTE,
}


class Text(fields.String):
    """A JSON string; marshmallow's own refuses other types already, here with Chinese words."""

    default_error_messages = {
        "required": "必填",
        "null": "不能为空",
        "invalid": "应为文字",
        "invalid_utf8": "含有无法识别的字符",
    }

    def takes(self, value: Any) -> bool:
        return isinstance(value, str)


class Whole(fields.Integer):
    """A JSON integer: "12", true and 1.5 are refused."""

    default_error_messages = {
        "required": "必填",
        "null": "不能为空",
        "invalid": "应为整数",
        "too_large": "数字过大",
    }

    def takes(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not self.takes(value):
            raise self.make_error("invalid", input=value)
        return value


class Count(fields.Integer):
    """A number in an address, plain digits only: int() would take " 5 ", 1_0 and other scripts' digits."""

    default_error_messages = {"invalid": "应为整数"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
            raise self.make_error("invalid", input=value)
        return int(value)


class Moment(fields.String):
    """RFC 3339 with offset; kept as the text it came as."""

    default_error_messages = {
        "required": "必填",
        "null": "不能为空",
        "invalid": "应为带时区的时间",
    }

    def takes(self, value: Any) -> bool:
        try:
            return isinstance(value, str) and bool(clock.parse_moment(value))
        except (ValueError, OverflowError):
            return False

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            clock.parse_moment(text)
        except (ValueError, OverflowError) as error:
            raise ValidationError("时间格式不对，应为带时区的时间，如 2026-06-01T09:12:00+08:00") from error
        return text


class Flag(fields.Boolean):
    """true or false of JSON: marshmallow's own would take "on" and 1."""

    default_error_messages = {"null": "不能为空", "invalid": "应为 true 或 false"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Day(fields.String):
    """YYYY-MM-DD; kept as the text it came as."""

    default_error_messages = {"required": "必填", "null": "不能为空", "invalid": "应为日期"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            clock.parse_day(text)
        except ValueError as error:
            raise ValidationError("日期格式不对，应为 2026-06-01 这样") from error
        return text


class Strict(Schema):
    """Unknown fields are refused: strictness today is compatibility tomorrow."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "不认识的字段", "type": "应为对象"}


UUID = validate.Regexp(f"{OP_ID.pattern}\\Z", error="应为小写的 UUID（第 7 或 4 版）")
NAMED = validate.Length(1, 64, error="长度应为 1 到 64")


class OpSchema(Strict):
    """Schema 2. What a further one may change: docs/decisions/0016-operations-have-schemas.md"""

    op_id = Text(required=True, validate=UUID)
    device_id = Text(required=True, validate=NAMED)
    author_id = Text(required=True, validate=NAMED)
    kind = Text(required=True, validate=validate.Length(1, 40, error="长度应为 1 到 40"))
    recorded_at = Moment(required=True, validate=validate.Length(max=40, error="时间过长"))
    base_revision = Whole(validate=validate.Range(1, 2**31 - 1, error="应为正整数"))
    replaces = Text(validate=UUID)  # since schema 2: the author's refused operation that this one mends
    payload = fields.Dict(
        required=True, error_messages={"required": "必填", "null": "不能为空", "invalid": "应为对象"}
    )


class SealedSchema(Strict):
    """One operation sealed on the phone (sealing.py); op_id and author_id are repeated inside."""

    op_id = Text(required=True, validate=UUID)
    author_id = Text(required=True, validate=NAMED)
    key_id = Text(required=True, validate=validate.Regexp(r"[0-9]{6}\Z", error="应为六位数字"))
    data = Text(
        required=True,
        validate=[
            validate.Length(1, MAX_SEALED_CHARS, error=f"长度应为 1 到 {MAX_SEALED_CHARS}"),
            validate.Regexp(r"[A-Za-z0-9_-]+\Z", error="应为不带填充的 base64url"),
        ],
    )


def _batch() -> fields.List:
    return fields.List(
        fields.Raw(allow_none=True),
        required=True,
        validate=validate.Length(min=1, error="至少要有一条操作"),
        error_messages={"required": "必填", "null": "不能为空", "invalid": "应为数组"},
    )


class PushSchema(Strict):
    """The batch around the operations; each operation is checked on its own."""

    sent_at = Moment(required=True)
    ops = _batch()


class PushSealedSchema(Strict):
    """The same around sealed ones."""

    sent_at = Moment(required=True)
    sealed = _batch()
    echo = Flag(load_default=False)


class PullQuerySchema(Schema):
    class Meta:
        unknown = EXCLUDE

    cursor = fields.String(load_default="", validate=validate.Length(max=200, error="游标过长"))
    limit = Count(load_default=200, validate=validate.Range(1, 500, error="条数应为 1 到 500"))


class ReceiptsQuerySchema(Schema):
    class Meta:
        unknown = EXCLUDE

    device_id = Text(required=True, validate=NAMED)
    since = Day(required=True)
    list = Text(load_default="0", validate=validate.OneOf(("0", "1"), error="应为 0 或 1"))
