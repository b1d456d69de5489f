"""What a floor above does for accounts. `app.notices` registers itself here when the application is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from app.accounts.models import User

NAME = "accounts_hooks"


@dataclass(frozen=True)
class Hooks:
    """All join the caller's transaction.

    `send_code(user, words, good_until)`: a short message that says a secret; never kept readable.
    `send_code_to(number, words, good_until)`: the same to somebody who has no account.
    `tell(user, title, words)`: a line in the inbox, about the account itself.
    """

    send_code: Callable[[User, str, datetime], None]
    send_code_to: Callable[[str, str, datetime], None]
    tell: Callable[[User, str, str], None]


def registered() -> Hooks:
    return current_app.extensions[NAME]  # type: ignore[no-any-return]
