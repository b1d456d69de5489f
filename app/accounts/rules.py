"""How long a wrong guess waits, and which passwords are no good. No Flask, no database, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable

SHORTEST, LONGEST = 8, 256
FIRST_WAIT_S, LONGEST_WAIT_S = 60, 900


def wait_s(wrong: int, free: int) -> int:
    """Seconds to wait after the `wrong`-th wrong try in a row, of which `free` - 1 cost nothing.

    A minute, then twice as long each time, a quarter of an hour at most: somebody with clumsy thumbs is back
    soon, somebody guessing gets four tries an hour.
    """
    if wrong < free:
        return 0
    return min(FIRST_WAIT_S << min(wrong - free, 10), LONGEST_WAIT_S)


def password_fault(password: str, about: Iterable[str], common: Collection[str]) -> str | None:
    """Why this password is not taken: `short`, `long`, `common`, `personal`; None when it is.

    Any characters will do, in any mixture (NIST SP 800-63B, ASVS 6.2). `about` are words an acquaintance
    would try: without them at least SHORTEST characters must be left. `common` is in lower case.
    """
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    low = password.casefold()
    if low in common or len(set(low)) < 3:
        return "common"
    words = sorted({word.casefold() for word in about if len(word) >= (2 if _han(word) else 3)}, key=len)
    if any(low in word for word in words):
        return "personal"
    rest = low
    for word in reversed(words):
        rest = rest.replace(word, "")
    return "personal" if len(rest) < SHORTEST and rest != low else None


def _han(word: str) -> bool:
    return any("\u4e00" <= ch <= "\u9fff" for ch in word)
