"""Throwing away notices and short messages nobody will look for any more."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from app.extensions import db
from app.notices.models import Notice, SmsMessage
from app.shared import clock

READ_KEPT = timedelta(days=90)
ANY_KEPT = timedelta(days=365)
SENT_KEPT = timedelta(days=90)  # phone numbers are not kept longer than somebody may ask about them


def forget_old() -> int:
    """Delete what was read long ago, what is a year old, and messages long sent. Does not commit.

    Messages whose fate is unknown stay until a person has looked at them.
    """
    now = clock.now()
    gone = 0
    for statement in (
        delete(Notice).where(Notice.read_at < now - READ_KEPT),
        delete(Notice).where(Notice.created_at < now - ANY_KEPT),
        delete(SmsMessage).where(
            SmsMessage.state.in_(("sent", "failed")), SmsMessage.created_at < now - SENT_KEPT
        ),
    ):
        gone += int(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]
    return gone
