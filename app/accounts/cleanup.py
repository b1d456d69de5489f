"""Throwing away what only yesterday needed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, or_

from app.accounts.models import Device, LoginSession, SignInStep, Throttle
from app.accounts.sessions import COOKIE_KEPT
from app.extensions import db
from app.shared import clock

SESSIONS_KEPT = timedelta(days=30)  # after somebody ended them, for whoever asks who was signed in
THROTTLES_KEPT = timedelta(days=1)  # longer than any window


def forget_expired() -> int:
    """Delete sessions that ended long ago, attempt counters of past windows, sign-ins given up. No commit.

    A session that merely ran out stays as long as its cookie may be on the phone: it may be reported lost
    months later. The session of a revoked phone stays until the phone has emptied itself: by it we know the
    phone when it comes out of a drawer, and tell it.
    """
    now = clock.now()
    to_be_told = exists().where(
        Device.device_id == LoginSession.device_id,
        Device.user_id == LoginSession.user_id,
        Device.revoked_at.is_not(None),
        Device.wiped_at.is_(None),
    )
    ended = LoginSession.ended_at < now - SESSIONS_KEPT
    old = or_(LoginSession.created_at < now - COOKIE_KEPT, ended)
    gone = db.session.execute(delete(LoginSession).where(old, ~to_be_told))
    counted = db.session.execute(delete(Throttle).where(Throttle.window_started_at < now - THROTTLES_KEPT))
    left = db.session.execute(delete(SignInStep).where(SignInStep.expires_at < now))
    return sum(int(done.rowcount) for done in (gone, counted, left))  # type: ignore[attr-defined, misc]
