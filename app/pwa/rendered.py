"""Pages rendered once and kept: a team's phones and browsers ask for the same pages over and over.

Kept is what a stand-in of the reader's kind would see; whom the frame names is put in when it is shown. This
decides nothing about who may see a page: ask only for addresses that came out of a scoped query.
docs/decisions/0033-pages-are-rendered-once.md
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, current_app
from markupsafe import escape
from sqlalchemy import Insert, delete, or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.models import User
from app.extensions import db, durable, patience, writing
from app.pwa.build import build
from app.pwa.models import RenderedPage
from app.pwa.registry import PackPage
from app.shared import bulk, clock
from app.shared.page import whole

log = logging.getLogger("nuanxun")
# Nothing that is stored or typed holds U+0000 (app/shared/strictjson.py, app/guard.py).
ID, NAME = "\0i", "\0n"
LEVEL = 1  # of zlib: 16 KB become 4, in a fifth of a millisecond
READ_AT_ONCE, WRITTEN_AT_ONCE = 500, 100  # a hundred take some milliseconds
WAIT_S = 5  # for another thread that renders the same page
KEPT = timedelta(days=30)  # of somebody who has left, or was restricted: nobody asks for it any more


@dataclass(frozen=True)
class StandIn:
    """Whom the frame of a kept page speaks of until a reader comes. Everything base.html asks of a user."""

    role: str
    care_mode: bool
    id: str = ID
    name: str = NAME
    is_authenticated: bool = True


@dataclass(frozen=True)
class Kept:
    """A page as it lies in the store, under whichever stamp; empty if there is none."""

    stamp: str = ""
    body: bytes = b""

    @classmethod
    def of(cls, stamp: str | None, body: bytes | None) -> Kept:
        return cls(stamp or "", body or b"")


NOT_KEPT = Kept()


def variant(user: User) -> str:
    """The kind of reader: what a page may show differently to two who both may see it."""
    return f"{user.role}{'+care' if user.care_mode else ''}"


def stand_in(user: User) -> StandIn:
    return StandIn(user.role, user.care_mode)


def fold(html: str) -> bytes | None:
    """None for a page that does not name its reader, or holds their id elsewhere than its frame: it is not
    kept."""
    names = html.count(NAME)
    framed = names > 0 and html.count(ID) == 1 and html.count("\0") == names + 1
    return zlib.compress(html.encode(), LEVEL) if framed else None


def unfold(body: bytes, user: User) -> str:
    return named(zlib.decompress(body).decode(), user)


def named(html: str, user: User) -> str:
    """The page of the stand-in, for `user`."""
    return html.replace(ID, escape(user.id), 1).replace(NAME, escape(user.name))


def once(
    user: User, url: str, stamp: str, kept: Kept, render: Callable[[StandIn], str], *, rev: str
) -> Response:
    """The answer with the page that is kept under `url`: as it is, or rendered now and kept for the next.

    What `kept` and `stamp` say was read in one statement, before anything that `render` reads.
    """
    if kept.stamp == stamp:
        return whole(unfold(kept.body, user), rev=rev)
    shelf, mine = Shelf(user), Future[bytes | None]()
    key = url, shelf.variant, stamp
    under_way = _under_way.setdefault(key, mine)
    if under_way is not mine and (body := _made_by(under_way)) is not None:
        return whole(unfold(body, user), rev=rev)
    try:
        html = render(stand_in(user))
        mine.set_result(shelf.put(url, stamp, html))
    finally:
        mine.cancel()  # if it failed: whoever waits for it tries themself
        if under_way is mine:
            del _under_way[key]
    return shelf.keep_after(whole(named(html, user), rev=rev))


# What threads of this process are rendering now: who asks for the same page meanwhile waits for it, as if it
# had been kept already. Its stamp says of what time it is, and of which database.
_under_way: dict[tuple[str, str, str], Future[bytes | None]] = {}


def _made_by(other: Future[bytes | None]) -> bytes | None:
    try:
        return other.result(WAIT_S)
    except (CancelledError, TimeoutError):
        return None


class Shelf:
    """The kept pages of one kind of reader, while one pack is on its way."""

    def __init__(self, user: User) -> None:
        self.variant = variant(user)
        self._made: list[dict[str, object]] = []

    def find(self, pages: Iterable[PackPage]) -> dict[str, bytes]:
        """Address -> kept page, of those that are still what would be rendered now."""
        stamps = {page.url: page.stamp for page in pages if page.stamp}
        urls, found = list(stamps), {}
        for start in range(0, len(urls), READ_AT_ONCE):
            statement = select(RenderedPage.url, RenderedPage.stamp, RenderedPage.body).where(
                RenderedPage.variant == self.variant, RenderedPage.url.in_(urls[start : start + READ_AT_ONCE])
            )
            for url, stamp, body in db.session.execute(statement):
                if stamp == stamps[url]:
                    found[url] = body
        return found

    def put(self, url: str, stamp: str, html: str) -> bytes | None:
        """Remember what was rendered for the stand-in; `keep` stores it. Returns what it will store, None for
        a page that is not kept. The stamp's feed number was read before anything that the page shows."""
        body = fold(html)
        if body is not None:
            self._made.append(
                {
                    "url": url,
                    "variant": self.variant,
                    "stamp": stamp,
                    "body": body,
                    "kept_at": clock.now(),
                }
            )
        return body

    def keep_after(self, response: Response) -> Response:
        """`keep`, once `response` is out of our hands."""
        app = current_app._get_current_object()  # type: ignore[attr-defined]

        def keep() -> None:
            with app.app_context():
                self.keep()

        response.call_on_close(keep)
        return response

    def keep(self) -> None:
        """Store what was put here, in short transactions of their own. Whoever records a visit goes first: at
        the first sign of somebody else writing the rest is left to the next pack."""
        made, self._made = sorted(self._made, key=lambda row: str(row["url"])), []
        if not made:
            return
        db.session.rollback()
        tokens = writing.set(True), patience.set(0), durable.set(False)
        try:
            for start in range(0, len(made), WRITTEN_AT_ONCE):
                if db.engine.dialect.name == "postgresql":
                    db.session.execute(HURRY)
                db.session.connection().execute(_upsert(), made[start : start + WRITTEN_AT_ONCE])
                db.session.commit()
        except SQLAlchemyError as error:
            db.session.rollback()
            log.info("rendered pages not kept: %s", type(error).__name__)
        finally:
            durable.reset(tokens[2])
            patience.reset(tokens[1])
            writing.reset(tokens[0])


# What `patience` and `durable` say to SQLite, for this one transaction of PostgreSQL.
HURRY = text("SELECT set_config('lock_timeout', '50ms', true), set_config('synchronous_commit', 'off', true)")


def _upsert() -> Insert:
    """What another has kept meanwhile under the same stamp stays."""
    statement = bulk.inserting(db.session(), RenderedPage)
    return statement.on_conflict_do_update(
        index_elements=["url", "variant"],
        set_={name: statement.excluded[name] for name in ("stamp", "body", "kept_at")},
        where=RenderedPage.stamp != statement.excluded.stamp,
    )


def forget(*urls: str) -> None:
    """Of somebody whose record is not to be used any more. Does not commit."""
    db.session.execute(delete(RenderedPage).where(RenderedPage.url.in_(urls)))


def forget_old() -> int:
    """Delete pages of other builds, and those nobody has asked for in a long time. Does not commit."""
    statement = delete(RenderedPage).where(
        or_(~RenderedPage.stamp.startswith(f"{build()}-"), RenderedPage.kept_at < clock.now() - KEPT)
    )
    return int(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def stamp(rev: str, besides: Mapping[str, object]) -> str:
    """`rev` names build and feed number; `besides`, what else the rendering depends on."""
    return " ".join([rev, *(f"{key}={value}" for key, value in besides.items())])
