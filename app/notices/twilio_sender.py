"""Short messages through Twilio's own client."""

from __future__ import annotations

from typing import Any

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response as TwilioResponse
from twilio.rest import Client

from app.notices.senders import MaybeSent, NotSent, international

TWILIO = "https://api.twilio.com"
TIMEOUT_S = 15


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
