"""The audit: who saw and changed what, and who was turned away."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import Response, current_app, g, has_request_context, request
from flask_login import current_user
from sqlalchemy import Table
from sqlalchemy.exc import OperationalError

from app import aside
from app.accounts import audit_chain
from app.accounts.models import AuditLine
from app.extensions import db
from app.shared import bulk, clock
from app.shared.ids import is_id, new_id

log = logging.getLogger("nuanxun")
SHOWN = (409, 422)  # refusals that show the record again
REFUSED = (401, 403, 404)


def note(action: str, **more: Any) -> None:
    """Add what `line` makes to the current transaction: it stands or falls with what it tells of."""
    db.session.add(AuditLine(**vars(line(action, **more))))


@dataclass(frozen=True)
class Asker:
    """Who does something, and from where: the same for all lines of one request."""

    user_id: str | None
    role: str | None
    org_id: str | None
    device_id: str | None
    address: str | None
    request_id: str


def asker(user: Any = None) -> Asker:
    """`user`, or whoever is signed in; nobody, where there is neither."""
    asked = has_request_context()
    if user is None and asked and current_user.is_authenticated:
        user = current_user
    return Asker(
        user_id=getattr(user, "id", None),
        role=getattr(user, "role", None),
        org_id=_org_of(user),
        device_id=g.get("device_id") if asked else None,
        address=(request.remote_addr or "")[:45] or None if asked else None,
        request_id=g.get("request_id", "") if asked else "",
    )


def line(
    action: str,
    *,
    object_id: str | None = None,
    patient_id: str | None = None,
    result: str = "ok",
    user: Any = None,
    by: Asker | None = None,
    event_id: str | None = None,
    device_id: str | None = None,
    claimed_at: datetime | None = None,
) -> AuditLine:
    """The draft of a line, by `by` or else by `asker(user)`.

    `action` is `noun.verb` (patient.read, visit.create, session.begin). No names, no numbers of persons.
    """
    by = by or asker(user)
    made = bulk.draft(
        AuditLine,
        event_id=event_id or new_id(),
        at=clock.now(),
        user_id=by.user_id,
        role=by.role,
        org_id=by.org_id,
        device_id=device_id or by.device_id,
        address=by.address,
        action=action,
        object_id=object_id,
        patient_id=patient_id,
        claimed_at=claimed_at,
        result=result,
        request_id=by.request_id,
    )
    made.mac = audit_chain.mark(made)
    return made


def write(lines: Iterable[AuditLine]) -> None:
    """Store lines that `line` made, all of them at once."""
    bulk.insert_drafts(db.session(), AuditLine, lines)


def read(
    action: str, object_id: str | None = None, *, patient_id: str | None = None, result: str = "ok"
) -> None:
    """Note that something was seen. Written in a transaction of its own after the answer is made."""
    seen = {"action": action, "object_id": object_id, "patient_id": patient_id, "result": result}
    g.setdefault("audit_reads", []).append(seen)


def listed(action: str, count: int) -> None:
    """Note that a list with so many people in it was seen."""
    if count:
        read(action, result=f"ok:{count}")


def write_reads(response: Response) -> Response:
    """after_request: store what `read` collected, if the answer was given.

    A doctor must be able to read while the database cannot be written (locked, full): the lines then go
    to the log, which holds ids only.
    """
    reads = g.pop("audit_reads", ())
    if reads and (response.status_code < 400 or response.status_code in SHOWN):
        apart(reads)
    return response


def write_denial(response: Response) -> Response:
    """after_request: somebody we know was turned away. Strangers only leave a line in the log.

    The action is the door (blueprint.view). The record's id stays, the patient it belongs to does not: the
    asker may not even know that there is such a one.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    closed = view is not None and request.endpoint != "static" and not getattr(view, "is_public", False)
    if response.status_code in REFUSED and closed:
        user = g.get("refused_user") or (current_user if current_user.is_authenticated else None)
        if user is not None:
            result = f"denied:{g.get('refusal') or response.status_code}"
            apart([{"action": request.endpoint, "object_id": _asked_for(), "result": result, "user": user}])
    return response


def apart(lines: Iterable[dict[str, Any]]) -> None:
    """Write lines in a transaction of their own; into the log when the database cannot be written.

    They are written when this returns, and a killed server does not lose them. On SQLite a power cut may, for
    as long as nothing else is written: an answer does not wait there for the disk to say that somebody has
    read something.
    """
    # Read before the rows of users are let go of, or they would be read once more.
    told = [(asker(one.pop("user", None)), one) for one in map(dict, lines)]
    db.session.rollback()
    try:
        made = [line(**one, by=by) for by, one in told]
        aside.insert(db.engine, cast(Table, AuditLine.__table__), [vars(one) for one in made])
    except OperationalError:
        for _, one in told:
            log.warning(
                "audit %s object=%s patient=%s result=%s user=%s request=%s",
                one["action"], one.get("object_id"), one.get("patient_id"), one.get("result", "ok"),
                g.get("user_id"), g.get("request_id"),
            )  # fmt: skip


def _org_of(user: Any) -> str | None:
    names = ("institution_id", "team_id", "place_code")
    return next((value for name in names if (value := getattr(user, name, None))), None)


def _asked_for() -> str | None:
    """The id of what was asked for. Only ids: anybody may write anything into an address."""
    form = vars(request).get("form") or {}  # as far as it was read: a body that came from elsewhere was not
    given = [*(request.view_args or {}).values(), request.args.get("patient"), form.get("patient_id")]
    return next((value for value in given if is_id(value)), None)
