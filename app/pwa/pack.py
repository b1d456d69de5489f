"""The visit pack as a stream of lines (SYNC §2). One stream instead of six hundred requests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.accounts import service as accounts
from app.accounts.models import User
from app.errors import DomainError
from app.pwa import registry, rendered
from app.pwa.build import build
from app.shared import clock
from app.sync import feed, sealing

log = logging.getLogger("nuanxun")


@dataclass(frozen=True)
class Cursor:
    """How far a phone has come: a feed number, under one build, one person, one database."""

    seq: int
    build: str
    user_id: str
    epoch: str


def encode(cursor: Cursor) -> str:
    text = json.dumps([cursor.seq, cursor.build, cursor.user_id, cursor.epoch], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str, user: User) -> Cursor | None:
    """None for the empty cursor. Raises 410 cursor_unknown for one that is not this person's, not of this
    database, or ahead of it: the phone then begins again."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        seq, made_by, user_id, epoch = json.loads(raw)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise unknown() from None
    if type(seq) is not int or not isinstance(made_by, str):
        raise unknown()
    if user_id != user.id or epoch != feed.epoch() or not 0 <= seq <= feed.position():
        raise unknown()
    return Cursor(seq, made_by, user_id, epoch)


def unknown() -> DomainError:
    return DomainError("请重新下载全部数据。", code="cursor_unknown", status=410)


def lines(user: User, since: Cursor | None, shelf: rendered.Shelf) -> Iterator[str]:
    """The pack, line by line; without `since` all of it. What is rendered for it is put on the `shelf`.

    The next cursor is read before anything is rendered: what changes meanwhile is sent once more next time,
    never missed.
    """
    now_at = feed.position()
    delta = since if since is not None and since.build == build() else None
    pages = list(registry.pages(user))
    wanted = [page for page in pages if delta is None or page.seq > delta.seq]
    policy = accounts.policy(user)
    expires_at = clock.now() + timedelta(hours=policy["offline_hours"])
    yield _line(
        t="pack",
        user=user.id,
        build=build(),
        epoch=feed.epoch(),
        expires_at=clock.local(expires_at).isoformat(timespec="seconds"),
        seal=sealing.current(),
        policy=policy,
        total=len(wanted),
    )
    held = {page.url: page.rev for page in pages}
    for page, html in _rendered(user, wanted, now_at, shelf):
        if html is None:
            del held[page.url]
            yield _line(t="gone", url=page.url)
        else:
            yield _line(t="page", url=page.url, rev=page.rev, html=html)
    if since is not None:
        for url in sorted(_gone(user, since.seq) - held.keys()):
            yield _line(t="gone", url=url)
    cursor = encode(Cursor(now_at, build(), user.id, feed.epoch()))
    yield _line(t="end", cursor=cursor, count=len(held), digest=digest(held))


def digest(held: dict[str, str]) -> str:
    """Hex SHA-256 over `url TAB rev LF` of everything the phone should now hold, sorted by address."""
    text = "".join(f"{url}\t{held[url]}\n" for url in sorted(held))
    return hashlib.sha256(text.encode()).hexdigest()


def _gone(user: User, since: int) -> set[str]:
    departed = {f"/patients/{patient_id}" for patient_id in feed.departures(user, since)}
    return departed | set(registry.gone(user, since))


Html = str | None  # None when this one page cannot be rendered: the others must still reach the phone


def _rendered(
    user: User, wanted: list[registry.PackPage], now_at: int, shelf: rendered.Shelf
) -> Iterator[tuple[registry.PackPage, Html]]:
    """Each page with its html: kept ones as they are, the others rendered and kept for the next reader.

    A page whose number is beyond `now_at` is not kept: what it was made from may have been read before.
    """
    kept = shelf.find(wanted)
    _announce(page for page in wanted if page.url not in kept)
    for page in wanted:
        if page.url in kept:
            yield page, rendered.unfold(kept.pop(page.url), user)
        elif not page.stamp:
            yield page, _html(page)
        else:
            html = _html(page, reader=rendered.stand_in(user))
            if html is not None and page.seq <= now_at:
                shelf.put(page.url, page.stamp, html)
            yield page, html and rendered.named(html, user)


def _announce(missing: Iterable[registry.PackPage]) -> None:
    together: dict[Callable[[list[str]], None], list[str]] = {}
    for page in missing:
        if page.ready is not None:
            together.setdefault(page.ready, []).append(page.url)
    for ready, urls in together.items():
        ready(urls)


def _html(page: registry.PackPage, **given: object) -> Html:
    try:
        return page.render(**given)
    except SQLAlchemyError:
        raise  # the database went away: cut the stream, the phone keeps what it has
    except Exception as error:
        # Only place and kind: the message may carry a patient's data.
        log.error("page %s of a pack failed: %s", page.url.split("/")[1], type(error).__name__)
        return None


def _line(**item: object) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")) + "\n"
