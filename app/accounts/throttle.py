"""Counting attempts, in the database so that all workers count together."""

from __future__ import annotations

from datetime import timedelta

from flask import g

from app.accounts.models import Throttle
from app.errors import DomainError
from app.extensions import db
from app.shared import clock


def hit(key: str, limit: int, *, window_s: int) -> None:
    """Count one use of `key`. Raises DomainError 429 with Retry-After past `limit` in a window."""
    check(key, limit, window_s=window_s)
    count(key, window_s=window_s)


def check(key: str, limit: int, *, window_s: int) -> None:
    """Raises DomainError 429 when `key` has used up its window; counts nothing."""
    row = db.session.get(Throttle, key)
    if row is None:
        return
    left = row.window_started_at + timedelta(seconds=window_s) - clock.now()
    if row.count >= limit and left > timedelta(0):
        seconds = int(left.total_seconds()) + 1
        raise DomainError(
            f"操作太频繁，请 {_wait(seconds)}后再试。",
            code="too_many_requests",
            status=429,
            headers={"Retry-After": str(seconds)},
        )


def count(key: str, *, window_s: int) -> None:
    row = db.session.get(Throttle, key)
    now = clock.now()
    if row is None:
        db.session.add(Throttle(key=key, window_started_at=now, count=1))
    elif row.window_started_at + timedelta(seconds=window_s) <= now:
        row.window_started_at, row.count = now, 1
    else:
        row.count += 1


def forget(key: str) -> None:
    row = db.session.get(Throttle, key)
    if row is not None:
        db.session.delete(row)


def session_key() -> str:
    """Names the current session in a throttle key without its token."""
    session = g.get("login_session")
    return session.token_hash[:16] if session is not None else "none"


def _wait(seconds: int) -> str:
    return f"{seconds} 秒" if seconds < 60 else f"{(seconds + 59) // 60} 分钟"
