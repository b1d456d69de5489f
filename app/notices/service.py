"""Telling people. `notify` joins the caller's transaction; `send_due` runs in the scheduler, in its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from flask import current_app
from sqlalchemy import case, delete, func, select, update

from app.accounts.models import User
from app.errors import NotFound
from app.extensions import db, writing
from app.notices.models import Notice, SmsMessage
from app.notices.rules import wait_after
from app.notices.senders import MaybeSent, NotSent, Sender, from_settings
from app.shared import clock, secretbox
from app.shared.ids import new_id

SIGN = "【暖巡】"
PLAIN_SMS = "您有一条新消息，请打开暖巡查看。"
LEASE = timedelta(minutes=5)


def notify(
    user_ids: Iterable[str],
    kind: str,
    title: str,
    text: str,
    url: str,
    sms: bool | str = False,
    key: str | None = None,
) -> int:
    """Put a notice into each inbox, and a short message into the outbox if `sms`. No commit.

    A short message never carries `title` or `text`: it says `sms` if that is a string (no health data, no
    names), else that there is something to read. With `key`, the same thing told twice is written once.
    Returns how many notices were added.
    """
    added = 0
    now = clock.now()
    for user_id in dict.fromkeys(user_ids):
        own_key = f"{key}:{user_id}" if key else None
        if own_key and db.session.scalar(select(Notice.id).where(Notice.key == own_key)):
            continue
        notice = Notice(
            id=new_id(), user_id=user_id, kind=kind, title=title[:100], text=text, url=url, key=own_key,
            created_at=now,
        )  # fmt: skip
        db.session.add(notice)
        added += 1
        if sms:
            _queue(user_id, sms if isinstance(sms, str) else PLAIN_SMS, own_key or notice.id)
    db.session.flush()
    return added


def send_code(user: User, words: str, good_until: datetime) -> None:
    """Queue a short message that says a secret; no notice in the inbox. No commit."""
    _queue(user.id, words, f"code:{new_id()}", good_until)


def send_code_to(phone: str, words: str, good_until: datetime) -> None:
    """The same to the number of somebody who has no account. No commit."""
    _put(None, phone, words, f"code:{new_id()}", good_until)


def tell_of_account(user: User, title: str, words: str) -> None:
    """Something was changed about the account itself: its owner should know, whoever did it. No commit."""
    notify([user.id], "account", title, words, "/me")


def forget(user_ids: Iterable[str], urls: Iterable[str]) -> None:
    """What led to these addresses is no longer theirs to read. No commit."""
    theirs = Notice.user_id.in_(list(user_ids)), Notice.url.in_(list(urls))
    db.session.execute(delete(Notice).where(*theirs).execution_options(synchronize_session=False))


def inbox(user: User, limit: int = 100) -> list[Notice]:
    statement = select(Notice).where(Notice.user_id == user.id)
    return list(
        db.session.scalars(statement.order_by(Notice.created_at.desc(), Notice.id.desc()).limit(limit))
    )


def unread_count(user: User) -> int:
    statement = select(func.count()).where(Notice.user_id == user.id, Notice.read_at.is_(None))
    return db.session.scalar(statement) or 0


def read(user: User, notice_id: str) -> Notice:
    """Mark one notice as read. Commits. Raises NotFound for somebody else's."""
    notice: Notice | None = db.session.scalar(
        select(Notice).where(Notice.id == notice_id, Notice.user_id == user.id)
    )
    if notice is None:
        raise NotFound()
    notice.read_at = notice.read_at or clock.now()
    db.session.commit()
    return notice


def read_all(user: User) -> None:
    db.session.execute(
        update(Notice)
        .where(Notice.user_id == user.id, Notice.read_at.is_(None))
        .values(read_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def send_due(limit: int = 50, sender: Sender | None = None) -> dict[str, int]:
    """Send what is due, at most `limit`. Commits around every single call of the provider.

    A message is claimed before it is sent, so that two schedulers never send it twice; one whose claim ran
    out (the process died between the call and the commit) becomes `unknown` and is left to a person.
    Returns how many ended up in each state.
    """
    sender = sender or from_settings(current_app.config["SETTINGS"])
    token = writing.set(True)
    try:
        counts: dict[str, int] = {}
        if abandoned := _give_up_on_abandoned():
            counts["unknown"] = abandoned
        for message_id in _due(limit):
            message = _claim(message_id)
            if message is None:
                continue
            _send(message, sender)
            counts[message.state] = counts.get(message.state, 0) + 1
        return counts
    finally:
        db.session.rollback()
        writing.reset(token)


def _queue(user_id: str, text: str, key: str, good_until: datetime | None = None) -> None:
    phone = db.session.scalar(select(User.phone).where(User.id == user_id, User.active))
    if phone:
        _put(user_id, phone, text, key, good_until)


def _put(user_id: str | None, phone: str, text: str, key: str, good_until: datetime | None) -> None:
    now = clock.now()
    text = SIGN + text
    db.session.add(
        SmsMessage(
            id=new_id(), user_id=user_id, phone=phone, text=secretbox.seal(text) if good_until else text,
            key=key, state="queued", tries=0, next_try_at=now, created_at=now, good_until=good_until,
        )
    )  # fmt: skip


def _due(limit: int) -> list[str]:
    statement = (
        select(SmsMessage.id)
        .where(SmsMessage.state == "queued", SmsMessage.next_try_at <= clock.now())
        .order_by(SmsMessage.next_try_at, SmsMessage.id)
        .limit(limit)
    )
    found = list(db.session.scalars(statement))
    db.session.rollback()
    return found


def _claim(message_id: str) -> SmsMessage | None:
    now = clock.now()
    taken = db.session.execute(
        update(SmsMessage)
        .where(SmsMessage.id == message_id, SmsMessage.state == "queued", SmsMessage.next_try_at <= now)
        .values(state="sending", tries=SmsMessage.tries + 1, lease_until=now + LEASE)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        return None
    return db.session.get(SmsMessage, message_id, populate_existing=True)


def _send(message: SmsMessage, sender: Sender) -> None:
    phone, text, tries, good_until = message.phone, message.text, message.tries, message.good_until
    db.session.commit()  # no transaction stays open while the provider takes its time
    outcome: dict[str, object] = {"lease_until": None}
    try:
        if good_until is not None:
            text = _secret(text, good_until)
        outcome |= {"provider_id": sender.send(phone, text)[:64], "state": "sent", "last_error": None}
        outcome["sent_at"] = clock.now()
    except NotSent as no:
        wait = None if no.for_good else wait_after(tries)
        outcome |= {"state": "queued" if wait else "failed", "last_error": no.reason[:100]}
        if wait:
            outcome["next_try_at"] = clock.now() + wait
    except MaybeSent as no:
        outcome |= {"state": "unknown", "last_error": str(no)[:100]}
    if good_until is not None and outcome["state"] != "queued":
        outcome["text"] = ""
    for name, value in outcome.items():
        setattr(message, name, value)
    db.session.commit()


def _secret(sealed: str, good_until: datetime) -> str:
    """Raises NotSent when nobody could use it any more, or the key of the house was changed."""
    if good_until <= clock.now():
        raise NotSent("too late", for_good=True)
    try:
        return secretbox.unseal(sealed)
    except InvalidTag:
        raise NotSent("sealed under another SECRET_KEY", for_good=True) from None


def _give_up_on_abandoned() -> int:
    gone = db.session.execute(
        update(SmsMessage)
        .where(SmsMessage.state == "sending", SmsMessage.lease_until < clock.now())
        .values(
            state="unknown",
            last_error="the sender stopped half-way",
            text=case((SmsMessage.good_until.is_not(None), ""), else_=SmsMessage.text),
        )
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]
