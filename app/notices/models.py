from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class Notice(db.Model):
    """One line in somebody's inbox. `key` makes it unique: what is told twice is written once."""

    __tablename__ = "notices"
    __table_args__ = (Index(None, "user_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(String(200))
    key: Mapped[str | None] = mapped_column(String(150), unique=True)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class SmsMessage(db.Model):
    """A short message on its way. The text names no illness, no service, nobody's name.

    One with `good_until` says a secret: its text is sealed, is not sent later, and goes when it is done with.

    `state`: queued, sending (claimed until `lease_until`), sent, failed (given up), unknown (the provider may
    have it: a person looks, nothing is sent again by itself).
    """

    __tablename__ = "sms_messages"
    __table_args__ = (Index(None, "state", "next_try_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)  # None: no account yet
    phone: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(150), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="queued")
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    provider_id: Mapped[str | None] = mapped_column(String(64))
    last_error: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    good_until: Mapped[datetime | None]
