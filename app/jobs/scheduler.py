"""The process behind `jobs run`: APScheduler, stopped cleanly by SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal
from datetime import UTC, datetime
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from flask import Flask

from app.jobs import runner, work
from app.shared import clock

log = logging.getLogger("nuanxun.jobs")
LATE_S = 300  # a job the machine slept through still runs, once


def build(app: Flask) -> BlockingScheduler:
    """The scheduler with every job. The nightly one starts at once if last night was missed."""
    scheduler = BlockingScheduler(
        timezone=clock.LOCAL,
        executors={"default": ThreadPoolExecutor(len(work.JOBS))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE_S},
    )
    for job in work.JOBS:
        at_once = {"next_run_time": datetime.now(UTC)} if job.name != "regrade" or missed(app) else {}
        scheduler.add_job(runner.run, job.trigger, args=[app, job], id=job.name, name=job.help, **at_once)
    return scheduler


def missed(app: Flask) -> bool:
    """Whether the nightly job has not been run since it last should have been."""
    with app.app_context():
        last = runner.newest("regrade", ok_only=True)
        return last is None or last.started_at < work.last_night(clock.now())


def run(app: Flask) -> None:
    """Run until told to stop; a job in progress is finished first."""
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    scheduler = build(app)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    log.info("scheduler started: %s", ", ".join(job.name for job in work.JOBS))
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        scheduler.shutdown(wait=True)
        log.info("scheduler stopped")
