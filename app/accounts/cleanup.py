"""Throwing away what only yesterday needed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_

from app.accounts.models import LoginSession, Throttle
from app.extensions import db
from app.shared import clock

SESSIONS_KEPT = timedelta(days=30)  # after their end, for whoever asks who was signed in
THROTTLES_KEPT = timedelta(days=1)  # longer than any window


def forget_expired() -> int:
    """Delete sessions that ended long ago and attempt counters of past windows. Does not commit."""
    now = clock.now()
    limit = now - SESSIONS_KEPT
    gone = db.session.execute(
        delete(LoginSession).where(or_(LoginSession.expires_at < limit, LoginSession.ended_at < limit))
    )
    counted = db.session.execute(delete(Throttle).where(Throttle.window_started_at < now - THROTTLES_KEPT))
    return int(gone.rowcount) + int(counted.rowcount)  # type: ignore[attr-defined]
