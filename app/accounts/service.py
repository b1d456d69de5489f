"""Signing in and out, and what a session or a device may still do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import and_, bindparam, or_, select, update

from app.accounts import attempts, audit, passwords, second_factor, steps
from app.accounts.codes import digest
from app.accounts.models import Device, LoginSession, User
from app.errors import DomainError
from app.extensions import db
from app.shared import bulk, clock
from app.shared.ids import new_id
from app.shared.roles import WORKS_ON

SEEN_EVERY = timedelta(minutes=1)
WRONG = "账号或密码不对。"
WRONG_CODE = "验证码不对。"


@dataclass(frozen=True)
class Where:
    """The browser somebody signs in on. `instead_of` is the session token it already holds."""

    device_id: str
    device_name: str
    address: str
    instead_of: str = ""


def sign_in(name: str, password: str, where: Where, otp: str | None = None) -> tuple[User, str]:
    """The user and a fresh session token; the session whose token is `where.instead_of` ends. Commits.

    Raises DomainError 401 `bad_credentials` (the same whether name, password or code is wrong), 401
    `otp_required` when the password is right and a code is wanted, 429 after too many wrong tries (right
    ones included; see attempts.py).
    """
    user, attempt = _prove_password(name, password, where)
    if second_factor.is_on(user):
        if not otp:
            raise DomainError("请输入验证器上的 6 位验证码。", code="otp_required", status=401)
        if not second_factor.uses(user, otp):
            raise refuse(attempt, user, WRONG)
    return user, enter(user, attempt, where, means="password")


def begin_sign_in(name: str, password: str, where: Where, former_step: str = "") -> tuple[str, str]:
    """As `sign_in`, for pages: ("session", token), or ("step", token) when a code is to follow. Commits."""
    user, attempt = _prove_password(name, password, where)
    if not second_factor.is_on(user):
        return "session", enter(user, attempt, where, means="password")
    token = steps.begin(
        "totp",
        user,
        name_key=attempt.name_key,
        device_id=where.device_id,
        device_name=where.device_name,
        instead_of=former_step,
    )
    db.session.commit()
    return "step", token


def finish_sign_in(token: str, code: str, *, address: str, instead_of: str) -> str:
    """The code that follows a right password; returns the session token. Commits.

    Raises DomainError 401 `step_expired` when the password has to be given again, else as `sign_in`.
    """
    step = steps.waiting("totp", token)
    user = get(step.user_id) if step else None
    if step is None or user is None:
        raise expired()
    where = Where(step.device_id, step.device_name, address, instead_of)
    attempt = attempts.at(step.name_key, user, address=address, device_id=step.device_id)
    attempts.check(attempt)
    if not steps.take_a_try(step):
        raise expired()
    db.session.commit()  # the try is gone, whatever happens to this request
    if not user.active or not second_factor.uses(user, code):
        raise refuse(attempt, user, WRONG_CODE)
    steps.end(token)
    return enter(user, attempt, where, means="password")


def enter(user: User, attempt: attempts.Attempt, where: Where, *, means: str) -> str:
    """Everything asked for was right: open the session. Commits. Raises DomainError for a revoked phone."""
    if _on_device(user, where.device_id, where.device_name) is not None:
        audit.note("session.begin", object_id=where.device_id, result="device_revoked", user=user)
        db.session.commit()
        raise revoked()
    attempts.succeeded(attempt)
    former = db.session.get(LoginSession, digest(where.instead_of))
    if former is not None and former.ended_at is None:
        former.ended_at = clock.now()
    token = _open_session(user, where.device_id, means)
    audit.note("session.begin", object_id=where.device_id, user=user, device_id=where.device_id)
    db.session.commit()
    return token


def refuse(attempt: attempts.Attempt, user: User | None, words: str) -> DomainError:
    """Count a wrong try and say what to raise. Commits."""
    late = attempts.failed(attempt)
    audit.note("session.begin", result="bad_credentials", user=user)
    db.session.commit()
    return late or DomainError(words, code="bad_credentials", status=401)


def expired() -> DomainError:
    return DomainError("等得太久，或试的次数太多，请从头再来。", code="step_expired", status=401)


def _prove_password(name: str, password: str, where: Where) -> tuple[User, attempts.Attempt]:
    """Who has this name and password. Nothing is committed when it is right."""
    name = name.strip()
    named = select(User).where(or_(User.username == name, User.phone == name))
    user = db.session.scalar(named)
    attempt = attempts.at(attempts.key_of(name), user, address=where.address, device_id=where.device_id)
    attempts.check(attempt)
    stored = user.password_hash if user else None
    db.session.rollback()  # argon2 takes its time: nobody should wait for the write lock meanwhile
    right = passwords.matches(password, stored)
    user = db.session.scalar(named)
    lapsed = user is not None and user.once_until is not None and user.once_until <= clock.now()
    if user is None or not right or not user.active or lapsed or user.password_hash != stored:
        raise refuse(attempt, user, WRONG)
    attempts.check(attempt)  # others may have guessed meanwhile; of many sent at once, few are told
    return user, attempt


_HELD = (  # made once: every request asks it
    select(LoginSession, User, Device.revoked_at)
    .join(User, User.id == LoginSession.user_id)
    .outerjoin(
        Device, and_(Device.device_id == LoginSession.device_id, Device.user_id == LoginSession.user_id)
    )
    .where(LoginSession.token_hash == bindparam("token_hash"))
)


def resolve(token: str) -> tuple[User, LoginSession] | None:
    """Who holds this session token. None when it is unknown, over, or long idle, or the user disabled.

    Raises DomainError 401 `device_revoked` for the phone that was reported lost.
    """
    row = db.session.execute(_HELD, {"token_hash": digest(token)}).one_or_none()
    if row is None:
        return None
    session, user, revoked_at = row
    if revoked_at is not None:
        raise revoked()
    now = clock.now()
    if session.ended_at is not None or session.expires_at <= now or not user.active:
        return None
    if session.last_seen_at + idle_limit(user.role) <= now:
        return None
    return user, session


def holder(token: str) -> User | None:
    """Whose session this is or was."""
    session = db.session.get(LoginSession, digest(token))
    return None if session is None else db.session.get(User, session.user_id)


def idle_limit(role: str) -> timedelta:
    """How long a session of this role may lie unused; any request is a use, a phone's own included."""
    config = current_app.config
    if WORKS_ON[role] == "web":
        return timedelta(minutes=config["SESSION_IDLE_MINUTES"])
    return timedelta(hours=config["FIELD_IDLE_HOURS"])


def seen(session: LoginSession) -> None:
    """Note the contact, at most once a minute; the caller commits."""
    if not is_stale(session):
        return
    now = clock.now()
    db.session.execute(  # before the session, as `enter` does, or they might wait for each other
        update(Device)
        .where(Device.device_id == session.device_id, Device.user_id == session.user_id)
        .values(last_seen_at=now)
    )
    session.last_seen_at = now


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


def _on_device(user: User, device_id: str, device_name: str) -> datetime | None:
    """Note that they sign in on this phone; returns when it was revoked.

    One statement: whoever taps twice signs in twice at once, on a phone that nobody knows yet.
    """
    now = clock.now()
    noted = (
        bulk.inserting(db.session(), Device)
        .values(
            id=new_id(),
            device_id=device_id,
            user_id=user.id,
            name=device_name,
            first_seen_at=now,
            last_seen_at=now,
        )
        .on_conflict_do_update(index_elements=["device_id", "user_id"], set_={"last_seen_at": now})
        .returning(Device.revoked_at)
    )
    return db.session.scalar(noted)


def _open_session(user: User, device_id: str, means: str) -> str:
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
            means=means,
        )
    )
    return token
