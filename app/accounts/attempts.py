"""Wrong passwords and codes: who must wait, and who must not.

A whole township may sit behind one address, so an address alone shuts nobody out who has signed in on this
very phone before. Each wrong try is counted four times:

- name and address: some are free, then the wait doubles (rules.wait_s). Binds everybody, right password too.
- name and phone, for a phone the account knows: the same, so that changing addresses gains nothing on it.
- the account, from anywhere; one address, whatever the names; and everything together: ceilings, for phones
  the account does not know.

Unknown names are counted like known ones, so that the answers tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import select

from app.accounts import throttle
from app.accounts.codes import digest
from app.accounts.models import Device, User
from app.errors import DomainError
from app.extensions import db

WINDOW_S, HOUR_S = 300, 3600


@dataclass(frozen=True)
class Attempt:
    """One try at an account. `name_key` stands for the name as typed."""

    name_key: str
    account_key: str
    address: str
    device_key: str | None  # None: a phone this account does not know

    @property
    def slow(self) -> tuple[str, ...]:
        pair = f"sign-in:{self.name_key}:{self.address}"
        return (pair, f"phone:{self.name_key}:{self.device_key}") if self.device_key else (pair,)

    @property
    def ceilings(self) -> tuple[tuple[str, int, int], ...]:
        """(key, limit, seconds)"""
        config = current_app.config
        return (
            (f"account:{self.account_key}", config["SIGN_IN_ACCOUNT_TRIES"], WINDOW_S),
            (f"address:{self.address}", config["SIGN_IN_ADDRESS_TRIES"], HOUR_S),
            ("everybody", config["SIGN_IN_ALL_TRIES"], WINDOW_S),
        )


def key_of(name: str) -> str:
    return digest(name.lower())[:32]


def at(name_key: str, user: User | None, *, address: str, device_id: str) -> Attempt:
    known = user is not None and db.session.scalar(
        select(Device.id).where(
            Device.device_id == device_id, Device.user_id == user.id, Device.revoked_at.is_(None)
        )
    )
    return Attempt(
        name_key,
        user.id if user is not None else name_key,
        address[:45],
        digest(device_id)[:16] if known else None,
    )


def check(attempt: Attempt) -> None:
    """Raises DomainError 429 while this one has to wait; counts nothing."""
    for key in attempt.slow:
        throttle.check_slow(key, current_app.config["SIGN_IN_TRIES"])
    if attempt.device_key is None:
        for key, limit, window_s in attempt.ceilings:
            throttle.check(key, limit, window_s=window_s)


def failed(attempt: Attempt) -> DomainError | None:
    """Count a wrong try. No commit. Returns the 429 to answer with, when it should have waited: guesses sent
    all at once are checked before any of them is counted."""
    late = None
    try:
        check(attempt)
    except DomainError as refusal:
        late = refusal
    for key in attempt.slow:
        throttle.count_slow(key)
    for key, _, window_s in attempt.ceilings:
        throttle.count(key, window_s=window_s)
    return late


def succeeded(attempt: Attempt) -> None:
    """The ceilings stay: whoever guesses elsewhere meanwhile gets no fresh tries by this. No commit."""
    for key in attempt.slow:
        throttle.forget(key)


def forget(user: User) -> None:
    """They were given a new password: no waiting for the old one's sake. No commit."""
    for name in {user.username, user.phone} - {None}:
        for kind in ("sign-in", "phone"):
            throttle.forget_all(f"{kind}:{key_of(str(name))}:")
    throttle.forget(f"account:{user.id}")
