from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db

DONE, OPEN = text("done_on IS NOT NULL"), text("done_on IS NULL")


class PlanItem(db.Model):
    """One form a person is due for; once filled in (`done_on`) it stays as history.

    At most one open item per patient and form. `asked_on` is the next day the clinician wrote in
    the visit that did it. History is found by way of the visits (app/encounters).
    """

    __tablename__ = "plan_items"
    __table_args__ = (
        Index("ix_plan_items_done", "visit_id", sqlite_where=DONE, postgresql_where=DONE),
        Index(  # needs no row

            "ix_plan_items_open", "patient_id", "form", "due_on", "label",
            sqlite_where=OPEN, postgresql_where=OPEN,
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"))
    form: Mapped[str] = mapped_column(String(30))
    label: Mapped[str] = mapped_column(String(50))
    due_on: Mapped[date]
    why: Mapped[str] = mapped_column(String(200))
    done_on: Mapped[date | None]
    visit_id: Mapped[str | None] = mapped_column(String(36))
    asked_on: Mapped[date | None]
