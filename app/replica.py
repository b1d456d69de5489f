"""Heavy pages that may be a few seconds old, read from a streaming replica (docs/decisions/0037).

Who is asking, and what they may do, is always read from the primary; so is everything that changes anything.
Phones are never answered from here: a page they keep must not be older than the one they hold.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_login import current_user
from sqlalchemy import BigInteger, Engine, String, column, select, table, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from app import metrics
from app.config import REPLICA
from app.extensions import db, reading_from

log = logging.getLogger("nuanxun")

SEEN = "seen"  # cookie: the newest feed number this browser wrote or was shown
REACHED = "feed.reached"  # session.info: the feed number of what this request committed (sync/feed.py)
AWAY_S = 10  # after a failure pages go to the primary for so long, without trying
HERE = select(column("seq", BigInteger), column("epoch", String)).select_from(table("feed_head"))
THERE = text(
    "SELECT seq, epoch, pg_is_in_recovery() AS follows,"
    " extract(epoch FROM now() - pg_last_xact_replay_timestamp()) AS lag_s FROM feed_head"
)


class Away(Exception):
    """The replica cannot answer this page; the text says why, for the figures."""


def may_be_old(view: Callable[..., Any]) -> Callable[..., Any]:
    """Read this view from the replica when it is there, near enough, and knows what this browser has seen.

    Goes below the decorators that open doors. The view only reads: it is begun again on the primary when
    the replica fails in the middle.
    """

    @wraps(view)
    def read(*args: Any, **kwargs: Any) -> Any:
        replica = db.engines.get(REPLICA)
        if replica is None or not g.get("at_desk"):
            return view(*args, **kwargs)
        try:
            answer = _read_there(replica, view, *args, **kwargs)
        except Away as why:
            metrics.read_from(str(why))
            return view(*args, **kwargs)
        metrics.read_from("replica")
        return answer

    return read


def _read_there(replica: Engine, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if monotonic() < current_app.extensions[REPLICA]["away_until"]:
        raise Away("away")
    current_user.role  # noqa: B018  what of them was expired is read now, here
    here = db.session.execute(HERE).one()
    noted = g.get("audit_reads", [])[:]
    token = reading_from.set(replica)
    try:
        _require_near(here)
        return view(*args, **kwargs)
    except (DBAPIError, PoolExhausted) as error:
        log.warning("replica: %s", type(getattr(error, "orig", None) or error).__name__)
        current_app.extensions[REPLICA]["away_until"] = monotonic() + AWAY_S
        g.audit_reads = noted
        _let_go()
        raise Away("away") from None
    finally:
        reading_from.reset(token)


def _require_near(here: Any) -> None:
    """The first statement of the replica's transaction: what it says holds for all that the view reads."""
    there = db.session.execute(THERE).one()
    if there.epoch != here.epoch or not there.follows:
        raise Away("stranger")  # another database, or one that follows nobody
    if there.lag_s is None or there.lag_s > current_app.config["REPLICA_LAG_S"]:
        raise Away("late")
    if there.seq < min(_seen(), here.seq):
        raise Away("behind")


def _let_go() -> None:
    try:
        db.session.rollback()
    except SQLAlchemyError:
        db.session().invalidate()


def _seen() -> int:
    value = request.cookies.get(SEEN, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0


def _note_seen(response: Response) -> Response:
    """What somebody at a desk wrote, or was shown, they find again on the next page."""
    if REPLICA not in db.engines or not g.get("at_desk"):
        return response
    shown = response.headers.get("X-Page-Rev", "").rpartition("-")[2]
    reached = max(db.session.info.get(REACHED, 0), int(shown) if shown.isdigit() else 0)
    if reached > _seen():
        # A replica that is not late knows it by then in any case.
        kept_s = 2 * current_app.config["REPLICA_LAG_S"]
        response.set_cookie(
            SEEN,
            str(reached),
            max_age=kept_s,
            secure=current_app.config["TLS"],
            httponly=True,
            samesite="Lax",
        )
    return response


def init_app(app: Flask) -> None:
    app.extensions[REPLICA] = {"away_until": 0.0}
    app.after_request(_note_seen)
