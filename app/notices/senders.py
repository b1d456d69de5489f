"""Ways a short message leaves the house. `send(phone, text)` returns the provider's id.

Raises NotSent when it surely did not go (then it may be tried again, unless `for_good`), MaybeSent when
nobody can know: the line broke after the request was on its way.
"""

from __future__ import annotations

import logging
from typing import Protocol

from app.config import Settings
from app.shared.ids import new_id

log = logging.getLogger("nuanxun.sms")


class NotSent(Exception):
    """The provider did not take the message. `for_good`: it never will (wrong number and the like)."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.for_good = reason, for_good


class MaybeSent(Exception):
    """The answer was lost; the message may be on its way."""


class Sender(Protocol):
    def send(self, phone: str, text: str) -> str: ...


class Console:
    """Writes that a message would have gone; its text only in a demo, where no code would reach anybody."""

    def __init__(self, demo: bool = False) -> None:
        self.demo = demo

    def send(self, phone: str, text: str) -> str:
        log.info("sms to %s (%d characters)%s", masked(phone), len(text), f": {text}" if self.demo else "")
        return f"console-{new_id()}"


def from_settings(settings: Settings) -> Sender:
    """The sender named by SMS_SENDER (docs/operations.md); `console` unless set."""
    if settings.sms_sender != "twilio":
        return Console(settings.demo)
    from app.notices.twilio_sender import Twilio  # a large library, loaded where it is used

    return Twilio(
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        settings.twilio_from,
        settings.twilio_base_url,
    )


def international(phone: str) -> str:
    """E.164 for a mainland number: 13800001234 -> +8613800001234, 0632-8811234 -> +866328811234."""
    return "+86" + phone.replace("-", "").removeprefix("0")


def masked(phone: str) -> str:
    return phone[:3] + "*" * max(0, len(phone) - 7) + phone[-4:]
