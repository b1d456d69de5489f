"""Figures that are looked up when somebody asks for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.models import AuditLine
from app.extensions import db
from app.jobs import runner, work
from app.shared import clock

log = logging.getLogger("nuanxun")


class State:
    """A collector: the database, the jobs and the audit. Without a database it says only that."""

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("nuanxun_database_up", "1 when the database answers")
        try:
            found = [_size(), *_jobs(), _unlinked()]
        except SQLAlchemyError as error:
            db.session.rollback()
            log.warning("metrics without a database: %s", type(getattr(error, "orig", error)).__name__)
            found = []
        up.add_metric([], float(bool(found)))
        yield up
        yield from found


def _size() -> Metric:
    lite = db.engine.dialect.name == "sqlite"
    pages = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    size = db.session.scalar(pages if lite else select(func.pg_database_size(func.current_database())))
    return GaugeMetricFamily("nuanxun_database_bytes", "Size of the database", float(size or 0))


def _jobs() -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "nuanxun_job_success_age_seconds", "Seconds since the job last ended well", labels=["job"]
    )
    well = GaugeMetricFamily("nuanxun_job_ok", "1 when the last run of the job ended well", labels=["job"])
    for job in work.JOBS:
        last, good = runner.newest(job.name), runner.newest(job.name, ok_only=True)
        if last is not None:
            well.add_metric([job.name], float(last.ok))
        if good is not None:
            age.add_metric([job.name], (clock.now() - good.finished_at).total_seconds())
    yield age
    yield well


def _unlinked() -> Metric:
    waiting = select(func.count()).select_from(AuditLine).where(AuditLine.position.is_(None))
    return GaugeMetricFamily(
        "nuanxun_audit_unlinked_lines",
        "Lines of the audit not yet linked",
        float(db.session.scalar(waiting) or 0),
    )
