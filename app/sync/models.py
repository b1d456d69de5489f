from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class Revision(db.Model):
    """One applied operation = one revision of one record = one place in the feed.

    `op_id` is kept for ever, in the same transaction as what it did (SYNC §3 rules 2 and 5).
    `replaces` names no row: what it names was refused, and answers `duplicate` because this row exists.
    `seq` is commit-ordered and may be re-given when a record enters somebody's scope (feed.resend).
    """

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("entity_id", "revision"),
        Index(None, "patient_id", "entity_kind"),
        Index(None, "author_id", "replaces", unique=True),
        Index(None, "author_id", "device_id", "recorded_at"),
    )

    op_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    entity_kind: Mapped[str] = mapped_column(String(10))
    entity_id: Mapped[str] = mapped_column(String(36))
    revision: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[str] = mapped_column(String(36))
    device_id: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(36))
    recorded_at: Mapped[str] = mapped_column(String(40))  # as the device wrote it
    received_at: Mapped[datetime]
    skew_s: Mapped[int]
    state: Mapped[str | None] = mapped_column(String(20))
    replaces: Mapped[str | None] = mapped_column(String(36))  # the author's refused operation it mends
    payload: Mapped[str] = mapped_column(Text)  # JSON text, sealed where the kind says so


class Touch(db.Model):
    """The newest feed number at which anything about a patient changed: what makes a stored page old."""

    __tablename__ = "touches"

    patient_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, index=True)


class Departure(db.Model):
    """A patient left an audience (`village:CODE`, `town:CODE`, `team:ID`, `user:ID`)."""

    __tablename__ = "departures"
    __table_args__ = (Index(None, "audience", "seq"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    audience: Mapped[str] = mapped_column(String(50))
    patient_id: Mapped[str] = mapped_column(String(36))


class FeedHead(db.Model):
    """The one row that hands out feed numbers; its lock makes them commit-ordered on PostgreSQL too."""

    __tablename__ = "feed_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[str] = mapped_column(String(36))
