"""我: one's own password, and the second factor."""

from __future__ import annotations

from flask import Response, g, redirect, request
from flask_login import current_user

from app.accounts import credentials, duties, second_factor
from app.accounts.routes import bp
from app.errors import DomainError
from app.guard import may
from app.shared import qr
from app.shared.page import page


@bp.get("/me/password")
def password_page() -> Response:
    return _password()


@bp.post("/me/password")
def change_password() -> Response:
    form = request.form
    try:
        credentials.change_password(
            current_user,
            g.login_session,
            current=form.get("current", ""),
            new=form.get("new", ""),
            again=form.get("again", ""),
        )
    except DomainError as no:
        return _refused(no, _password(_by_field(no), no.status))
    return page("accounts/password.html", tab="me", due=None, done=True, errors={})


@bp.get("/me/two-step")
@may("two_step")
def two_step() -> Response:
    return _two_step()


@bp.post("/me/two-step/begin")
@may("two_step")
def two_step_begin() -> Response:
    try:
        credentials.confirm_password(current_user, request.form.get("password", ""))
        second_factor.begin(current_user)
    except DomainError as no:
        return _refused(no, _two_step(_by_field(no), no.status))
    return redirect("/me/two-step", 303)  # type: ignore[return-value]


@bp.post("/me/two-step/confirm")
@may("two_step")
def two_step_confirm() -> Response:
    try:
        fresh = second_factor.confirm(current_user, request.form.get("code", "")[:30])
    except DomainError as no:
        return _refused(no, _two_step(_by_field(no), no.status))
    return page("accounts/recovery_codes.html", tab="me", codes=fresh, first=True)


@bp.post("/me/two-step/codes")
@may("two_step")
def two_step_codes() -> Response:
    try:
        credentials.confirm_code(current_user, request.form.get("code", "")[:30])
        fresh = second_factor.renew_codes(current_user)
    except DomainError as no:
        return _refused(no, _two_step(_by_field(no), no.status, doing="codes"))
    return page("accounts/recovery_codes.html", tab="me", codes=fresh, first=False)


@bp.post("/me/two-step/off")
@may("two_step")
def two_step_off() -> Response:
    try:
        credentials.turn_second_factor_off(
            current_user, password=request.form.get("password", ""), code=request.form.get("code", "")[:30]
        )
    except DomainError as no:
        return _refused(no, _two_step(_by_field(no), no.status, doing="off"))
    return redirect("/me/two-step", 303)  # type: ignore[return-value]


def _password(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    due = duties.of(current_user, g.get("login_session"))
    return page(
        "accounts/password.html",
        status=status,
        tab="me",
        due=due if due is duties.NEW_PASSWORD else None,
        once=current_user.once_until is not None,
        done=False,
        errors=errors or {},
    )


def _two_step(errors: dict[str, str] | None = None, status: int = 200, doing: str = "") -> Response:
    setting_up = second_factor.being_set_up(current_user)
    due = duties.of(current_user, g.get("login_session"))
    return page(
        "accounts/two_step.html",
        status=status,
        tab="me",
        due=due if due is duties.SECOND_FACTOR else None,
        since=second_factor.since(current_user),
        left=second_factor.codes_left(current_user),
        secret=setting_up[0] if setting_up else None,
        otpauth=setting_up[1] if setting_up else None,
        qr=qr.svg(setting_up[1]) if setting_up else None,
        errors=errors or {},
        doing=doing,
    )


def _by_field(no: DomainError) -> dict[str, str]:
    """Field -> words; what belongs to no field stands under the empty name, on top."""
    return {error["pointer"].lstrip("/"): error["message"] for error in no.errors} or {"": no.detail}


def _refused(no: DomainError, shown: Response) -> Response:
    shown.headers.extend(no.headers)
    return shown
