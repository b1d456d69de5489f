"""How the fate of one operation is told (SYNC §3)."""

from __future__ import annotations

from typing import Any

from app.accounts import audit
from app.accounts.models import User
from app.sync.registry import kinds

CODE_DETAILS = {
    "invalid": "填写的内容有误，请改好再上传。",
    "unknown_kind": "服务器不认识这种操作，请更新应用。",
    "op_id_reused": "这个编号已用于另一条记录。",
    "author_mismatch": "这条记录不是当前登录的人写的。",
    "forbidden": "您的账号不能做这件事。",
    "not_found": "内容不存在，或不在您的服务范围内。",
    "missing_dependency": "它依赖的记录还没有上传。",
    "restricted": "这份档案已限制处理，不能新增或修改。",
    "cannot_open": "服务器打不开这条加密的记录，请保留手机上的内容，并告诉管理员。",
}
ALREADY_APPLIED = "原来的记录已经上传成功，不需要再改一次。"


def accepted(status: str, op_id: str, entity_id: str, revision: int) -> dict[str, Any]:
    return {"op_id": op_id, "status": status, "entity_id": entity_id, "revision": revision}


def refusal(
    user: User,
    op_id: str | None,
    raw: Any,
    status: str,
    code: str,
    detail: str = "",
    errors: list[dict[str, str]] | None = None,
    current: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The answer of a refused operation; all it leaves is an audit line (SYNC §3 rule 6)."""
    kind = raw.get("kind") if isinstance(raw, dict) else None
    action = kind if isinstance(kind, str) and kind in kinds else "op.unknown"
    audit.note(action, object_id=op_id, result=f"{status}:{code}", user=user)
    result: dict[str, Any] = {"op_id": op_id, "status": status, "code": code}
    result["detail"] = detail or CODE_DETAILS.get(code, "")
    if errors:
        result["errors"] = errors
    if current is not None:
        result["current"] = current
    return result
