"""Fields that nobody types: a page of ours wrote them, so anything else is not from it."""

from __future__ import annotations

import re

from flask import request

from app.errors import DomainError


def based_on(text: str | None, newest: int) -> int:
    """The revision a form was filled in upon; `newest` where the form does not say.

    What is no number is refused, not taken for the newest: that would overwrite what nobody has seen.
    """
    if text is None:
        return newest
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise DomainError("请刷新页面再试。", field="base_revision")
    return int(text)


def on_or_off() -> bool:
    """The posted `on`: 1 or 0."""
    value = request.form.get("on", "")
    if value not in ("0", "1"):
        raise DomainError("请刷新页面再试。", field="on")
    return value == "1"
