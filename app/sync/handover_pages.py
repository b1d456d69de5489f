"""/handover: records that did not get through by themselves, brought as a file or by a QR code."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_login import current_user

from app.accounts import audit, throttle
from app.accounts import service as accounts
from app.accounts.models import User
from app.errors import DomainError
from app.guard import takes_up_to
from app.shared import clock
from app.shared.labels import said
from app.shared.page import page
from app.sync import handover
from app.sync.handover_file import MAX_FILE_BYTES, Brought, read_file, read_link, too_large
from app.sync.models import Handover
from app.sync.registry import patient_names

bp = Blueprint("handover", __name__)
MAX_BODY_BYTES = MAX_FILE_BYTES + 64 * 1024  # the form around the file
HANDOVERS_A_MINUTE = 60  # one QR code each
KINDS = {
    "patient.create": "新建档案",
    "patient.update": "修改档案",
    "visit.create": "随访",
    "visit.correct": "更正随访",
    "order.create": "点服务",
    "order.transition": "服务单进展",
}


@bp.get("/handover")
def form() -> Response:
    return _page()


@bp.post("/handover")
@takes_up_to(MAX_BODY_BYTES)
def bring() -> Response:
    try:
        throttle.hit(f"handover:{current_user.id}", HANDOVERS_A_MINUTE, window_s=60)
        made = handover.take(current_user, _brought())
    except DomainError as no:
        return _page(no)
    return redirect(f"/handover/{made.id}", 303)  # type: ignore[return-value]


@bp.get("/handover/<handover_id>")
def show(handover_id: str) -> Response:
    found = handover.get(current_user, handover_id)
    names = _names([found])
    needs = _needs(found, names)
    audit.read("handover.read", found.id)
    return page("handover/show.html", tab="me", handover=found, whose=_whose(found, names), needs=needs)


@bp.post("/handover/<handover_id>/retry")
def retry(handover_id: str) -> Response:
    handover.retry(current_user, handover_id)
    return redirect(f"/handover/{handover_id}", 303)  # type: ignore[return-value]


def _brought() -> Brought:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()
    text = request.form.get("sealed", "")
    if text:
        return read_link(text)
    file = request.files.get("file")
    return read_file(file.read() if file is not None else b"")


def _page(no: DomainError | None = None) -> Response:
    earlier = handover.made_by(current_user)
    names = _names(earlier)
    response = page(
        "handover/page.html",
        status=no.status if no else 200,
        tab="me",
        fault=no.detail if no else "",
        earlier=[(each, _whose(each, names)) for each in earlier],
        for_others=current_user.role == "manager",
    )
    response.headers.extend(no.headers if no else {})
    return response


def _names(handovers: list[Handover]) -> dict[str, str]:
    return accounts.names({author for each in handovers for author in each.authors})


def _whose(found: Handover, names: dict[str, str]) -> str:
    return "、".join(names[author] for author in found.authors if author in names)


def _needs(found: Handover, names: dict[str, str]) -> list[dict[str, Any]]:
    """What was refused, as far as this reader may know it: a patient's name and what is wrong with an entry
    about them only to those in whose scope the patient is, or to who wrote it."""
    user: User = current_user
    seen = patient_names(user, {one["patient_id"] for one in found.refused if one["patient_id"]})
    return [
        {
            "kind": KINDS.get(one["kind"] or "", "记录"),
            "at": clock.parse_moment(one["recorded_at"]) if one["recorded_at"] else None,
            "author": names.get(one["author_id"] or "", ""),
            "patient": seen.get(one["patient_id"] or "", ""),
            "detail": one["detail"],
            "faults": [said(fault) for fault in one["faults"]] if _may_know(user, one, seen) else [],
        }
        for one in found.refused
    ]


def _may_know(user: User, one: dict[str, Any], seen: dict[str, str]) -> bool:
    return one["author_id"] == user.id or one["patient_id"] is None or one["patient_id"] in seen
