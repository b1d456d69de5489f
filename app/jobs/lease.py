"""A lease in the database, so that of several scheduler processes one alone runs a job.

Every job is idempotent as well: the lease saves work, it is not what correctness rests on.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import cache

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.jobs.models import JobLease
from app.shared import clock
from app.shared.ids import new_id


@cache
def holder() -> str:
    """Names this process in the leases it takes; for an operator to read, and unique."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{new_id()[-12:]}"


def take(name: str, length: timedelta, by: str | None = None) -> bool:
    """Whether the job is ours until `length` from now. Commits. Ours already: it is not, it still runs."""
    by = by or holder()
    now = clock.now()
    taken = db.session.execute(
        update(JobLease)
        .where(JobLease.name == name, JobLease.until <= now)
        .values(holder=by, until=now + length)
    )
    if taken.rowcount == 0:  # type: ignore[attr-defined]
        if db.session.get(JobLease, name) is not None:
            db.session.rollback()
            return False
        db.session.add(JobLease(name=name, holder=by, until=now + length))
    try:
        db.session.commit()
    except IntegrityError:  # another process wrote the first row in the same moment
        db.session.rollback()
        return False
    return True


def keep(name: str, rest: timedelta, by: str | None = None) -> None:
    """The run is over: nobody runs the job again for `rest`. Does not commit."""
    db.session.execute(
        update(JobLease)
        .where(JobLease.name == name, JobLease.holder == (by or holder()))
        .values(until=clock.now() + rest)
    )
