"""Where a visit took place is kept for a while only, wherever it was written down (0030)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Select, select, update

from app.encounters.models import Visit
from app.extensions import db
from app.shared import secretbox, strictjson
from app.sync import feed
from app.sync.models import Revision

BATCH = 200
WRITTEN = '%"location":{%'  # in canonical JSON a text of somebody's answer cannot look like this


def forget_locations(before: datetime) -> int:
    """Take the place out of visits made before this moment, and out of every revision of theirs.

    Commits after each batch, so that nobody waits for the whole; done again it does nothing. Returns the
    number of visits. What else a payload says stays as it was, code point for code point.
    """
    return _each(before, _placed, _forget_visits) + _each(before, _corrected, _forget_revisions)


def _each(
    before: datetime,
    batch: Callable[[datetime, str], Select[str]],
    forget: Callable[[list[str]], int],
) -> int:
    """By id, so that each visit is looked at once."""
    done, last = 0, ""
    while ids := list(db.session.scalars(batch(before, last).limit(BATCH))):
        done += forget(ids)
        last = ids[-1]
        db.session.commit()
    db.session.rollback()
    return done


def _placed(before: datetime, last: str) -> Select[str]:
    old = Visit.visited_at < before, Visit.location.is_not(None), Visit.id > last
    return select(Visit.id).where(*old).order_by(Visit.id)


def _corrected(before: datetime, last: str) -> Select[str]:
    """Those whose newest revision says no place while an older one may."""
    old = Visit.visited_at < before, Visit.revision > 1, Visit.id > last
    told = (
        select(Revision.op_id)
        .where(Revision.entity_id == Visit.id, Revision.payload.like(WRITTEN))
        .correlate(Visit)
    )
    return select(Visit.id).where(*old, told.exists()).order_by(Visit.id)


def _forget_visits(ids: list[str]) -> int:
    _forget_revisions(ids)
    db.session.execute(
        update(Visit)
        .where(Visit.id.in_(ids))
        .values(location=None)
        .execution_options(synchronize_session=False)
    )
    return len(ids)


def _forget_revisions(ids: list[str]) -> int:
    """The digest stays, so the operation sent once more is still known as the same."""
    statement = select(Revision.op_id, Revision.entity_id, Revision.payload).where(
        Revision.entity_id.in_(ids), Revision.entity_kind == "visit"
    )
    touched = set()
    for op_id, visit_id, stored in db.session.execute(statement).all():
        payload = json.loads(feed.open_payload(stored))
        if payload.pop("location", None) is None:
            continue
        text = feed.seal_payload(strictjson.canonical(payload), stored.startswith(secretbox.PREFIX))
        db.session.execute(
            update(Revision)
            .where(Revision.op_id == op_id)
            .values(payload=text)
            .execution_options(synchronize_session=False)
        )
        touched.add(visit_id)
    return len(touched)
