"""The shapes of SYNC §3, from which /api/openapi.json is generated too."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from app.shared import clock
from app.shared.ids import OP_ID

MAX_OPS = 100
MAX_OP_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_INFLATED_BYTES = 2 * 1024 * 1024
PUSHES_A_MINUTE = 60
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


class Whole(fields.Integer):
    """A JSON integer: "12", true and 1.5 are refused."""

    default_error_messages = {
        "required": "必填",
        "null": "不能为空",
        "invalid": "应为整数",
        "too_large": "数字过大",
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
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

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            clock.parse_moment(text)
        except (ValueError, OverflowError) as error:
            raise ValidationError("时间格式不对，应为带时区的时间，如 2026-06-01T09:12:00+08:00") from error
        return text


class Strict(Schema):
    """Unknown fields are refused: strictness today is compatibility tomorrow."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "不认识的字段", "type": "应为对象"}


class OpSchema(Strict):
    op_id = Text(
        required=True,
        validate=validate.Regexp(f"{OP_ID.pattern}\\Z", error="应为小写的 UUID（第 7 或 4 版）"),
    )
    device_id = Text(required=True, validate=validate.Length(1, 64, error="长度应为 1 到 64"))
    author_id = Text(required=True, validate=validate.Length(1, 64, error="长度应为 1 到 64"))
    kind = Text(required=True, validate=validate.Length(1, 40, error="长度应为 1 到 40"))
    recorded_at = Moment(required=True, validate=validate.Length(max=40, error="时间过长"))
    base_revision = Whole(validate=validate.Range(1, 2**31 - 1, error="应为正整数"))
    payload = fields.Dict(
        required=True, error_messages={"required": "必填", "null": "不能为空", "invalid": "应为对象"}
    )


class PushSchema(Schema):
    """The batch around the operations; each operation is checked on its own."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "不认识的字段", "type": "应为对象"}

    sent_at = Moment(required=True)
    ops = fields.List(
        fields.Raw(allow_none=True),
        required=True,
        validate=validate.Length(min=1, error="至少要有一条操作"),
        error_messages={"required": "必填", "null": "不能为空", "invalid": "应为数组"},
    )


class FieldErrorSchema(Schema):
    pointer = fields.String(required=True)
    code = fields.String(required=True)
    message = fields.String()


class ResultSchema(Schema):
    op_id = fields.String(required=True, allow_none=True)
    status = fields.String(
        required=True, validate=validate.OneOf(["applied", "duplicate", "conflict", "rejected"])
    )
    entity_id = fields.String()
    revision = fields.Integer()
    code = fields.String()
    detail = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))
    current = fields.Dict()


class PushAnswerSchema(Schema):
    server_time = fields.String(required=True)
    results = fields.List(fields.Nested(ResultSchema), required=True)


class ChangeSchema(Schema):
    id = fields.String(required=True)
    revision = fields.Integer(required=True)
    kind = fields.String(required=True)
    op_id = fields.String(required=True)
    author_id = fields.String(required=True)
    recorded_at = fields.String(required=True)
    received_at = fields.String(required=True)
    state = fields.String()
    payload = fields.Dict(required=True)


class RemovedSchema(Schema):
    id = fields.String(required=True)


class PullAnswerSchema(Schema):
    changes = fields.List(fields.Nested(ChangeSchema), required=True)
    removed = fields.List(fields.Nested(RemovedSchema), required=True)
    cursor = fields.String(required=True)
    more = fields.Boolean(required=True)
    epoch = fields.String(required=True)
    server_time = fields.String(required=True)


class PullQuerySchema(Schema):
    class Meta:
        unknown = EXCLUDE

    cursor = fields.String(load_default="", validate=validate.Length(max=200, error="游标过长"))
    limit = Count(load_default=200, validate=validate.Range(1, 500, error="条数应为 1 到 500"))


class ProblemSchema(Schema):
    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String()
    request_id = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))
