"""The jobs: what each does, how often, how long it may take. Each may be repeated without harm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask import current_app
from sqlalchemy import delete

from app.accounts import audit_chain
from app.accounts import cleanup as accounts_cleanup
from app.backup import service as backups
from app.extensions import db
from app.family import joining
from app.jobs.models import JobRun
from app.notices import cleanup as notices_cleanup
from app.notices import service as notices
from app.orders import service as orders
from app.plans import service as plans
from app.pwa import rendered
from app.shared import clock
from app.visits import retention

log = logging.getLogger("nuanxun.jobs")
RUNS_KEPT = timedelta(days=30)
NIGHTLY_AT = time(0, 10, tzinfo=clock.LOCAL)
BACKUP_AT = time(2, 30, tzinfo=clock.LOCAL)


@dataclass(frozen=True)
class Job:
    """`work` commits what it does and says it in a few words, or nothing if there was nothing to do.

    `limit`: longest run, after which another process may take over. `rest`: for so long after a run nobody
    repeats it; a little less than the interval.
    """

    name: str
    help: str
    work: Callable[[], str]
    trigger: BaseTrigger
    limit: timedelta
    rest: timedelta


def regrade() -> str:
    """Grade again whom the passing of time changed, and plan their next visits."""
    changed = plans.nightly(clock.today())
    return f"{len(changed)} regraded" if changed else ""


def send_sms() -> str:
    counts = notices.send_due()
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def confirm_orders() -> str:
    confirmed = orders.confirm_overdue()
    return f"{confirmed} confirmed" if confirmed else ""


def link_audit() -> str:
    """Quiet when it goes well: the log tells where the chain ends, for whoever keeps logs elsewhere."""
    linked, end = audit_chain.link()
    if linked:
        log.info("audit: %d linked, the chain ends at %d:%s", linked, end.position, end.hash)
    return ""


def clean_up() -> str:
    gone = accounts_cleanup.forget_expired()
    gone += notices_cleanup.forget_old()
    gone += rendered.forget_old()
    limit = clock.now() - RUNS_KEPT
    db.session.execute(delete(JobRun).where(JobRun.started_at < limit))
    db.session.commit()
    return f"{gone} rows deleted" if gone else ""


def forget_locations() -> str:
    """Where visits took place longer ago than LOCATION_DAYS."""
    before = clock.now() - timedelta(days=current_app.config["LOCATION_DAYS"])
    gone = retention.forget_locations(before)
    return f"{gone} visits" if gone else ""


def lapse_accounts() -> str:
    """Accounts that relatives made and no clinic confirmed within JOIN_DAYS."""
    lapsed = joining.lapse(clock.now() - timedelta(days=current_app.config["JOIN_DAYS"]))
    return f"{lapsed} disabled" if lapsed else ""


def backup() -> str:
    """Tonight's backup, unless it is there already; so it may be tried every hour."""
    return backups.nightly(last_night(clock.now(), BACKUP_AT))


JOBS = (
    Job(
        "regrade", "nightly: grades that time has changed", regrade,
        CronTrigger(hour=NIGHTLY_AT.hour, minute=NIGHTLY_AT.minute, timezone=clock.LOCAL),
        limit=timedelta(minutes=30), rest=timedelta(hours=12),
    ),
    Job(
        "backup", "nightly, tried again every hour until it is made: a backup into BACKUP_DIR", backup,
        CronTrigger(minute=BACKUP_AT.minute, timezone=clock.LOCAL),
        limit=timedelta(hours=2), rest=timedelta(minutes=50),
    ),
    Job(
        "send-sms", "every 5 s: text messages that wait", send_sms,  # somebody waits for a code to sign in
        IntervalTrigger(seconds=5), limit=timedelta(minutes=5), rest=timedelta(seconds=4),
    ),
    Job(
        "link-audit", "every 20 s: new lines of the audit are linked to its chain", link_audit,
        IntervalTrigger(seconds=20), limit=timedelta(minutes=5), rest=timedelta(seconds=15),
    ),
    Job(
        "confirm-orders", "hourly: orders done 72 hours ago and not confirmed", confirm_orders,
        IntervalTrigger(hours=1), limit=timedelta(minutes=10), rest=timedelta(minutes=50),
    ),
    Job(
        "locations", "nightly: where visits took place is forgotten after LOCATION_DAYS", forget_locations,
        CronTrigger(hour=1, minute=10, timezone=clock.LOCAL),
        limit=timedelta(hours=1), rest=timedelta(hours=12),
    ),
    Job(
        "lapse-accounts", "nightly: relatives' accounts not confirmed in JOIN_DAYS", lapse_accounts,
        CronTrigger(hour=1, minute=20, timezone=clock.LOCAL),
        limit=timedelta(minutes=30), rest=timedelta(hours=12),
    ),
    Job(
        "clean-up", "hourly: expired sessions, counters, old notices and runs", clean_up,
        IntervalTrigger(hours=1), limit=timedelta(minutes=10), rest=timedelta(minutes=50),
    ),
)  # fmt: skip


def find(name: str) -> Job:
    """Raises KeyError for a job that does not exist."""
    return {job.name: job for job in JOBS}[name]


def last_night(now: datetime, at: time = NIGHTLY_AT) -> datetime:
    """The newest moment at which a nightly job should have run."""
    tonight = datetime.combine(clock.local_date(now), at)
    return tonight if tonight <= now else tonight - timedelta(days=1)
