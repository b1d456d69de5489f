"""Passwords: argon2id, with the library's current defaults (RFC 9106 low-memory profile)."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.accounts.models import User
from app.accounts.rules import LONGEST, SHORTEST, password_fault

hasher = PasswordHasher()
# OWASP's least memory for argon2id: for codes we draw at random ourselves, ten at a time.
lighter = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
OURS = ("暖巡", "nuanxun")
WORDS = {
    "short": f"密码至少 {SHORTEST} 个字，建议 15 个以上。",
    "long": f"密码最多 {LONGEST} 个字。",
    "common": "这个密码太多人用，很容易被猜到，换一个。",
    "personal": "密码里有您的账号、手机号或姓名，容易被猜到，换一个。",
}


@lru_cache(maxsize=1)
def _nobody() -> str:
    """Verified when nobody has that name, so that the answer takes as long and tells nothing."""
    return hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    return hasher.hash(password)


def hash_code(code: str) -> str:
    """As `hash_password`, for a code of at least 40 random bits."""
    return lighter.hash(code)


def matches(password: str, stored: str | None) -> bool:
    """Whether `password` belongs to `stored`; None costs the same time and is never right."""
    try:
        right = hasher.verify(stored or _nobody(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return right and stored is not None and len(password) <= LONGEST


def fault(password: str, user: User) -> str | None:
    """Why `user` may not choose this password (a key of WORDS), or None."""
    from pypinyin import lazy_pinyin  # a quarter of a second of dictionaries, which no start need wait for

    about = [user.username, user.phone or "", user.name, "".join(lazy_pinyin(user.name)), *OURS]
    return password_fault(password, about, common())


@lru_cache(maxsize=1)
def common() -> frozenset[str]:
    """The 30,000 most used passwords, in lower case, of which 11,000 are long enough to be tried here."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # a large table, loaded when somebody chooses

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)
