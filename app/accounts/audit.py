"""The audit: who saw and changed what."""

from __future__ import annotations

import logging

from flask import Response, g, has_request_context
from flask_login import current_user
from sqlalchemy.exc import OperationalError

from app.accounts.models import AuditLine
from app.extensions import db, writing
from app.shared import clock

log = logging.getLogger("nuanxun")


def note(
    action: str,
    *,
    object_id: str | None = None,
    patient_id: str | None = None,
    result: str = "ok",
    user: object | None = None,
) -> None:
    """Add a line to the current transaction: it stands or falls with what it tells of.

    `action` is `noun.verb` (patient.read, visit.create, session.begin). No names, no numbers of persons.
    """
    if user is None and has_request_context() and current_user.is_authenticated:
        user = current_user
    db.session.add(
        AuditLine(
            at=clock.now(),
            user_id=getattr(user, "id", None),
            role=getattr(user, "role", None),
            action=action,
            object_id=object_id,
            patient_id=patient_id,
            result=result,
            request_id=g.get("request_id", "") if has_request_context() else "",
        )
    )


def read(action: str, object_id: str | None = None, *, patient_id: str | None = None) -> None:
    """Note that something was seen. Written in a transaction of its own after the answer is made."""
    g.setdefault("audit_reads", []).append((action, object_id, patient_id))


def write_reads(response: Response) -> Response:
    """after_request: store what `read` collected, if the answer was given.

    A doctor must be able to read while the database cannot be written (locked, full): the lines then go
    to the log, which holds ids only.
    """
    reads = g.pop("audit_reads", ())
    if reads and response.status_code < 400:
        db.session.rollback()
        token = writing.set(True)
        try:
            for action, object_id, patient_id in reads:
                note(action, object_id=object_id, patient_id=patient_id)
            db.session.commit()
        except OperationalError:
            db.session.rollback()
            for action, object_id, patient_id in reads:
                log.warning(
                    "audit %s object=%s patient=%s user=%s request=%s",
                    action, object_id, patient_id, g.get("user_id"), g.get("request_id"),
                )  # fmt: skip
        finally:
            writing.reset(token)
    return response
