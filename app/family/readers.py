"""谁看过档案: who opened or changed a patient's record, told to the relatives by day and person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from app.accounts import audit_queries
from app.accounts.audit_queries import Deed
from app.accounts.models import ROLES, User
from app.orgs import service as orgs
from app.patients import service as patients
from app.patients.models import Patient
from app.shared import clock

DEEDS_A_PAGE = 200
WORDS = {
    "patient.read": "看了档案",
    "visit.read": "看了随访记录",
    "order.read": "看了服务单",
    "patient.create": "建了档案",
    "patient.update": "修改了档案",
    "visit.create": "记录了随访",
    "visit.correct": "更正了随访",
    "order.create": "点了服务",
    "order.transition": "办理了服务单",
    "order.keep": "补记了服务",
    "grade.confirm": "确认了等级",
    "grade.raise": "调高了等级",
    "readers.read": "看了这一页",
    "family.read": "看了绑定和授权",
    "family.invite": "生成了家属绑定码",
    "family.claim": "输入了绑定码",
    "family.confirm": "确认了家属绑定",
    "family.refused": "拒绝了家属绑定",
    "family.withdrawn": "作废了绑定码",
    "family.end": "解除了家属绑定",
    "consent.give": "记录了同意",
    "consent.withdraw": "记录了收回同意",
    "patient.numbers": "看了完整的证件号和电话",
    "patient.copy": "取了一份资料",
    "patient.restrict": "限制了处理",
    "patient.open": "看了限制处理的档案",
    "patient.lift": "解除了限制处理",
}
OTHER = "处理了档案"


@dataclass
class Person:
    """One person's doings of one day. `did`: words -> how often; `at`: the last of them."""

    name: str
    what: str
    at: datetime
    offline: bool = False
    did: dict[str, int] = field(default_factory=dict)


def context(user: User, patient: Patient, number: int) -> dict[str, Any]:
    found = audit_queries.deeds_about(patient.id, besides=user.id, number=number, size=DEEDS_A_PAGE)
    places = orgs.called({deed.org_id for deed in found.rows if deed.org_id})
    links = {link.patient_id: link.relation for link, _ in patients.links_of(user)}
    return {
        "tab": "family",
        "patient": patient,
        "called": links.get(patient.id) or patient.name,
        "days": by_day(found.rows, places),
        "number": found.number,
        "last": found.last,
        "today": clock.today(),
    }


def by_day(rows: list[Deed], places: dict[str, str]) -> list[tuple[date, list[Person]]]:
    """The same deeds, newest first, gathered by day and within it by person."""
    return [
        (day, _people(list(deeds), places))
        for day, deeds in groupby(rows, lambda deed: clock.local_date(deed.at))
    ]


def _people(deeds: list[Deed], places: dict[str, str]) -> list[Person]:
    found: dict[str, Person] = {}
    for deed in deeds:
        person = found.get(deed.user_id)
        if person is None:
            person = found[deed.user_id] = Person(_name(deed), _what(deed, places), deed.at)
        words = WORDS.get(deed.action, OTHER)
        person.did[words] = person.did.get(words, 0) + 1
        person.offline = person.offline or deed.offline
    return list(found.values())


def _name(deed: Deed) -> str:
    """Staff by name; of another relative only that it is one."""
    if deed.role == "family":
        return "另一位家属"
    return deed.user.name if deed.user is not None else "已离开的工作人员"


def _what(deed: Deed, places: dict[str, str]) -> str:
    if deed.role == "family":
        return ""
    return " ".join(part for part in (ROLES.get(deed.role, ""), places.get(deed.org_id or "", "")) if part)
