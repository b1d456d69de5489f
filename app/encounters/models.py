from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db

NO_VISIT = text("visit_id IS NULL")  # rows of a table kept by visit that have an index by patient
MODES = {"home": "上门", "clinic": "门诊", "phone": "电话", "institution": "机构"}


class Visit(db.Model):
    """A visit as it stands after its newest revision; every revision is in the feed (app.sync).

    `visited_at` is what the doctor stated; `visited_on` the local day it counts for, never after its arrival.
    `flags`: same_day (another record of this form and day exists), late (recorded more than 30 days
    after), clock (the phone's clock was wrong by more than 5 minutes).
    `colour` is the server's grade on arrival. A voided visit stays readable and measures nothing.
    """

    __tablename__ = "visits"
    __table_args__ = (
        Index("ix_visits_newest", "patient_id", "form", "visited_on", "visited_at", "voided", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    revision: Mapped[int] = mapped_column(default=1)
    voided: Mapped[bool] = mapped_column(default=False)
    form: Mapped[str] = mapped_column(String(30))
    form_version: Mapped[int]
    visited_at: Mapped[datetime]
    visited_on: Mapped[date]
    mode: Mapped[str] = mapped_column(String(12))
    answers: Mapped[dict]
    next_visit_on: Mapped[date | None]
    location: Mapped[dict | None]
    summary: Mapped[str] = mapped_column(String(200), default="")
    colour: Mapped[str | None] = mapped_column(String(8))
    flags: Mapped[list] = mapped_column(default=list)
    recorded_at: Mapped[datetime]
    received_at: Mapped[datetime]
