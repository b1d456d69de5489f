"""Who may do what, and on whom: roles × actions → places. The one table; everything that decides reads it.

Plain data: no Flask, no database. `app/guard.py` opens doors by it (who may knock), `app/patients/scope.py`
makes SQL of its places (on whom), the kinds of operation take their roles from it, and tools/scope_doc.py
writes it into docs/security.md. An absent action is refused.
"""

from __future__ import annotations

PLACES = {
    "bound": "绑定的老人",
    "village": "本村",
    "team": "本团队",
    "town": "本镇",
    "assigned": "派给自己的",
    "self": "自己",
    "everywhere": "全区",
}

ACTIONS = {
    "read": "看姓名、住址、电话",
    "chart": "看病历、随访、分级",
    "visit": "记随访",
    "correct": "更正随访",
    "grade": "确认或调高分级",
    "register": "建档",
    "edit": "改档案",
    "contact": "改电话和联系人",
    "order": "点服务",
    "orders": "看服务单",
    "perform": "办服务单",
    "desk": "订单台",
    "home": "家属首页",
    "readers": "看谁看过档案",
    "join": "输入绑定码、解除自己的绑定",
    "bind": "办家属绑定和授权",
    "copy": "取一份本人资料",
    "numbers": "看完整证件号和电话",
    "restrict": "限制处理",
    "open": "凭理由看限制处理的档案",
    "lift": "解除限制处理",
    "answer": "管人员账号和设备",
    "two_step": "设两步验证",
}

_CLINICAL = (
    "read", "chart", "visit", "correct", "grade", "register", "edit", "contact", "order", "orders", "perform",
    "bind", "copy", "numbers",
)  # fmt: skip


def _all(place: str, *actions: str) -> dict[str, str]:
    return dict.fromkeys(actions, place)


# role -> action -> place
SCOPE: dict[str, dict[str, str]] = {
    "family": {
        **_all("bound", "read", "contact", "order", "orders", "perform", "home", "readers", "copy"),
        "join": "self",
    },
    "village": {**_all("village", *_CLINICAL, "desk"), "two_step": "self"},
    "doctor": {**_all("team", *_CLINICAL, "restrict", "open"), "two_step": "self"},
    "nurse": {**_all("team", *_CLINICAL), "two_step": "self"},
    "provider": {**_all("assigned", "orders", "perform"), "two_step": "self"},
    "dispatcher": {**_all("town", "order", "orders", "perform", "desk"), "two_step": "self"},
    "manager": {
        **_all("town", "read", "chart", "correct", "orders", "bind", "copy", "numbers"),
        **_all("town", "restrict", "open", "lift", "answer"),
        "two_step": "self",
    },
    "supervisor": {"two_step": "self"},
    "admin": {"answer": "everywhere", "two_step": "self"},
}

# What a relative may do only while the person consents to it: action -> purpose (app/patients/purposes.py).
CONSENTED = {"order": "orders", "orders": "orders", "perform": "orders", "readers": "readers", "copy": "copy"}


def place_of(role: str, action: str) -> str | None:
    """Where somebody of this role may do it; None: nowhere. KeyError for an action nobody defined."""
    if action not in ACTIONS:
        raise KeyError(action)
    return SCOPE[role].get(action)


def roles_of(action: str) -> tuple[str, ...]:
    """The roles that may do it anywhere at all, in the order of the table."""
    return tuple(role for role in SCOPE if place_of(role, action) is not None)


def may(role: str, action: str) -> bool:
    return place_of(role, action) is not None
