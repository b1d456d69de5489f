"""Signing in by a code sent to the telephone: for families, who forget passwords and hold the phone."""

from __future__ import annotations

import hmac
import logging
import re

from flask import current_app
from sqlalchemy import select

from app.accounts import attempts, audit, codes, hooks, steps, throttle
from app.accounts.models import User
from app.accounts.service import WRONG_CODE, Where, enter, expired, get, refuse
from app.errors import DomainError, NotFound
from app.extensions import db
from app.shared import clock
from app.shared.roles import BY_SMS

log = logging.getLogger("nuanxun.sms")

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
A_DAY = 5  # codes for one number
ADDRESS_AN_HOUR = 100  # a whole township may sit behind one address


def require_offered() -> None:
    """Raises NotFound where no message would ever leave the house."""
    if not current_app.config["SMS_SIGN_IN"]:
        raise NotFound()


def ask(phone: str, where: Where, former_step: str = "") -> str:
    """Send a code to a registered number of a family; returns the token that binds it to this browser.

    A number that nobody has, that belongs to staff or to a disabled account gets the same answer and no
    message. Commits. Raises DomainError naming `phone`, and 429: a number has one code a minute, five a day.
    """
    number = number_of(phone)
    limit(number, where.address)
    user = db.session.scalar(select(User).where(User.phone == number, User.role.in_(BY_SMS), User.active))
    code = codes.digits()
    token = steps.begin(
        "sms",
        user,
        name_key=attempts.key_of(f"sms:{number}"),
        device_id=where.device_id,
        device_name=where.device_name,
        code=code,
        instead_of=former_step,
    )
    sent = user is not None and within_the_day()
    if user is not None and sent:
        words = f"登录验证码 {code}，5 分钟内有效。不要告诉别人。"
        hooks.registered().send_code(user, words, clock.now() + steps.LASTS)
    audit.note("sms_code.ask", result="ok" if sent else "not_sent", user=user)
    db.session.commit()
    return token


def finish(token: str, code: str, *, address: str, instead_of: str) -> str:
    """The session token for the right code, given in the browser that asked for it. Commits.

    Raises DomainError 401 `bad_credentials`, 401 `step_expired` after 5 minutes or 5 tries, or 429.
    """
    step = steps.waiting("sms", token)
    if step is None:
        raise expired()
    user = get(step.user_id)
    where = Where(step.device_id, step.device_name, address, instead_of)
    attempt = attempts.at(step.name_key, user, address=address, device_id=step.device_id)
    attempts.check(attempt)
    if not steps.take_a_try(step):
        raise expired()
    right = hmac.compare_digest(steps.code_hash(token, "".join(code.split())), step.code_hash or "")
    if not right or user is None or not user.active or user.role not in BY_SMS:
        raise refuse(attempt, user, WRONG_CODE)
    steps.end(token)
    return enter(user, attempt, where, means="sms")


def number_of(phone: str) -> str:
    """11 digits. Raises DomainError naming `phone`."""
    number = re.sub(r"[\s-]", "", phone).removeprefix("+86")
    if not re.fullmatch(r"1[0-9]{10}", number):
        raise DomainError("请填写 11 位手机号。", field="phone")
    return number


def limit(number: str, address: str) -> None:
    """Count one message wanted for this number. Raises DomainError 429. No commit."""
    key = codes.digest(number)[:32]
    throttle.hit(f"sms-minute:{key}", 1, window_s=MINUTE_S)
    throttle.hit(f"sms-day:{key}", A_DAY, window_s=DAY_S)
    throttle.hit(f"sms-address:{address[:45]}", ADDRESS_AN_HOUR, window_s=HOUR_S)


def within_the_day() -> bool:
    """Count one towards what the whole house sends: each message costs money, and somebody may want it to."""
    most = current_app.config["SMS_CODES_A_DAY"]
    _, used = throttle.count("sms-everybody", window_s=DAY_S)
    if used == most + 1:
        log.error("ALARM: %d sign-in codes were sent today (SMS_CODES_A_DAY); no more will be", most)
    return used <= most
