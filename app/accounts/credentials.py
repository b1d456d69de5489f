"""Changing a password: one's own, or somebody's who has forgotten theirs; and shutting an account."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from app.accounts import attempts, audit, codes, hooks, passwords, second_factor, steps, throttle
from app.accounts.models import LoginSession, User
from app.errors import DomainError
from app.extensions import db
from app.shared import clock

ONCE_LASTS = timedelta(hours=72)
FREE_TRIES = 5


def confirm_password(user: User, password: str, field: str = "password") -> None:
    """Ask for the password again before something that matters. Ends the transaction so far.

    Raises DomainError naming `field`, 429 after five wrong ones: a phone left open on a table is no way in.
    """
    key, user_id, stored = f"own:{user.id}", user.id, user.password_hash
    throttle.check_slow(key, FREE_TRIES)
    db.session.rollback()  # argon2 takes its time: nobody should wait for the write lock meanwhile
    right = passwords.matches(password, stored)
    if not right:
        throttle.count_slow(key)
        audit.note("password.confirm", object_id=user_id, result="bad_credentials")
        db.session.commit()
        raise DomainError("现在的密码不对。", field=field)
    throttle.check_slow(key, FREE_TRIES)
    throttle.forget(key)


def confirm_code(user: User, code: str) -> None:
    """As `confirm_password`, for the second factor; the code is used up. Raises DomainError naming `code`."""
    key = f"own:{user.id}"
    throttle.check_slow(key, FREE_TRIES)
    if not second_factor.uses(user, code):
        throttle.count_slow(key)
        audit.note("second_factor.confirm", object_id=user.id, result="bad_credentials")
        db.session.commit()
        raise DomainError("验证码不对。", field="code")


def change_password(user: User, session: LoginSession, *, current: str, new: str, again: str) -> None:
    """Ends every other session of theirs. Commits. Raises DomainError naming the field that is wrong."""
    token_hash = session.token_hash
    confirm_password(user, current, "current")
    if why := passwords.fault(new, user):
        raise DomainError(passwords.WORDS[why], field="new")
    if new == current:
        raise DomainError("新密码和现在的一样，换一个。", field="new")
    if new != again:
        raise DomainError("两次输入的新密码不一样。", field="again")
    hashed = _hashed(new)
    set_password(user, hashed, once=False)
    end_sessions(user, but=token_hash)
    audit.note("password.change", object_id=user.id)
    words = "其他手机和电脑上的登录都已结束。不是您本人改的，请马上告诉管理员。"
    hooks.registered().tell(user, "登录密码已修改", words)
    db.session.commit()


def turn_second_factor_off(user: User, *, password: str, code: str) -> None:
    """Asks for both, so that neither alone can take the other away. Commits."""
    confirm_password(user, password)
    confirm_code(user, code)
    second_factor.remove(user, by=user)
    db.session.commit()


def give_password(user: User, by: User | None) -> str:
    """A password good for 72 hours, to be changed at the first sign-in. Commits. Ends all sessions."""
    password = codes.make()
    hashed = _hashed(password)
    set_password(user, hashed, once=True)
    end_sessions(user)
    attempts.forget(user)
    audit.note("password.reset", object_id=user.id, user=by)
    hooks.registered().tell(user, "登录密码已重设", "管理员重设了您的密码。不是您要求的，请马上告诉管理员。")
    db.session.commit()
    return password


def set_password(user: User, hashed: str, *, once: bool) -> None:
    """No commit."""
    now = clock.now()
    user.password_hash = hashed
    user.password_changed_at = now
    user.once_until = now + ONCE_LASTS if once else None


def set_active(user: User, on: bool, by: User | None) -> None:
    """Disabling ends all sessions at once; enabling brings none of them back. Commits."""
    user.active = on
    if not on:
        end_sessions(user)
    audit.note("user.enable" if on else "user.disable", object_id=user.id, user=by)
    db.session.commit()


def end_sessions(user: User, but: str = "") -> None:
    """All of them, and half-finished sign-ins; the session with the token hash `but` goes on. No commit."""
    db.session.execute(
        update(LoginSession)
        .where(
            LoginSession.user_id == user.id, LoginSession.ended_at.is_(None), LoginSession.token_hash != but
        )
        .values(ended_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    steps.end_all_of(user)


def _hashed(password: str) -> str:
    db.session.commit()  # argon2 takes its time: nobody should wait for the write lock meanwhile
    return passwords.hash_password(password)
