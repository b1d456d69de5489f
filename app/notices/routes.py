"""/notices: the inbox."""

from __future__ import annotations

from flask import Blueprint, Response, redirect
from flask_login import current_user

from app.accounts import audit
from app.notices import service
from app.shared.page import page

bp = Blueprint("notices", __name__)


@bp.get("/notices")
def inbox() -> Response:
    notices = service.inbox(current_user)
    audit.listed("notice.list", len(notices))
    return page(
        "notices/inbox.html", notices=notices, unread=sum(n.read_at is None for n in notices), tab="me"
    )


@bp.post("/notices/<notice_id>/read")
def read(notice_id: str) -> Response:
    """Mark as read and go to what it is about; its url was written by us, never by a person."""
    return redirect(service.read(current_user, notice_id).url, 303)  # type: ignore[return-value]


@bp.post("/notices/read")
def read_all() -> Response:
    service.read_all(current_user)
    return redirect("/notices", 303)  # type: ignore[return-value]
