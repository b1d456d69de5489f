"""The browser in front of a page that nobody has signed in to yet: which one it is, and what it is given."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, make_response, redirect, request

from app.accounts import service, sessions
from app.accounts.routes import device_name, home_of, safe_next
from app.accounts.schema import DEVICE_ID
from app.shared.ids import new_id


def where() -> service.Where:
    device_id = request.form.get("device_id", "").strip()[:64]
    return service.Where(
        device_id=device_id if DEVICE_ID.fullmatch(device_id) else new_id(),
        device_name=device_name(),
        address=request.remote_addr or "",
        instead_of=session_token(),
    )


def session_token() -> str:
    return request.cookies.get(sessions.cookie_name(), "")


def step_token() -> str:
    return request.cookies.get(sessions.step_cookie_name(), "")


def comes_from_the_door() -> bool:
    """Whether this page is the first after signing in. A browser that does not say so has been in before."""
    return request.headers.get("Referer", "").partition("://")[2].partition("/")[2].startswith("sign-in")


def signed_in(token: str, target: str) -> Response:
    target = safe_next(target)
    if target == "/":  # one answer less on the way
        target = home_of(service.holder(token))
    response = make_response(redirect(target, 303))
    response.set_data(b"")  # words for nobody: browsers go on
    sessions.give_cookie(response, token)
    if step_token():
        sessions.take_step_cookie(response)
    return response


def waiting(token: str, address: str, target: str = "/") -> Response:
    """`target`, where it goes on after signing in, travels in the address; it is a path of our own."""
    target = safe_next(target)
    response = make_response(redirect(f"{address}?next={quote(target)}" if target != "/" else address, 303))
    sessions.give_step_cookie(response, token)
    return response
