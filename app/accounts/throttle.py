"""Counting attempts, in the database so that all workers count together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from flask import g
from sqlalchemy import Table, case, delete, literal, select

from app.accounts import rules
from app.accounts.models import Throttle
from app.errors import DomainError
from app.extensions import db
from app.shared import bulk, clock
from app.shared.columns import UtcDateTime

TABLE = cast(Table, Throttle.__table__)
SLOW_WINDOW_S = 3600


def hit(key: str, limit: int, *, window_s: int) -> None:
    """Count one use of `key`. Raises DomainError 429 with Retry-After past `limit` in a window."""
    started_at, used = count(key, window_s=window_s)
    if used > limit:
        raise _too_many(started_at, window_s)


def check(key: str, limit: int, *, window_s: int) -> None:
    """Raises DomainError 429 when `key` has used up its window; counts nothing."""
    found = db.session.execute(
        select(Throttle.window_started_at, Throttle.count).where(Throttle.key == key)
    ).first()
    if found is not None and found[1] >= limit and found[0] + timedelta(seconds=window_s) > clock.now():
        raise _too_many(found[0], window_s)


def count(key: str, *, window_s: int, sliding: bool = False) -> tuple[datetime, int]:
    """Count one use; returns when the window began, and the uses in it. `sliding`: each use begins it anew.

    One statement, so that two requests of one moment neither collide nor count as one.
    """
    now = clock.now()
    over = Throttle.window_started_at <= now - timedelta(seconds=window_s)
    statement = (
        bulk.inserting(db.session(), Throttle)
        .values(key=key, window_started_at=now, count=1)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((over, 1), else_=Throttle.count + 1),
                "window_started_at": literal(now, UtcDateTime())
                if sliding
                else case((over, literal(now, UtcDateTime())), else_=Throttle.window_started_at),
            },
        )
        .returning(TABLE.c.window_started_at, TABLE.c.count)
    )
    started_at, used = db.session.execute(statement).one()
    return started_at, used


def check_slow(key: str, free: int) -> None:
    """Raises DomainError 429 while `key` waits after its wrong tries, of which `free` - 1 cost nothing."""
    found = db.session.execute(
        select(Throttle.window_started_at, Throttle.count).where(Throttle.key == key)
    ).first()
    if found is None:
        return
    wait = rules.wait_s(found[1], free)
    if found[0] + timedelta(seconds=wait) > clock.now():
        raise _too_many(found[0], wait)


def count_slow(key: str) -> int:
    """Count one wrong try; an hour without any begins anew. Returns the wrong tries so far.

    The window starts at each try, so the row says when the last one was: the wait counts from there.
    """
    _, used = count(key, window_s=SLOW_WINDOW_S, sliding=True)
    return used


def forget(key: str) -> None:
    db.session.execute(delete(TABLE).where(TABLE.c.key == key))


def forget_all(beginning: str) -> None:
    db.session.execute(delete(TABLE).where(TABLE.c.key.startswith(beginning, autoescape=True)))


def session_key() -> str:
    """Names the current session in a throttle key without its token."""
    session = g.get("login_session")
    return session.token_hash[:16] if session is not None else "none"


def _too_many(started_at: datetime, window_s: int) -> DomainError:
    left = started_at + timedelta(seconds=window_s) - clock.now()
    seconds = max(1, int(left.total_seconds()) + 1)
    return DomainError(
        f"操作太频繁，请 {_wait(seconds)}后再试。",
        code="too_many_requests",
        status=429,
        headers={"Retry-After": str(seconds)},
    )


def _wait(seconds: int) -> str:
    return f"{seconds} 秒" if seconds < 60 else f"{(seconds + 59) // 60} 分钟"
