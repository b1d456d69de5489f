"""/sign-in/join: a relative who has a code of the clinic and no account. Open, like all below /sign-in."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, request
from flask_login import current_user

from app.accounts import browser
from app.errors import DomainError
from app.family import joining, newcomer
from app.family.routes import bp
from app.guard import public
from app.patients.identity import mask_phone

STAFF_HERE = "这台手机已有人登录。请家属用自己的手机，或先退出登录。"


@bp.get("/sign-in/join")
@public
def join_page() -> Response:
    """The code of a QR code stands behind the #, where a redirect leaves it too."""
    if _is_relative():
        return redirect("/family/bind")  # type: ignore[return-value]
    return _join_page()


@bp.post("/sign-in/join")
@public
def join() -> Response:
    if _is_relative():
        return redirect("/family/bind", 303)  # type: ignore[return-value]
    try:
        if current_user.is_authenticated:
            raise DomainError(STAFF_HERE, code="signed_in")
        asked = newcomer.from_form(request.form, by_sms=joining.by_sms())
        token = joining.begin(asked, browser.where(), browser.step_token())
    except DomainError as no:
        return _join_page(no)
    if token is None:
        return redirect("/sign-in?joined&next=/family/bind", 303)  # type: ignore[return-value]
    return browser.waiting(token, "/sign-in/join/code")


@bp.get("/sign-in/join/code")
@public
def join_code_page() -> Response:
    if joining.number_of(browser.step_token()) is None:
        return redirect("/sign-in/join")  # type: ignore[return-value]
    return _code_page()


@bp.post("/sign-in/join/code")
@public
def join_code() -> Response:
    address, instead_of = request.remote_addr or "", browser.session_token()
    code = request.form.get("code", "")[:30]
    try:
        token = joining.finish(browser.step_token(), code, address=address, instead_of=instead_of)
    except DomainError as no:
        return _code_page(no)
    return browser.signed_in(token, "/family/bind?sent")


def _is_relative() -> bool:
    return current_user.is_authenticated and current_user.role == "family"


def _join_page(no: DomainError | None = None) -> Response:
    errors = {error["pointer"].strip("/"): error["message"] for error in no.errors} if no else {}
    html = render_template(
        "family/join.html",
        given={name: value for name, value in request.form.items() if name != "password"} if no else {},
        errors=errors,
        fault=no.detail if no is not None and not errors else "",
        staff_here=STAFF_HERE if current_user.is_authenticated else "",
        by_sms=joining.by_sms(),
        tab=None,
    )
    return _answer(html, no)


def _code_page(no: DomainError | None = None) -> Response:
    again = no is not None and (no.code == "step_expired" or no.status == 422)
    html = render_template(
        "family/join_code.html",
        errors=[no.detail] if no else [],
        again=again,
        phone=mask_phone(joining.number_of(browser.step_token())),
        tab=None,
    )
    return _answer(html, no)


def _answer(html: str, no: DomainError | None) -> Response:
    response = make_response(html, no.status if no else 200)
    if no is not None:
        response.headers.extend(no.headers)
    return response
