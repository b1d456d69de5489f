"""The payloads of visit.create and visit.correct (SYNC §4). What the answers say is the forms' business."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.encounters.models import MODES
from app.shared.words import blank
from app.sync.schema import Moment, Strict, Text, Whole

MAX_ANSWERS = 500
MODE = validate.OneOf(list(MODES), error="随访方式应为上门、门诊、电话或机构")
ANSWERS = validate.Length(max=MAX_ANSWERS, error="答案过多")
ID_LENGTH = validate.Length(1, 36, error="编号不对")
OBJECT_WORDS: dict[str, Any] = {
    "required": "必填",
    "null": "不能为空",
    "invalid": "应为对象",
    "type": "应为对象",
}
LIST_WORDS: dict[str, Any] = {"required": "必填", "null": "不能为空", "invalid": "应为列表"}


class Yes(fields.Boolean):
    """JSON true or false; 1, "yes" and the like are refused."""

    default_error_messages = {"required": "必填", "null": "不能为空", "invalid": "应为是或否"}

    def takes(self, value: Any) -> bool:
        return isinstance(value, bool)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not self.takes(value):
            raise self.make_error("invalid")
        return value


class Degrees(fields.Float):
    """A JSON number within limits; text, true and NaN are refused."""

    default_error_messages = {"required": "必填", "null": "不能为空", "invalid": "应为数字"}

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        words = f"应在 {low:g} 到 {high:g} 之间"
        super().__init__(validate=validate.Range(low, high, error=words), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Codes(fields.List):
    def __init__(self) -> None:
        code = Text(validate=validate.Length(1, 60, error="代码不对"))
        super().__init__(code, validate=validate.Length(max=60, error="过多"), error_messages=LIST_WORDS)


class PhoneGrade(Strict):
    """The grade as the phone computed it; kept beside the server's own, never instead of it."""

    colour = Text(validate=validate.OneOf(["red", "yellow", "green", "unrated"], error="分级不对"))
    emergency = Yes()
    reasons = Codes()
    missing = Codes()
    due_in_days = Whole(validate=validate.Range(0, 1000, error="天数不对"))
    rule_version = Text(validate=validate.Length(1, 40, error="规则版本不对"))


class Location(Strict):
    lat = Degrees(-90, 90, required=True)
    lon = Degrees(-180, 180, required=True)
    accuracy_m = Degrees(0, 100_000)


class Content(Strict):
    form_version = Whole(validate=validate.Range(1, 10_000, error="表单版本不对"))
    visited_at = Moment(validate=validate.Length(max=40, error="时间过长"))
    mode = Text(validate=MODE)
    answers = fields.Dict(validate=ANSWERS, error_messages=OBJECT_WORDS)
    grade = fields.Nested(PhoneGrade, error_messages=OBJECT_WORDS)
    next_visit_on = Text(validate=validate.Length(max=10, error="应为日期，如 2026-06-24"))
    location = fields.Nested(Location, error_messages=OBJECT_WORDS)
    form = Text(validate=validate.Length(1, 30, error="表单不对"))
    patient_id = Text(validate=ID_LENGTH)


REQUIRED = ("form", "form_version", "visited_at", "mode", "answers")


class VisitCreate(Content):
    patient_id = Text(required=True, validate=ID_LENGTH)
    form = Text(required=True, validate=validate.Length(1, 30, error="表单不对"))
    form_version = Whole(required=True, validate=validate.Range(1, 10_000, error="表单版本不对"))
    visited_at = Moment(required=True, validate=validate.Length(max=40, error="时间过长"))
    mode = Text(required=True, validate=MODE)
    answers = fields.Dict(
        required=True,
        validate=ANSWERS,
        error_messages=OBJECT_WORDS,
    )


class VisitCorrect(Content):
    """The whole new content, or `void: true` to cancel the visit."""

    visit_id = Text(required=True, validate=ID_LENGTH)
    reason = Text(required=True, validate=validate.Length(1, 200, error="请写明更正原因，不超过 200 字"))
    void = Yes()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _whole(self, _data: dict[str, Any], original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        reason = original.get("reason")
        if isinstance(reason, str) and reason and blank(reason):
            raise ValidationError({"reason": ["请写明更正原因"]})
        if original.get("void") is not True and (gone := [n for n in REQUIRED if n not in original]):
            raise ValidationError({name: ["必填"] for name in gone})
