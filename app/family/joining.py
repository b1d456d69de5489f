"""A relative joins with the clinic's code alone: an account that sees nobody until the clinic has confirmed.

The answers tell neither why a code opens nothing nor whether a number has an account (0029). Each function
is one thing that happens, and commits.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.exc import IntegrityError

from app.accounts import attempts, audit, codes, credentials, hooks, service, steps, throttle
from app.accounts import sms as messages
from app.accounts.models import User
from app.accounts.service import WRONG_CODE, Where
from app.errors import DomainError
from app.extensions import db
from app.family import newcomer
from app.family.newcomer import Newcomer
from app.patients import bindings
from app.patients.models import FamilyInvitation, FamilyLink
from app.shared import clock
from app.shared.ids import new_id

HOUR_S, DAY_S = 3600, 86400
FORMS_AN_HOUR = 60  # from one address, behind which a whole township may sit
USES_OF_A_CODE = 10  # in a day: typing errors in the number, not a list of numbers to be tried
# Sealed it must fit into 200 characters: 35 of these.
HAS_ONE = "这个手机号已有账号，不能再注册。请换号码，或找卫生院。"
BATCH = 200


def by_sms() -> bool:
    """Whether the number given is proved by a message; else a password is all there is."""
    return bool(current_app.config["SMS_SIGN_IN"])


def begin(asked: Newcomer, where: Where, former_step: str = "") -> str | None:
    """Take the form. Returns the token for the code that was sent, or None where none is: then the account is
    made, unless the number has one already, and either way the next thing to do is to sign in.

    Raises DomainError naming `code`, one and the same for all codes that open nothing; 429.
    """
    bindings.check_tries()
    throttle.hit(f"join-address:{where.address[:45]}", FORMS_AN_HOUR, window_s=HOUR_S)
    if not bindings.is_open(asked.code):
        raise _refused()
    throttle.hit(f"join-code:{codes.digest(_bare(asked.code))[:32]}", USES_OF_A_CODE, window_s=DAY_S)
    db.session.commit()  # argon2 takes its time: nobody should wait for the write lock meanwhile
    asked = asked.hashed()
    if by_sms():
        return _send(asked, where, former_step)
    _make(asked)
    return None


def finish(token: str, code: str, *, address: str, instead_of: str) -> str:
    """The session token for the right code. The number is theirs: so is the account it has, or one is made.

    Raises DomainError 401 as sms.finish does, or 422 naming the clinic's code when it was used meanwhile.
    """
    step = steps.waiting("join", token)
    if step is None:
        raise service.expired()
    asked, where = (
        newcomer.loaded(steps.carried(step)),
        Where(step.device_id, step.device_name, address, instead_of),
    )
    user = db.session.scalar(_of_number(asked.phone))
    attempt = attempts.at(step.name_key, user, address=address, device_id=step.device_id)
    attempts.check(attempt)
    if not steps.take_a_try(step):
        raise service.expired()
    right = hmac.compare_digest(steps.code_hash(token, "".join(code.split())), step.code_hash or "")
    if not right or (user is not None and not _may_come_in(user)):
        raise service.refuse(attempt, user, WRONG_CODE)
    user = _free(user) or _account(asked)
    if user is None or bindings.take(user, asked.code, asked.relation) is None:
        db.session.rollback()
        raise _refused()
    audit.note("family.join", object_id=user.id, user=user)
    steps.end(token)
    return service.enter(user, attempt, where, means="sms")


def number_of(token: str) -> str | None:
    """The number the code was sent to, as the form had it; None when there is nothing to wait for."""
    step = steps.waiting("join", token)
    return newcomer.loaded(steps.carried(step)).phone if step is not None else None


def lapse(before: datetime) -> int:
    """Disable accounts that relatives made before this moment and no clinic ever confirmed. How many.

    Their number is free again: it may be somebody else's, who wants to join. One that waits for the
    clinic's answer right now is left alone. The office may open it again; then it stays.
    """
    old = select(User).where(User.joined_at < before, _is_idle()).order_by(User.id).limit(BATCH)
    lapsed = 0
    while found := list(db.session.scalars(old)):
        for user in found:
            _shut(user)
        lapsed += len(found)
    return lapsed


def _is_idle() -> ColumnElement[bool]:
    """Made by a relative, never bound to anybody, and not waiting to be."""
    bound = exists().where(FamilyLink.user_id == User.id)
    waits = exists().where(
        FamilyInvitation.claimed_by == User.id,
        FamilyInvitation.ended_at.is_(None),
        FamilyInvitation.expires_at > clock.now(),
    )
    return and_(User.joined_at.is_not(None), User.active, ~bound, ~waits)


def _shut(user: User) -> None:
    """Commits."""
    user.phone = user.joined_at = None
    credentials.set_active(user, False, by=None)


def _send(asked: Newcomer, where: Where, former_step: str) -> str:
    """A code to whoever holds the number; who has an account that is no relative's is told so there alone."""
    messages.limit(asked.phone, where.address)
    code, user = codes.digits(), db.session.scalar(_of_number(asked.phone))
    token = steps.begin(
        "join",
        None,
        name_key=attempts.key_of(f"sms:{asked.phone}"),
        device_id=where.device_id,
        device_name=where.device_name,
        code=code,
        carries=asked.dumped(),
        instead_of=former_step,
    )
    sent = messages.within_the_day()
    if sent:
        words = f"家属注册验证码 {code}，5 分钟内有效。不要告诉别人。"
        if user is not None and not _may_come_in(user):
            words = HAS_ONE
        hooks.registered().send_code_to(asked.phone, words, clock.now() + steps.LASTS)
    audit.note("join_code.ask", result="ok" if sent else "not_sent")
    db.session.commit()
    return token


def _make(asked: Newcomer) -> None:
    _free(db.session.scalar(_of_number(asked.phone)))
    user = _account(asked)
    if user is None:
        _tell_holder(asked.phone)
    elif bindings.take(user, asked.code, asked.relation) is None:
        db.session.rollback()
        raise _refused()
    else:
        audit.note("family.join", object_id=user.id, user=user)
    db.session.commit()


def _tell_holder(phone: str) -> None:
    """Whoever has the number hears of it in their own account, not on the page. No commit."""
    holder = db.session.scalar(_of_number(phone))
    if holder is not None and holder.active:
        words = "是您本人的话，请在这里再输入一次绑定码。不是您的话，不用管。"
        if not _may_come_in(holder):
            words = "工作账号不能绑定家属，请换一个手机号注册。不是您本人的话，不用管。"
        hooks.registered().tell(holder, "有人用您的手机号注册家属账号", words)
    audit.note("family.join", object_id=holder.id if holder else None, result="refused:has_account")


def _free(holder: User | None) -> User | None:
    """The account that keeps its number. One that came to nothing gives way: whoever made it may have
    forgotten the password, or never had the telephone."""
    if holder is None or db.session.scalar(select(User.id).where(User.id == holder.id, _is_idle())) is None:
        return holder
    _shut(holder)
    return None


def _account(asked: Newcomer) -> User | None:
    """A new account of a relative; None when the number has one. No commit."""
    if db.session.scalar(_of_number(asked.phone)) is not None:
        return None
    try:
        with db.session.begin_nested():
            user = service.create_user(
                username=f"jiashu-{codes.make(2)}",
                password="",
                password_hash=asked.password,
                name=asked.name,
                role="family",
                phone=asked.phone,
                user_id=new_id(),
            )
            user.joined_at = clock.now()
            db.session.flush()
    except IntegrityError:  # two forms of one moment
        return None
    return user


def _of_number(phone: str) -> Select[User]:
    return select(User).where(or_(User.phone == phone, User.username == phone))


def _may_come_in(user: User) -> bool:
    return user.role == "family" and user.active


def _refused() -> DomainError:
    bindings.count_wrong()
    audit.note("family.join", result="refused:code")
    db.session.commit()
    return bindings.wrong_code()


def _bare(code: str) -> str:
    return "".join(sign for sign in code.lower() if sign.isalnum())
