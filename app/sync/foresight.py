"""Judging a push before others have to wait for it.

Under the feed's lock one push at a time is judged, whatever the number of cores. So it is judged before, from
what can be read without the lock, and under it only asked who has changed meanwhile; what concerns those is
judged again. This is for the usual case alone: every operation is new, acceptable, and of one kind that
allows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from typing import Any

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from app.accounts.models import User
from app.errors import frames_only
from app.extensions import db
from app.shared import clock
from app.sync import checks, feed, pace
from app.sync.checks import Looked
from app.sync.judge import Judge, Kept, ids_in, keep
from app.sync.registry import Conflict, Rejected, Together

Results = list[dict[str, Any] | None]
log = logging.getLogger("nuanxun")


@dataclass
class Foreseen:
    """Work that is done but for its writing. `seen`: the newest feed number then."""

    seen: int
    work: Together
    results: list[dict[str, Any]]
    kept: list[Kept]


@dataclass
class Batch:
    """The operations of one push, looked at; `foreseen` where they could be judged ahead."""

    ops: list[Looked]
    received_at: datetime
    skew: timedelta
    foreseen: Foreseen | None = None

    @classmethod
    def of(cls, ops: Iterable[Any], sent_at: datetime) -> Batch:
        """Asks the database nothing."""
        received_at = clock.now()
        return cls([checks.look(raw) for raw in ops], received_at, received_at - sent_at)


def foresee(user: User, batch: Batch) -> None:
    """Judge `batch` ahead, where that can be done. Changes nothing, and ends the transaction."""
    kind = batch.ops[0].kind if batch.ops else None
    if kind is None or kind.together is None or any(op.kind is not kind for op in batch.ops):
        return
    try:
        with feed.unlocked(), db.session.no_autoflush:
            seen = feed.position()  # before anything else: what comes meanwhile is then noticed
            judge = Judge(user, batch.ops, batch.received_at, batch.skew)
            if judge.past.is_empty():
                work = kind.together(user, [looked.raw["payload"] for looked in batch.ops])
                batch.foreseen = _foreseen(seen, judge, work)
    except (Rejected, Conflict, feed.NotLocked):
        pass  # to be told under the lock
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.error("a push could not be judged ahead: %s", type(error).__name__, exc_info=frames_only(error))
    finally:
        db.session.rollback()


def _foreseen(seen: int, judge: Judge, work: Together) -> Foreseen | None:
    results, kept = [], []
    for looked in judge.ops:
        pace.give_way()
        result, made = judge.judge(looked, work.apply)
        if made is None:
            return None
        results.append(result)
        kept.append(made)
        judge.past.add(made.revision)
    session = db.session()
    if session.new or session.dirty or session.deleted:
        return None  # nobody who is taken in together makes, changes or drops objects
    return Foreseen(seen, work, results, kept)


def confirm(foreseen: Foreseen, batch: Batch) -> Results:
    """Write what was foreseen of `batch` as far as it still stands; results by place, None for what is to be
    judged again. Under the lock."""
    if not feed.is_silent_on(ids_in(batch.ops), foreseen.seen):
        return [None] * len(foreseen.results)
    moved = foreseen.work.moved(foreseen.seen)
    if moved:
        foreseen.work.leave_out(moved)
    stand = [one.revision.patient_id not in moved for one in foreseen.kept]
    savepoint = db.session.begin_nested()
    try:
        with db.session.no_autoflush:
            foreseen.work.write()
        keep(list(compress(foreseen.kept, stand)))
        savepoint.commit()
        return [result if stands else None for result, stands in zip(foreseen.results, stand, strict=True)]
    except (IntegrityError, DataError):
        pass  # judged one by one, the one that does not fit is told so
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.error("what was foreseen failed: %s", type(error).__name__, exc_info=frames_only(error))
    savepoint.rollback()
    return [None] * len(foreseen.results)
