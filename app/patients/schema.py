from __future__ import annotations

import re

from marshmallow import ValidationError, fields, validate, validates_schema

from app.patients import identity
from app.shared import clock, words
from app.sync.schema import Moment, Strict, Text

# domain/grading.md §3; other_* is free for a district
CONDITIONS = {
    "hypertension": "高血压",
    "diabetes_t2": "2型糖尿病",
    "chd": "冠心病",
    "stroke": "脑卒中",
    "heart_failure": "心衰",
    "ckd": "慢性肾病",
    "copd": "慢阻肺",
    "malignancy": "恶性肿瘤",
    "smi": "严重精神障碍",
    "dementia": "痴呆",
    "osteoporosis": "骨质疏松",
}
OTHER_CONDITION = re.compile(r"other_[a-z0-9_]{1,30}")
RELATIONS = {
    "0": "本人", "1": "配偶", "2": "子", "3": "女", "4": "孙", "5": "父母", "6": "祖父母",
    "7": "兄弟姐妹", "8": "其他",
}  # fmt: skip


def condition_name(code: str) -> str:
    return CONDITIONS.get(code, "其他疾病")


def _name(value: str) -> None:
    if words.blank(value):
        raise ValidationError("请填写姓名")
    _printed(value)


def _printed(value: str) -> None:
    if words.UNPRINTED.search(value):
        raise ValidationError("姓名里有不能显示的字符")


def _consent(value: str) -> None:
    if not 2000 <= clock.parse_moment(value).year < 2200:
        raise ValidationError("同意的时间不对")


def _phone(value: str) -> None:
    try:
        identity.parse_phone(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _id_card(value: str) -> None:
    try:
        identity.parse_id_card(value, clock.today())
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _conditions(value: list[str]) -> None:
    for place, code in enumerate(value):
        if code not in CONDITIONS and not OTHER_CONDITION.fullmatch(code):
            raise ValidationError({place: ["不认识的疾病"]})
    if len(set(value)) < len(value):
        raise ValidationError("同一种疾病写了两次")


class YesNo(fields.Boolean):
    """JSON true or false; 1, "yes" and the like are refused."""

    default_error_messages = {"required": "必填", "null": "不能为空", "invalid": "应为是或否"}

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Conditions(fields.List):
    default_error_messages = {"required": "必填", "null": "不能为空", "invalid": "应为疾病列表"}

    def __init__(self) -> None:
        super().__init__(Text(), validate=[validate.Length(max=30, error="疾病过多"), _conditions])


class Contact(Strict):
    """Contact, living situation and conditions: what both creating and updating may carry."""

    address = Text(validate=validate.Length(max=200, error="地址不能超过 200 字"))
    contact_name = Text(validate=[validate.Length(max=50, error="联系人姓名不能超过 50 字"), _printed])
    contact_phone = Text(validate=_phone)
    contact_relation = Text(validate=validate.OneOf(list(RELATIONS), error="联系人关系不对"))
    lives_alone = YesNo()
    conditions = Conditions()


class PatientCreate(Contact):
    name = Text(required=True, validate=[validate.Length(1, 50, error="姓名应为 1 到 50 字"), _name])
    id_card = Text(required=True, validate=[validate.Length(max=40, error="身份证号应为 18 位"), _id_card])
    phone = Text(required=True, validate=_phone)
    village_id = Text(required=True, validate=validate.Length(1, 12, error="村（社区）代码不对"))
    consent_at = Moment(validate=[validate.Length(max=40, error="时间过长"), _consent])


class PatientUpdate(Contact):
    patient_id = Text(required=True, validate=validate.Length(1, 36, error="编号不对"))
    phone = Text(validate=_phone)
    village_id = Text(validate=validate.Length(1, 12, error="村（社区）代码不对"))

    @validates_schema
    def _something(self, data: dict[str, object], **_: object) -> None:
        if len(data) < 2:
            raise ValidationError("没有要修改的内容")
