from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import db


class Place(db.Model):
    """A county (6 digits), town (9) or village (12). Source: domain/identity.md §3."""

    __tablename__ = "places"

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    level: Mapped[str] = mapped_column(String(10))  # county | town | village
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("places.code"), index=True)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]


class Institution(db.Model):
    """A county hospital, township hospital (镇卫生院), village clinic (村卫生室) or care home."""

    __tablename__ = "institutions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(
        String(20)
    )  # county_hospital | township_hospital | village_clinic | care_home
    place_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    phone: Mapped[str | None] = mapped_column(String(20))


class Team(db.Model):
    """A family-doctor team (家庭医生团队) of a township hospital and the villages it looks after."""

    __tablename__ = "teams"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    town_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    villages: Mapped[list[TeamVillage]] = relationship(cascade="all, delete-orphan")


class TeamVillage(db.Model):
    """One village belongs to one team."""

    __tablename__ = "team_villages"

    village_code: Mapped[str] = mapped_column(ForeignKey("places.code"), primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id"), index=True)
