from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.encounters.models import NO_VISIT
from app.extensions import db
from app.shared.columns import JsonText

REMEMBERED = ("conditions", "height", "lives_alone")  # of these the newest is asked for at every visit


class Observation(db.Model):
    """One measured thing. `code` is the name grading knows it by (bp, adl …) or a measure (weight, bmi …).

    `value` is the figure itself, or an object for what has several parts: bp is {"sbp", "dbp"}; `number`
    repeats a single figure for sums in SQL. `observed_at` orders two of one day, `id` two of one moment.
    `source` is `visit`, or `register` for what the register said before a visit said otherwise: that alone
    has no `visit_id`.
    """

    __tablename__ = "observations"
    __table_args__ = (
        Index(
            "ix_observations_without_visit", "patient_id",
            sqlite_where=NO_VISIT, postgresql_where=NO_VISIT,
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"))
    visit_id: Mapped[str | None] = mapped_column(String(36), index=True)
    code: Mapped[str] = mapped_column(String(30))
    value: Mapped[Any] = mapped_column(JsonText)
    number: Mapped[float | None]
    unit: Mapped[str] = mapped_column(String(20))
    observed_on: Mapped[date]
    observed_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(10), default="visit")
