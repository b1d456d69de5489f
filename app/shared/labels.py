"""What fields are called, for refusals that do not stand beside the field."""

from __future__ import annotations

import re
from collections.abc import Mapping

LABELS: dict[str, str] = {
    "name": "姓名", "id_card": "身份证号", "phone": "电话", "village_id": "村（社区）", "address": "地址",
    "contact_name": "联系人", "contact_phone": "联系人电话", "contact_relation": "联系人关系",
    "lives_alone": "独居", "conditions": "疾病", "consent_at": "同意时间", "form": "表单",
    "form_version": "表单版本", "visited_at": "随访时间", "visited_on": "随访日期", "mode": "随访方式",
    "next_visit_on": "下次随访日期", "reason": "原因", "void": "作废", "patient_id": "老人",
    "recorded_at": "记录时间", "base_revision": "所依据的版本", "base": "所依据的版本", "service": "服务",
    "wanted_at": "希望时间", "wanted_on": "哪一天", "wanted_hour": "上午还是下午", "note": "留言",
    "to": "状态", "assignee_id": "服务人员", "scheduled_at": "上门时间", "order_id": "订单",
    "overall": "总体评价", "attitude": "服务态度", "skill": "专业技术", "timely": "及时性",
    "explain": "沟通解释", "fee": "费用透明", "recommend": "推荐程度", "comment": "意见", "by": "评价人",
    "colour": "分级", "username": "账号", "password": "密码", "current": "现在的密码", "new": "新密码",
    "again": "再输一次的新密码", "code": "验证码", "device_id": "设备编号", "on": "开关",
    "next": "返回的页面", "sealed": "交来的记录", "file": "文件", "q": "要找的姓名",
    "said_by": "谁表示同意", "purpose": "老人同意什么", "guardian": "监护人姓名",
    "guardian_relation": "监护人和老人的关系", "capacity": "老人的行为能力", "basis": "监护的依据",
    "wish": "老人自己的意愿", "relation": "怎么称呼老人", "why": "原因",
}  # fmt: skip
ROW = re.compile(r"(.+)-[0-9]{1,3}-(.+)")


def add(more: Mapping[str, str]) -> None:
    """A room's own fields; a name that is taken keeps the meaning it has."""
    for name, label in more.items():
        LABELS.setdefault(name, label)


def label_of(pointer: str) -> str:
    """Of `/id_card`, `/rating/overall`, `rating.overall`, `/answers/meds/0/dose`, `meds-0-dose`.

    "" for a stranger.
    """
    parts = [
        part for part in re.split(r"[/.]", pointer) if part and part not in ("payload", "answers", "rating")
    ]
    name = parts[0] if parts else ""
    if name not in LABELS and (row := ROW.fullmatch(name)):
        name = row[1]
    return LABELS.get(name, "")


def said(error: Mapping[str, str]) -> str:
    """`身份证号：校验位不对`; the words alone where they name the field themselves."""
    label, message = label_of(error["pointer"]), error["message"]
    return f"{label}：{message}" if label and label not in message else message
