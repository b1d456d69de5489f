"""What may come in: order.create and order.transition (SYNC §4)."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate, validates_schema

from app.orders.machine import machine
from app.patients import identity
from app.sync.schema import Moment, Strict, Text, Whole

STATES = [key for key in machine().states if key != "draft"]
BY = ("本人", "家属")


def _phone(value: str) -> None:
    try:
        identity.parse_phone(value)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _id(label: str, *, required: bool = False) -> Text:
    return Text(required=required, validate=validate.Length(1, 36, error=f"{label}不对"))


def _words(limit: int, label: str) -> Text:
    return Text(validate=validate.Length(max=limit, error=f"{label}不能超过 {limit} 字"))


def _score(label: str, *, required: bool = False, low: int = 1, high: int = 5) -> Whole:
    return Whole(
        required=required, validate=validate.Range(low, high, error=f"{label}应在 {low} 到 {high} 之间")
    )


class OrderCreate(Strict):
    patient_id = _id("老人编号", required=True)
    service = Text(required=True, validate=validate.Length(1, 8, error="没有这项服务，请从服务目录里选"))
    wanted_at = Moment(required=True, validate=validate.Length(max=40, error="时间过长"))
    phone = Text(required=True, validate=[validate.Length(max=40, error="电话过长"), _phone])
    address = _words(200, "地址")
    note = _words(500, "备注")


class Rating(Strict):
    """The questions of services.md §10; only the overall one must be answered."""

    overall = _score("总体评价", required=True)
    attitude = _score("服务态度")
    skill = _score("专业技术")
    timely = _score("及时性")
    explain = _score("沟通解释")
    fee = _score("费用透明")
    recommend = _score("推荐程度", low=0, high=10)
    comment = _words(500, "意见")
    by = Text(validate=validate.OneOf(BY, error="评价人应为本人或家属"))


class OrderTransition(Strict):
    order_id = _id("订单编号", required=True)
    to = Text(required=True, validate=validate.OneOf(STATES, error="没有这种订单状态"))
    note = _words(500, "说明")
    assignee_id = _id("服务人员")
    scheduled_at = Moment(validate=validate.Length(max=40, error="时间过长"))
    rating = fields.Nested(
        Rating, error_messages={"null": "不能为空", "type": "应为对象", "invalid": "应为对象"}
    )

    @validates_schema
    def _belongs(self, data: dict[str, object], **_: object) -> None:
        target = data.get("to")
        if "rating" in data and target != "confirmed":
            raise ValidationError("确认完成时才能评价", "rating")
        if "scheduled_at" in data and target != "scheduled":
            raise ValidationError("排班时才能定时间", "scheduled_at")
        if "assignee_id" in data and target not in ("scheduled", "accepted"):
            raise ValidationError("排班时才能指定服务人员", "assignee_id")
