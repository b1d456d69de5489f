"""Ways a short message leaves the house. `send(phone, text)` returns the provider's id.

Raises NotSent when it surely did not go (then it may be tried again, unless `for_good`), MaybeSent when
nobody can know: the line broke after the request was on its way.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response as TwilioResponse
from twilio.rest import Client

from app.config import Settings
from app.shared.ids import new_id

log = logging.getLogger("nuanxun.sms")
TWILIO = "https://api.twilio.com"
TIMEOUT_S = 15


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
    """Writes that a message would have gone, without its text."""

    def send(self, phone: str, text: str) -> str:
        log.info("sms to %s (%d characters)", masked(phone), len(text))
        return f"console-{new_id()}"


class _Routed(TwilioHttpClient):
    """Twilio's own client, its address replaceable: a relay inside the hospital's network, or a test."""

    def __init__(self, base_url: str) -> None:
        super().__init__(pool_connections=False, timeout=TIMEOUT_S, max_retries=0)
        self.base_url = base_url.rstrip("/") or TWILIO

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> TwilioResponse:
        return super().request(method, url.replace(TWILIO, self.base_url, 1), *args, **kwargs)


class Twilio:
    def __init__(self, account_sid: str, auth_token: str, sender: str, base_url: str = "") -> None:
        self.client = Client(account_sid, auth_token, http_client=_Routed(base_url))
        self.sender = sender

    def send(self, phone: str, text: str) -> str:
        try:
            message = self.client.messages.create(to=international(phone), from_=self.sender, body=text)
        except TwilioRestException as error:
            # 5xx and 429 are the provider's trouble; other refusals stay refusals.
            for_good = 400 <= error.status < 500 and error.status not in (408, 429)
            raise NotSent(f"provider answered {error.status}", for_good=for_good) from None
        except requests.ConnectTimeout:
            raise NotSent("no connection") from None
        except requests.ConnectionError as error:
            if "NewConnectionError" in repr(error):
                raise NotSent("no connection") from None
            raise MaybeSent("connection lost") from None
        except requests.RequestException as error:
            raise MaybeSent(type(error).__name__) from None
        return str(message.sid)


def from_settings(settings: Settings) -> Sender:
    """The sender named by SMS_SENDER (docs/operations.md); `console` unless set."""
    if settings.sms_sender != "twilio":
        return Console()
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
