from __future__ import annotations

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db

ROLES = {
    "family": "家属",
    "village": "村医",
    "doctor": "家庭医生",
    "nurse": "护士",
    "provider": "服务人员",
    "dispatcher": "调度员",
    "manager": "镇卫生院管理员",
    "supervisor": "区卫健局",
    "admin": "系统管理员",
}
CLINICIANS = ("doctor", "nurse", "village")


class User(UserMixin, db.Model):
    """Somebody who signs in. `place_code`, `team_id`, `institution_id` bound what they may see."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    username: Mapped[str] = mapped_column(String(50), unique=True)
    phone: Mapped[str | None] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    role: Mapped[str] = mapped_column(String(12))
    password_hash: Mapped[str] = mapped_column(String(200))
    place_code: Mapped[str | None] = mapped_column(ForeignKey("places.code"), index=True)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id"), index=True)
    institution_id: Mapped[str | None] = mapped_column(ForeignKey("institutions.id"))
    active: Mapped[bool] = mapped_column(default=True)
    care_mode: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime | None]  # None: never, since created_at
    once_until: Mapped[datetime | None]  # the password is for one sign-in before this moment
    joined_at: Mapped[datetime | None]  # a relative made it with a code of the clinic; None: the office did

    @property
    def is_active(self) -> bool:  # Flask-Login asks
        return self.active

    @property
    def role_name(self) -> str:
        return ROLES[self.role]


class Device(db.Model):
    """A browser somebody signed in on. `device_id` is made by the phone; two users may share it.

    A lost one is revoked; `wiped_at` is when it told us that it had emptied itself.
    """

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("device_id", "user_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    wiped_at: Mapped[datetime | None]


class LoginSession(db.Model):
    """One sign-in. Only the SHA-256 of the cookie's token is kept."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    device_id: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    means: Mapped[str] = mapped_column(String(10), default="password", server_default="password")  # or sms


class SecondFactor(db.Model):
    """What somebody's authenticator app knows (RFC 6238). Counts from `confirmed_at` on.

    `last_step` is the 30 seconds whose code was used last: that one and older ones are refused.
    """

    __tablename__ = "second_factors"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret_sealed: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0)


class RecoveryCode(db.Model):
    """Opens once, when the authenticator is lost. `hint`, its first group, says which hash to try."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "hint"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    hint: Mapped[str] = mapped_column(String(4))
    code_hash: Mapped[str] = mapped_column(String(200))
    used_at: Mapped[datetime | None]


class SignInStep(db.Model):
    """A sign-in that waits for its code, in one browser: only the SHA-256 of that browser's token is kept.

    `kind` is `totp` (the password was right), `sms`, where `user_id` is None for a number nobody has, or
    `join`: somebody who has no account yet; `carries`, sealed, is what they said about themself.
    """

    __tablename__ = "sign_in_steps"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(4))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    name_key: Mapped[str] = mapped_column(String(32))
    code_hash: Mapped[str | None] = mapped_column(String(64))
    device_id: Mapped[str] = mapped_column(String(64))
    device_name: Mapped[str] = mapped_column(String(100))
    tries: Mapped[int] = mapped_column(default=0)
    carries: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Throttle(db.Model):
    """How often something was tried in the current window; shared by all workers."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    window_started_at: Mapped[datetime]
    count: Mapped[int]


LINKED = text("position IS NOT NULL")  # what is written with everything else is put into its order by a job


class AuditLine(db.Model):
    """Who did what to whom, when, from where. Lines are added, never changed; triggers see to it.

    `claimed_at`: when it happened by the clock of the phone that reported it later. `mac` marks the content
    as written by this program; `position` and `hash` are given once, when it is linked (audit_chain.py).
    """

    __tablename__ = "audit_lines"
    __table_args__ = (
        Index("ix_audit_lines_linked", "patient_id", "at", sqlite_where=LINKED, postgresql_where=LINKED),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(36), unique=True)
    at: Mapped[datetime]
    user_id: Mapped[str | None] = mapped_column(String(36), index=True)
    role: Mapped[str | None] = mapped_column(String(12))
    org_id: Mapped[str | None] = mapped_column(String(36))  # institution, else team, else place
    device_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(45))
    action: Mapped[str] = mapped_column(String(40))
    object_id: Mapped[str | None] = mapped_column(String(64))
    patient_id: Mapped[str | None] = mapped_column(String(36))
    claimed_at: Mapped[datetime | None]
    result: Mapped[str] = mapped_column(String(40))
    request_id: Mapped[str] = mapped_column(String(36))
    mac: Mapped[str] = mapped_column(String(64))
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    hash: Mapped[str | None] = mapped_column(String(64))


class AuditChain(db.Model):
    """The one row that knows both ends of the chain: the last line pruned away, and the last one linked."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    pruned_to: Mapped[int] = mapped_column(BigInteger)
    pruned_hash: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))
