from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class Patient(db.Model):
    """A resident in care. The identity number is sealed; its blind index keeps it unique.

    `conditions` None = never recorded, [] = recorded, none (domain/grading.md §3); likewise `lives_alone`.
    `sex` is the national code: 1 男, 2 女.
    """

    __tablename__ = "patients"
    __table_args__ = (Index(None, "team_id", "village_code"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    revision: Mapped[int] = mapped_column(default=1)
    record_no: Mapped[str | None] = mapped_column(String(17), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    name_py: Mapped[str] = mapped_column(String(50))
    sex: Mapped[str] = mapped_column(String(1))
    birth_date: Mapped[date]
    id_card_sealed: Mapped[str] = mapped_column(Text)
    id_card_index: Mapped[str] = mapped_column(String(64), unique=True)
    id_card_masked: Mapped[str] = mapped_column(String(18))
    phone: Mapped[str | None] = mapped_column(String(20))
    contact_name: Mapped[str | None] = mapped_column(String(50))
    contact_phone: Mapped[str | None] = mapped_column(String(20))
    contact_relation: Mapped[str | None] = mapped_column(String(1))  # identity.md §4: 0本人 1配偶 2子 …
    village_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    town_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id"))
    address: Mapped[str | None] = mapped_column(String(200))
    conditions: Mapped[list | None]
    conditions_on: Mapped[date | None]
    lives_alone: Mapped[bool | None]
    hospice: Mapped[bool] = mapped_column(default=False)
    home_bed_open: Mapped[bool] = mapped_column(default=False)
    tubes: Mapped[list] = mapped_column(default=list)
    consent_at: Mapped[datetime | None]
    ended_on: Mapped[date | None]
    created_at: Mapped[datetime]


class FamilyLink(db.Model):
    """A relative who may see a patient in plain words and order for them."""

    __tablename__ = "family_links"
    __table_args__ = (UniqueConstraint("user_id", "patient_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    relation: Mapped[str] = mapped_column(String(10))  # what the relative calls them: 妈妈, 爸爸 …
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
