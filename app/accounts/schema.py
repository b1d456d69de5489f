from __future__ import annotations

import re
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from app.shared.strictjson import storable

# A phone's number stands in the address by which it is shut out: what would end or bend that address is no
# number, else somebody could sign in on a phone that nobody can report lost.
DEVICE_ID = re.compile(r"(?!\.{1,2}\Z)[^\x00-\x1f\x7f/\\?#%]{1,64}")
WORDS: dict[str, Any] = {"required": "必填", "null": "不能为空", "invalid": "应为文字"}


class LoginSchema(Schema):
    """POST /api/auth/login (SYNC §2)."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "不认识的字段", "type": "应为对象"}

    username = fields.String(
        required=True, validate=validate.Length(1, 50, error="请填写账号"), error_messages=WORDS
    )
    password = fields.String(
        required=True, validate=validate.Length(1, 256, error="请填写密码"), error_messages=WORDS
    )
    device_id = fields.String(
        required=True,
        validate=[
            validate.Length(1, 64, error="设备编号长度应为 1 到 64"),
            validate.Regexp(rf"{DEVICE_ID.pattern}\Z", error="设备编号里不能有 / ? # % 等符号"),
        ],
        error_messages=WORDS,
    )
    device_name = fields.String(
        load_default="", validate=validate.Length(max=100, error="设备名称过长"), error_messages=WORDS
    )
    otp = fields.String(validate=validate.Length(max=20, error="验证码过长"), error_messages=WORDS)

    @validates_schema
    def _text(self, data: dict[str, str], **_: object) -> None:
        for name, value in data.items():
            if not storable(value):
                raise ValidationError("含有无法识别的字符", name)
