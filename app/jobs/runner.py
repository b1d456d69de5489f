"""One run of one job: lease, work, and a line for the operator. Failures are kept, never raised."""

from __future__ import annotations

import logging
from datetime import datetime

from flask import Flask
from sqlalchemy import delete, select

from app.backup.trouble import BackupError
from app.extensions import db, writing
from app.jobs import lease
from app.jobs.models import JobRun
from app.jobs.work import Job
from app.shared import clock

log = logging.getLogger("nuanxun.jobs")
RESULT_CHARACTERS = 200


def run(app: Flask, job: Job, *, by: str | None = None) -> str:
    """Run `job` unless somebody else has it. Returns `done`, `nothing`, `failed` or `elsewhere`."""
    token = writing.set(True)
    try:
        with app.app_context():
            try:
                if not lease.take(job.name, job.limit, by):
                    return "elsewhere"
            except Exception as error:
                log.warning("%s: the database is not available (%s)", job.name, type(error).__name__)
                return "failed"
            return _leased(job, by)
    finally:
        writing.reset(token)


def _leased(job: Job, by: str | None) -> str:
    started_at = clock.now()
    try:
        result, ok = job.work(), True
    except BackupError as error:  # its words are made for the operator
        db.session.rollback()
        result, ok = str(error), False
        log.error("%s failed: %s", job.name, result)
    except Exception as error:
        db.session.rollback()
        # Only kind and place: the message of an exception may carry a patient's data.
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = where.tb_lineno if where else 0
        result, ok = f"{type(error).__name__} in line {line}", False
        log.error("%s failed: %s", job.name, result)
    try:
        _finish(job, started_at, ok, result, by)
    except Exception as error:
        db.session.rollback()
        log.warning("%s: the run could not be noted (%s)", job.name, type(error).__name__)
    if not ok:
        return "failed"
    if result:
        log.info("%s: %s", job.name, result)
    return "done" if result else "nothing"


def _finish(job: Job, started_at: datetime, ok: bool, result: str, by: str | None) -> None:
    if ok and not result:  # every few seconds nothing is no history
        db.session.execute(
            delete(JobRun).where(JobRun.name == job.name, JobRun.ok.is_(True), JobRun.result == "")
        )
    db.session.add(
        JobRun(
            name=job.name,
            started_at=started_at,
            finished_at=clock.now(),
            ok=ok,
            result=result[:RESULT_CHARACTERS],
        )
    )
    lease.keep(job.name, job.rest, by)
    db.session.commit()


def newest(name: str, *, ok_only: bool = False) -> JobRun | None:
    """The last run of a job, in an application context."""
    statement = select(JobRun).where(JobRun.name == name)
    if ok_only:
        statement = statement.where(JobRun.ok.is_(True))
    return db.session.scalar(statement.order_by(JobRun.started_at.desc(), JobRun.id.desc()).limit(1))
