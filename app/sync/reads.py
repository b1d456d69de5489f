"""Pages that were read on a phone without the server: its access log, as it comes in.

The server notes what it answers itself; a page shown from the phone's own store it hears of only here.
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from marshmallow import fields, validate
from sqlalchemy import select

from app.accounts import audit
from app.accounts.models import AuditLine, User
from app.extensions import db
from app.shared import clock
from app.sync.registry import patient_names
from app.sync.schema import NAMED, UUID, Moment, Strict, Text

MAX_READS = 500
REPORTS_A_MINUTE = 30
PAGES = ("patient", "visit-form")


class ReadSchema(Strict):
    """One opening of a stored page. `id` is made by the phone; the same again changes nothing."""

    id = Text(required=True, validate=UUID)
    patient_id = Text(required=True, validate=UUID)
    page = Text(required=True, validate=validate.OneOf(PAGES, error="不认识的页面"))
    at = Moment(required=True, validate=validate.Length(max=40, error="时间过长"))


class ReadsSchema(Strict):
    device_id = Text(required=True, validate=NAMED)
    reads = fields.List(
        fields.Nested(ReadSchema, error_messages={"type": "应为对象", "null": "不能为空"}),
        required=True,
        validate=validate.Length(1, MAX_READS, error=f"条数应为 1 到 {MAX_READS}"),
        error_messages={"required": "必填", "null": "不能为空", "invalid": "应为数组"},
    )


def take(user: User, device_id: str, reads: list[dict[str, Any]]) -> tuple[int, int]:
    """Note each as a line of the audit; (kept now, known already). Commits.

    Whoever has left the reader's scope since then, or never was in it, is kept as `reported`: that the
    phone showed the page is the point. The answer does not tell the two apart.
    """
    named = {_event_id(user, one["id"]): one for one in reads}
    known = set(db.session.scalars(select(AuditLine.event_id).where(AuditLine.event_id.in_(named))))
    within = patient_names(user, {one["patient_id"] for one in reads})
    for event_id, one in named.items():
        if event_id not in known:
            where = "offline" if one["patient_id"] in within else "reported"
            audit.note(
                "patient.read",
                object_id=one["patient_id"],
                patient_id=one["patient_id"],
                result=f"{where}:{one['page']}",
                event_id=event_id,
                device_id=device_id,
                claimed_at=clock.parse_moment(one["at"]),
            )
    db.session.commit()
    return len(named) - len(known), len(reads) - len(named) + len(known)


def _event_id(user: User, read_id: str) -> str:
    """Within one person's own ids: nobody can use up another's."""
    return str(uuid5(NAMESPACE_URL, f"read:{user.id}:{read_id}"))
