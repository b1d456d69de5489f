from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class PlanItem(db.Model):
    """One form a person is due for; once filled in (`done_on`) it stays as history.

    At most one open item per patient and form. `asked_on` is the next day the clinician wrote in
    the visit that did it.
    """

    __tablename__ = "plan_items"
    __table_args__ = (
        Index("ix_plan_items_history", "patient_id", "form", "done_on", "asked_on"),
        Index(None, "done_on", "due_on"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"))
    form: Mapped[str] = mapped_column(String(30))
    label: Mapped[str] = mapped_column(String(50))
    due_on: Mapped[date]
    why: Mapped[str] = mapped_column(String(200))
    done_on: Mapped[date | None]
    visit_id: Mapped[str | None] = mapped_column(String(36))
    asked_on: Mapped[date | None]
