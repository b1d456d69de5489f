"""The second factor: codes of an authenticator app (RFC 6238), and codes on paper for the day it is lost."""

from __future__ import annotations

import hmac
import logging
from datetime import datetime

import pyotp
from cryptography.exceptions import InvalidTag
from sqlalchemy import delete, func, select, update

from app.accounts import audit, codes, hooks, passwords
from app.accounts.models import RecoveryCode, SecondFactor, User
from app.errors import DomainError, Forbidden
from app.extensions import db
from app.shared import clock, secretbox
from app.shared.ids import new_id
from app.shared.roles import STAFF

log = logging.getLogger("nuanxun")

ISSUER = "暖巡"
STEP_S = 30
AROUND = (0, -1, 1)  # steps: clocks of telephones are not quite right, and thumbs are slow
RECOVERY_CODES = 10


def is_on(user: User) -> bool:
    return _confirmed(user) is not None


def since(user: User) -> datetime | None:
    factor = _confirmed(user)
    return factor.confirmed_at if factor else None


def codes_left(user: User) -> int:
    unused = select(func.count()).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(unused) or 0


def begin(user: User) -> None:
    """A fresh secret, which counts for nothing until `confirm`. Commits. The password was asked before."""
    if user.role not in STAFF:
        raise Forbidden()
    if is_on(user):
        raise DomainError("两步验证已经打开了。", field="password")
    db.session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    db.session.add(
        SecondFactor(
            user_id=user.id, secret_sealed=secretbox.seal(pyotp.random_base32()), created_at=clock.now()
        )
    )
    db.session.commit()


def being_set_up(user: User) -> tuple[str, str] | None:
    """The secret and its otpauth:// address, between `begin` and `confirm`."""
    factor = db.session.get(SecondFactor, user.id)
    if factor is None or factor.confirmed_at is not None or (secret := _secret(factor)) is None:
        return None
    return secret, pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)


def confirm(user: User, code: str) -> list[str]:
    """The app shows the right code: from now on it is asked for. Commits. Returns the recovery codes, whose
    hashes alone are kept. Raises DomainError naming `code`."""
    factor = db.session.get(SecondFactor, user.id)
    if factor is None or factor.confirmed_at is not None:
        raise DomainError("请从头开始设置。", field="code")
    if not _uses_app_code(factor, code):
        raise DomainError("验证码不对，请看验证器现在显示的 6 位数字。", field="code")
    fresh = _new_codes(user)
    db.session.get_one(SecondFactor, user.id, populate_existing=True).confirmed_at = clock.now()
    audit.note("second_factor.begin", object_id=user.id, user=user)
    hooks.registered().tell(user, "两步验证已打开", "以后登录除了密码，还要输入验证器上的 6 位数字。")
    db.session.commit()
    return fresh


def uses(user: User, code: str) -> bool:
    """Whether `code` is right now, and use it up: of the app, or a recovery code. No commit, but the
    transaction so far is ended (argon2 takes its time). Wrong for somebody who has no second factor."""
    factor = _confirmed(user)
    if factor is None:
        return False
    code = "".join(code.split()).lower()
    if len(code) == 6 and code.isascii() and code.isdigit():
        return _uses_app_code(factor, code)
    return _uses_recovery_code(user, code)


def renew_codes(user: User) -> list[str]:
    """New recovery codes; the former ones open nothing any more. Commits. A code was asked before."""
    fresh = _new_codes(user)
    audit.note("second_factor.codes", object_id=user.id)
    db.session.commit()
    return fresh


def remove(user: User, *, by: User | None) -> None:
    """No commit. `by` None: from the command line."""
    db.session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    audit.note("second_factor.end", object_id=user.id, user=by)
    words = "现在只用密码登录。不是您本人或管理员做的，请马上告诉管理员。"
    hooks.registered().tell(user, "两步验证已关闭", words)


def _confirmed(user: User) -> SecondFactor | None:
    factor = db.session.get(SecondFactor, user.id)
    return factor if factor is not None and factor.confirmed_at is not None else None


def _secret(factor: SecondFactor) -> str | None:
    try:
        return secretbox.unseal(factor.secret_sealed)
    except InvalidTag:
        log.warning("a second factor cannot be read: SECRET_KEY is not the one it was sealed under")
        return None


def _uses_app_code(factor: SecondFactor, code: str) -> bool:
    secret = _secret(factor)
    if secret is None:
        return False
    app = pyotp.TOTP(secret)
    step = int(clock.now().timestamp()) // STEP_S
    shown = [(step + offset, app.generate_otp(step + offset)) for offset in AROUND]
    typed = code.strip().encode()
    right = next((at for at, text in shown if hmac.compare_digest(text.encode(), typed)), None)
    if right is None:
        return False
    # In one statement, so that a code read over a shoulder and sent in the same moment works once.
    used = db.session.execute(
        update(SecondFactor)
        .where(SecondFactor.user_id == factor.user_id, SecondFactor.last_step < right)
        .values(last_step=right)
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]


def _uses_recovery_code(user: User, code: str) -> bool:
    plain = code.replace("-", "")
    named = select(RecoveryCode).where(
        RecoveryCode.user_id == user.id,
        RecoveryCode.hint == plain[: codes.GROUP],
        RecoveryCode.used_at.is_(None),
    )
    found = db.session.scalar(named)
    found_id, stored = (found.id, found.code_hash) if found else (None, None)
    db.session.rollback()  # nobody should wait for the write lock meanwhile
    if not passwords.matches(plain, stored):
        return False
    used = db.session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.id == found_id, RecoveryCode.used_at.is_(None))
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount)  # type: ignore[attr-defined]


def _new_codes(user: User) -> list[str]:
    """Replaces what was there. Commits what came before: ten hashes are not made under the write lock."""
    user_id = user.id
    db.session.commit()
    fresh: dict[str, str] = {}
    while len(fresh) < RECOVERY_CODES:
        text = codes.make()
        fresh[text[: codes.GROUP]] = text
    hashes = {hint: passwords.hash_code(text.replace("-", "")) for hint, text in fresh.items()}
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    for hint, code_hash in hashes.items():
        db.session.add(RecoveryCode(id=new_id(), user_id=user_id, hint=hint, code_hash=code_hash))
    return list(fresh.values())
