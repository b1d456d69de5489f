"""Signing in: the password, the code that may follow it, and for families a code by text message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, g, make_response, redirect, render_template, request
from flask_login import current_user

from app.accounts import service, sessions, sms, steps
from app.accounts.routes import bp, device_name, safe_next
from app.accounts.schema import DEVICE_ID
from app.errors import DomainError
from app.guard import public
from app.shared.ids import new_id


@bp.get("/sign-in")
@public
def sign_in_page() -> Response:
    """A phone that was reported lost hears of it here too: its cookie says which one it is."""
    if not current_user.is_authenticated and (refusal := g.get("session_refusal")):
        return _refused("accounts/sign_in.html", refusal, 200)
    emptied = sessions.was_emptied()
    return _show("accounts/sign_in.html", [service.revoked().detail] if emptied else [], revoked=emptied)


@bp.post("/sign-in")
@public
def sign_in() -> Response:
    form = request.form

    def go() -> Response:
        kind, token = service.begin_sign_in(
            form.get("username", "")[:50], form.get("password", ""), _where(), _step_token()
        )
        return _signed_in(token) if kind == "session" else _waiting(token, "/sign-in/code")

    return _or_again("accounts/sign_in.html", go)


@bp.get("/sign-in/code")
@public
def sign_in_code_page() -> Response:
    if steps.waiting("totp", _step_token()) is None:
        return redirect("/sign-in")  # type: ignore[return-value]
    return _show("accounts/sign_in_code.html")


@bp.post("/sign-in/code")
@public
def sign_in_code() -> Response:
    def go() -> Response:
        return _signed_in(
            service.finish_sign_in(
                _step_token(),
                request.form.get("code", "")[:30],
                address=request.remote_addr or "",
                instead_of=_session_token(),
            )
        )

    return _or_again("accounts/sign_in_code.html", go)


@bp.get("/sign-in/sms")
@public
def sms_page() -> Response:
    sms.require_offered()
    return _show("accounts/sign_in_sms.html")


@bp.post("/sign-in/sms")
@public
def sms_ask() -> Response:
    sms.require_offered()

    def go() -> Response:
        token = sms.ask(request.form.get("phone", "")[:30], _where(), _step_token())
        return _waiting(token, "/sign-in/sms/code")

    return _or_again("accounts/sign_in_sms.html", go)


@bp.get("/sign-in/sms/code")
@public
def sms_code_page() -> Response:
    sms.require_offered()
    if steps.waiting("sms", _step_token()) is None:
        return redirect("/sign-in/sms")  # type: ignore[return-value]
    return _show("accounts/sign_in_sms_code.html")


@bp.post("/sign-in/sms/code")
@public
def sms_code() -> Response:
    sms.require_offered()

    def go() -> Response:
        return _signed_in(
            sms.finish(
                _step_token(),
                request.form.get("code", "")[:30],
                address=request.remote_addr or "",
                instead_of=_session_token(),
            )
        )

    return _or_again("accounts/sign_in_sms_code.html", go)


def _or_again(template: str, go: Callable[[], Response]) -> Response:
    """What `go` answers, or the page once more with what was wrong."""
    try:
        return go()
    except DomainError as no:
        return _refused(template, no, no.status)


def _refused(template: str, no: DomainError, status: int) -> Response:
    said = {
        "expired": no.code == "step_expired",
        "revoked": no.code == "device_revoked" or sessions.was_emptied(),
    }
    response = _show(template, [no.detail], status, **said)
    response.headers.extend(no.headers)
    return response


def _show(template: str, errors: list[str] | None = None, status: int = 200, **more: Any) -> Response:
    html = render_template(
        template,
        errors=errors or [],
        next=safe_next(request.values.get("next", "")),
        username=request.form.get("username", ""),
        phone=request.form.get("phone", ""),
        sms_sign_in=current_app.config["SMS_SIGN_IN"],
        tab=None,
        **more,
    )
    return make_response(html, status)


def _where() -> service.Where:
    device_id = request.form.get("device_id", "").strip()[:64]
    return service.Where(
        device_id=device_id if DEVICE_ID.fullmatch(device_id) else new_id(),
        device_name=device_name(),
        address=request.remote_addr or "",
        instead_of=_session_token(),
    )


def _session_token() -> str:
    return request.cookies.get(sessions.cookie_name(), "")


def _step_token() -> str:
    return request.cookies.get(sessions.step_cookie_name(), "")


def _signed_in(token: str) -> Response:
    response = make_response(redirect(safe_next(request.form.get("next", "")), 303))
    sessions.give_cookie(response, token)
    if _step_token():
        sessions.take_step_cookie(response)
    return response


def _waiting(token: str, address: str) -> Response:
    """`next` travels on in the address; it is a path of our own."""
    target = safe_next(request.form.get("next", ""))
    response = make_response(redirect(f"{address}?next={quote(target)}" if target != "/" else address, 303))
    sessions.give_step_cookie(response, token)
    return response
