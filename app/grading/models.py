from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.encounters.models import NO_VISIT
from app.extensions import db


class GradeRecord(db.Model):
    """One grading: what the rules said on a day, from which facts, and what the phone had said.

    Kept for ever under the rule version it was made with. `cause`: visit, patient, nightly, confirm.
    """

    __tablename__ = "grade_records"
    __table_args__ = (
        Index(
            "ix_grade_records_without_visit", "patient_id", "at",
            sqlite_where=NO_VISIT, postgresql_where=NO_VISIT,
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"))
    visit_id: Mapped[str | None] = mapped_column(String(36), index=True)
    at: Mapped[datetime]
    as_of: Mapped[date]
    cause: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[str | None] = mapped_column(String(36))
    colour: Mapped[str] = mapped_column(String(8))  # red | yellow | green | unrated
    emergency: Mapped[bool]
    reasons: Mapped[list]
    missing: Mapped[list]
    due_in_days: Mapped[int]
    rule_version: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict]
    phone: Mapped[dict | None]
    phone_differs: Mapped[bool] = mapped_column(default=False)


class CurrentGrade(db.Model):
    """The grade a patient is cared for by: the newest record, or a red one that waits to be lowered.

    `words` explains `reasons` ({code, colour, emergency, text, family}). `proposed_colour` is what the rules
    now say where a clinician has yet to confirm it. `raised_*`: a clinician put the patient higher.
    `past`: what the visits so far say to the next one (app/grading/past.py); None: the tables are asked.
    `last_done_on`: the newest day a form was filled in, for lists.
    """

    __tablename__ = "current_grades"

    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    record_id: Mapped[str] = mapped_column(ForeignKey("grade_records.id"))
    colour: Mapped[str] = mapped_column(String(8))
    emergency: Mapped[bool]
    reasons: Mapped[list]
    missing: Mapped[list]
    words: Mapped[list]
    due_in_days: Mapped[int]
    rule_version: Mapped[str] = mapped_column(String(40))
    as_of: Mapped[date]
    proposed_colour: Mapped[str | None] = mapped_column(String(8))
    raised_colour: Mapped[str | None] = mapped_column(String(8))
    raised_reason: Mapped[str | None] = mapped_column(String(200))
    raised_by: Mapped[str | None] = mapped_column(String(36))
    raised_at: Mapped[datetime | None]
    past: Mapped[dict | None]
    last_done_on: Mapped[date | None]
