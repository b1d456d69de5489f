"""Reading the feed within somebody's scope."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, union

from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.shared import clock
from app.sync import feed
from app.sync.models import Revision, Touch
from app.sync.registry import entities

LOOKED_AT = 500


def change(user: User, revision: Revision) -> dict[str, Any]:
    """A revision as SYNC §5 shows it to `user`."""
    shown: dict[str, Any] = {
        "id": revision.entity_id,
        "revision": revision.revision,
        "kind": revision.kind,
        "op_id": revision.op_id,
        "author_id": revision.author_id,
        "recorded_at": revision.recorded_at,
        "received_at": clock.local(revision.received_at).isoformat(timespec="milliseconds"),
        "payload": json.loads(feed.open_payload(revision.payload)),
    }
    if revision.state is not None:
        shown["state"] = revision.state
    if revision.replaces is not None:
        shown["replaces"] = revision.replaces
    if abs(revision.skew_s) > 300:
        shown["skew_s"] = revision.skew_s
    return entities[revision.entity_kind].show(user, shown)


def record(user: User, entity: str, entity_id: str, number: int | None = None) -> tuple[dict[str, Any], str]:
    """The newest (or the numbered) revision of a record, and whose it is.

    Raises NotFound when absent or out of scope.
    """
    kind = entities[entity]
    statement = (
        select(Revision)
        .where(Revision.entity_id == entity_id, Revision.entity_kind == entity, kind.in_scope(user))
        .order_by(Revision.revision.desc())
        .limit(1)
    )
    if number is not None:
        statement = statement.where(Revision.revision == number)
    revision = db.session.scalar(statement)
    if revision is None:
        raise NotFound()
    shown = change(user, revision)
    if (now := kind.record(user, entity_id)) is not None:
        shown["record"] = now
    return shown, revision.patient_id


def in_scope(user: User) -> ColumnElement[bool]:
    parts = [and_(Revision.entity_kind == e.name, e.in_scope(user)) for e in entities.values()]
    return or_(false(), *parts)


def pull(user: User, cursor: str, limit: int) -> dict[str, Any]:
    """What changed for `user` since `cursor`; at least once, in feed order.

    Raises DomainError 410 `cursor_unknown` for a cursor that is not ours, or from before a restore.
    """
    since = read_cursor(user, cursor)
    until = feed.position()
    seqs = changed(user, since, until, limit + 1)
    more = len(seqs) > limit
    seqs = seqs[:limit]
    reached = seqs[-1] if more else until
    found = db.session.scalars(select(Revision).where(Revision.seq.in_(seqs)).order_by(Revision.seq))
    return {
        "changes": [change(user, r) for r in found],
        "removed": [{"id": i} for i in removed(user, since, reached)] if since else [],
        "cursor": write_cursor(user, reached),
        "more": more,
        "epoch": feed.epoch(),
        "server_time": clock.local(clock.now()).isoformat(timespec="milliseconds"),
    }


def changed(user: User, since: int, until: int, count: int) -> list[int]:
    """The first `count` feed numbers after `since`, up to `until`, of what `user` may see.

    Every revision touches its patient, so whoever was not touched since then is passed over. Of the others
    an index alone tells the numbers: the cost is that of the reader's own people, however long the county's
    feed. Of those some are looked at in turn, whether they are in scope.
    """
    touched = list(db.session.scalars(touched_since(user, since)))
    found: list[int] = []
    while touched and len(found) < count:
        turn = list(db.session.scalars(numbers(touched, since, until).limit(LOOKED_AT)))
        if not turn:
            break
        found += [seq for seq, is_seen in db.session.execute(seen(user, turn)) if is_seen]
        since = turn[-1]
    return found[:count]


def touched_since(user: User, since: int) -> Select[str]:
    """Ids of those about whom something changed that `user` may see."""
    theirs = union(*(entity.patients(user) for entity in entities.values()))
    return select(Touch.patient_id).where(Touch.seq > since, Touch.patient_id.in_(select(theirs.subquery())))


def numbers(patient_ids: list[str], since: int, until: int) -> Select[int]:
    """Feed numbers of all that concerns these patients, in order.

    The sum is there for the planners: else the whole feed is walked because it lies in this order, or because
    PostgreSQL, once it has planned the question for whatever bounds may come, takes any two for narrow ones.
    """
    place = Revision.seq + 0
    return (
        select(Revision.seq)
        .where(Revision.patient_id.in_(patient_ids), place > since, place <= until)
        .order_by(place)
    )


def seen(user: User, seqs: list[int]) -> Select[int, bool]:
    """Each of these feed numbers, and whether `user` may see its revision.

    Asked as a column: as a condition it would tempt SQLite to look every person up for every number.
    """
    return select(Revision.seq, in_scope(user)).where(Revision.seq.in_(seqs)).order_by(Revision.seq)


def removed(user: User, since: int, until: int) -> list[str]:
    """Records (patients, visits, orders) that `user` had and may see no longer."""
    gone = feed.departures(user, since, until)
    if not gone:
        return []
    about_gone = Revision.patient_id.in_(gone)
    still = select(Revision.entity_id).where(about_gone, in_scope(user))
    statement = select(Revision.entity_id).where(about_gone, Revision.entity_id.not_in(still)).distinct()
    return sorted(db.session.scalars(statement))


def receipts(user: User, device_id: str, since: str, listed: bool) -> dict[str, Any]:
    """What is kept of `user`'s own operations from one phone, recorded on day `since` or later.

    The day is the one the phone wrote, in its own offset: both sides have that text, and so mean the same
    set whatever their clocks say. Text order is the order of days: recorded_at begins with YYYY-MM-DD.
    """
    statement = select(Revision.op_id).where(
        Revision.author_id == user.id, Revision.device_id == device_id, Revision.recorded_at >= since
    )
    op_ids = sorted(db.session.scalars(statement))
    answer: dict[str, Any] = {
        "device_id": device_id,
        "since": since,
        "count": len(op_ids),
        "digest": receipts_digest(op_ids),
        "server_time": clock.local(clock.now()).isoformat(timespec="milliseconds"),
        "epoch": feed.epoch(),
    }
    return {**answer, "op_ids": op_ids} if listed else answer


def receipts_digest(op_ids: list[str]) -> str:
    """Hex SHA-256 over the sorted op_ids, each followed by LF."""
    return hashlib.sha256("".join(f"{op_id}\n" for op_id in sorted(op_ids)).encode()).hexdigest()


def read_cursor(user: User, cursor: str) -> int:
    if not cursor:
        return 0
    try:
        seq, owner, epoch = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, TypeError):
        raise unknown_cursor() from None
    known = isinstance(seq, int) and owner == user.id and epoch == feed.epoch()
    if not known or not 0 <= seq <= feed.position():
        raise unknown_cursor()
    return int(seq)


def write_cursor(user: User, seq: int) -> str:
    text = json.dumps([seq, user.id, feed.epoch()], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")


def unknown_cursor() -> DomainError:
    return DomainError("同步位置已失效，请从头下载。", code="cursor_unknown", status=410)
