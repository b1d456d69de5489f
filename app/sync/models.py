from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db

MENDS = text("replaces IS NOT NULL")  # hardly any operation does


class Revision(db.Model):
    """One applied operation = one revision of one record = one place in the feed.

    `op_id` is kept for ever, in the same transaction as what it did (SYNC §3 rules 2 and 5).
    `replaces` names no row: what it names was refused, and answers `duplicate` because this row exists.
    `seq` is commit-ordered and may be re-given when a record enters somebody's scope (feed.resend).
    """

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("entity_id", "revision"),
        Index(None, "patient_id", "seq"),
        Index(None, "author_id", "replaces", unique=True, sqlite_where=MENDS, postgresql_where=MENDS),
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


class Handover(db.Model):
    """Sealed operations that somebody brought: their own from another phone, or those of their people.

    `authors` are the users whose operations were taken on. `refused` tells of each that was not applied
    {op_id, author_id, kind, recorded_at, patient_id, code, detail}; `kept` holds the same ones, sealed as
    they came and in the same order, so that nothing is thrown away and each can be judged again.
    """

    __tablename__ = "handovers"
    __table_args__ = (Index(None, "uploaded_by", "uploaded_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    uploaded_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    uploaded_at: Mapped[datetime]
    judged_at: Mapped[datetime]
    device_id: Mapped[str | None] = mapped_column(String(64))  # the phone that wrote the file, if it says so
    authors: Mapped[list]
    count: Mapped[int]
    applied: Mapped[int]
    duplicate: Mapped[int]
    refused: Mapped[list]
    kept: Mapped[list] = mapped_column(deferred=True)  # up to the size of the file


class FeedHead(db.Model):
    """The one row that hands out feed numbers; its lock makes them commit-ordered on PostgreSQL too."""

    __tablename__ = "feed_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[str] = mapped_column(String(36))
