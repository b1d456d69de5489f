"""Signing in: the password, the code that may follow it, and for families a code by text message."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Response, current_app, g, make_response, redirect, render_template, request
from flask_login import current_user

from app.accounts import browser, service, sessions, sms, steps
from app.accounts.routes import bp, safe_next
from app.errors import DomainError
from app.guard import public
from app.shared.page import dense, squeezed


@bp.get("/sign-in")
@public
def sign_in_page() -> Response:
    """A phone that was reported lost hears of it here too: its cookie says which one it is."""
    if not current_user.is_authenticated and (refusal := g.get("session_refusal")):
        return _refused("accounts/sign_in.html", refusal, 200)
    emptied = sessions.was_emptied()
    errors = [service.revoked().detail] if emptied else []
    response = _show("accounts/sign_in.html", errors, revoked=emptied, joined="joined" in request.args)
    return dense(response, _squeezed_before)


# Hardly ever another page: whoever has not signed in is nobody.
_squeezed_before = lru_cache(maxsize=16)(squeezed)


@bp.post("/sign-in")
@public
def sign_in() -> Response:
    form = request.form

    def go() -> Response:
        kind, token = service.begin_sign_in(
            form.get("username", "")[:50], form.get("password", ""), browser.where(), browser.step_token()
        )
        return (
            browser.signed_in(token, _next())
            if kind == "session"
            else browser.waiting(token, "/sign-in/code", _next())
        )

    return _or_again("accounts/sign_in.html", go)


@bp.get("/sign-in/code")
@public
def sign_in_code_page() -> Response:
    if steps.waiting("totp", browser.step_token()) is None:
        return redirect("/sign-in")  # type: ignore[return-value]
    return _show("accounts/sign_in_code.html")


@bp.post("/sign-in/code")
@public
def sign_in_code() -> Response:
    def go() -> Response:
        token = service.finish_sign_in(
            browser.step_token(),
            request.form.get("code", "")[:30],
            address=request.remote_addr or "",
            instead_of=browser.session_token(),
        )
        return browser.signed_in(token, _next())

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
        token = sms.ask(request.form.get("phone", "")[:30], browser.where(), browser.step_token())
        return browser.waiting(token, "/sign-in/sms/code", _next())

    return _or_again("accounts/sign_in_sms.html", go)


@bp.get("/sign-in/sms/code")
@public
def sms_code_page() -> Response:
    sms.require_offered()
    if steps.waiting("sms", browser.step_token()) is None:
        return redirect("/sign-in/sms")  # type: ignore[return-value]
    return _show("accounts/sign_in_sms_code.html")


@bp.post("/sign-in/sms/code")
@public
def sms_code() -> Response:
    sms.require_offered()

    def go() -> Response:
        token = sms.finish(
            browser.step_token(),
            request.form.get("code", "")[:30],
            address=request.remote_addr or "",
            instead_of=browser.session_token(),
        )
        return browser.signed_in(token, _next())

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


def _next() -> str:
    return request.form.get("next", "")
