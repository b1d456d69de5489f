"""Signing in and out, and what a session or a device may still do."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from flask import current_app
from sqlalchemy import or_, select, update

from app.accounts import audit, passwords, throttle
from app.accounts.models import Device, LoginSession, User
from app.errors import DomainError
from app.extensions import db
from app.shared import clock
from app.shared.ids import new_id

ATTEMPTS, ATTEMPT_WINDOW_S = 5, 300
ADDRESS_ATTEMPTS = 300  # a whole township may sit behind one address
SEEN_EVERY = timedelta(minutes=1)


def sign_in(
    name: str, password: str, *, device_id: str, device_name: str, address: str, instead_of: str = ""
) -> tuple[User, str]:
    """The user and a fresh session token; the session whose token is `instead_of` ends. Commits.

    Raises DomainError 401 `bad_credentials` (the same whether the name or the password is wrong) and 429
    after 5 wrong tries of one name in 5 minutes, right password included.
    """
    name = name.strip()
    keys = ((f"sign-in:{digest(name.lower())[:32]}", ATTEMPTS), (f"address:{address}", ADDRESS_ATTEMPTS))
    for key, limit in keys:
        throttle.check(key, limit, window_s=ATTEMPT_WINDOW_S)
    named = select(User).where(or_(User.username == name, User.phone == name))
    user = db.session.scalar(named)
    stored = user.password_hash if user else None
    db.session.rollback()  # argon2 takes its time: nobody should wait for the write lock meanwhile
    right = passwords.matches(password, stored)
    user = db.session.scalar(named)
    if user is None or not right or not user.active:
        for key, _ in keys:
            throttle.count(key, window_s=ATTEMPT_WINDOW_S)
        audit.note("session.begin", result="bad_credentials", user=user)
        db.session.commit()
        raise DomainError("账号或密码不对。", code="bad_credentials", status=401)
    device = _device(user, device_id, device_name)
    if device.revoked_at is not None:
        audit.note("session.begin", object_id=device_id, result="device_revoked", user=user)
        db.session.commit()
        raise revoked()
    throttle.forget(keys[0][0])
    former = db.session.get(LoginSession, digest(instead_of))
    if former is not None and former.ended_at is None:
        former.ended_at = clock.now()
    token = _open_session(user, device_id)
    audit.note("session.begin", object_id=device_id, user=user, device_id=device_id)
    db.session.commit()
    return user, token


def resolve(token: str) -> tuple[User, LoginSession] | None:
    """Who holds this session token. None when it is unknown, ended or expired, or the user disabled.

    Raises DomainError 401 `device_revoked` for the phone that was reported lost.
    """
    session = db.session.get(LoginSession, digest(token))
    if session is None:
        return None
    device = db.session.scalar(
        select(Device).where(Device.device_id == session.device_id, Device.user_id == session.user_id)
    )
    if device is not None and device.revoked_at is not None:
        raise revoked()
    user = db.session.get(User, session.user_id)
    if session.ended_at is not None or session.expires_at <= clock.now() or user is None or not user.active:
        return None
    return user, session


def holder(token: str) -> User | None:
    """Whose session this is or was."""
    session = db.session.get(LoginSession, digest(token))
    return None if session is None else db.session.get(User, session.user_id)


def seen(session: LoginSession) -> None:
    """Note the contact, at most once a minute; the caller commits."""
    if not is_stale(session):
        return
    now = clock.now()
    session.last_seen_at = now
    db.session.execute(
        update(Device)
        .where(Device.device_id == session.device_id, Device.user_id == session.user_id)
        .values(last_seen_at=now)
    )


def is_stale(session: LoginSession) -> bool:
    return clock.now() - session.last_seen_at >= SEEN_EVERY


def sign_out(session: LoginSession | None) -> None:
    if session is not None:
        session.ended_at = clock.now()
        audit.note("session.end", object_id=session.device_id)
    db.session.commit()


def create_user(
    *,
    username: str,
    password: str,
    name: str,
    role: str,
    phone: str | None = None,
    place_code: str | None = None,
    team_id: str | None = None,
    institution_id: str | None = None,
    password_hash: str | None = None,
    user_id: str | None = None,
) -> User:
    """Add a user to the session (no commit). Raises DomainError when the name or phone is taken.

    `user_id` brings back an account that a restore lost: its phone signs records with that id.
    """
    if db.session.scalar(select(User.id).where(or_(User.username == username, User.username == phone))):
        raise DomainError(f"用户名 {username} 已被使用。", field="username")
    user = User(
        id=user_id or new_id(),
        username=username,
        phone=phone,
        name=name,
        role=role,
        password_hash=password_hash or passwords.hash_password(password),
        place_code=place_code,
        team_id=team_id,
        institution_id=institution_id,
        created_at=clock.now(),
    )
    db.session.add(user)
    return user


def names(user_ids: set[str]) -> dict[str, str]:
    """User id -> name, in one query."""
    if not user_ids:
        return {}
    return dict(db.session.execute(select(User.id, User.name).where(User.id.in_(user_ids))).all())


def get(user_id: str | None) -> User | None:
    return None if user_id is None else db.session.get(User, user_id)


def policy(user: User) -> dict[str, int]:
    """What this person's phones must keep to: minutes until they lock, hours they show stored pages."""
    lock = "FAMILY_LOCK_MINUTES" if user.role == "family" else "LOCK_MINUTES"
    config = current_app.config
    return {"lock_minutes": config[lock], "offline_hours": config["OFFLINE_HOURS"]}


def set_care_mode(user: User, on: bool) -> None:
    user.care_mode = on
    audit.note("user.care_mode", object_id=user.id)
    db.session.commit()


def revoked() -> DomainError:
    return DomainError(
        "这台手机已被停用。",
        code="device_revoked",
        status=401,
        headers={"Clear-Site-Data": '"cache","storage"'},
    )


def digest(text: str) -> str:
    """What is kept instead of a session's token."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _device(user: User, device_id: str, device_name: str) -> Device:
    known = db.session.scalar(select(Device).where(Device.device_id == device_id, Device.user_id == user.id))
    now = clock.now()
    if known is None:
        known = Device(
            id=new_id(),
            device_id=device_id,
            user_id=user.id,
            name=device_name,
            first_seen_at=now,
            last_seen_at=now,
        )
        db.session.add(known)
    known.last_seen_at = now
    return known


def _open_session(user: User, device_id: str) -> str:
    token = secrets.token_urlsafe(32)
    now = clock.now()
    db.session.add(
        LoginSession(
            token_hash=digest(token),
            user_id=user.id,
            device_id=device_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(hours=current_app.config["SESSION_HOURS"]),
        )
    )
    return token
