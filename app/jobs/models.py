from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class JobLease(db.Model):
    """Who may run a job, until when. One row per job; whoever moves `until` forward has it."""

    __tablename__ = "job_leases"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    holder: Mapped[str] = mapped_column(String(100))
    until: Mapped[datetime]


class JobRun(db.Model):
    """One run of a job, for operators. Runs that found nothing to do replace one another."""

    __tablename__ = "job_runs"
    __table_args__ = (Index(None, "name", "started_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(30))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    ok: Mapped[bool]
    result: Mapped[str] = mapped_column(String(200))
