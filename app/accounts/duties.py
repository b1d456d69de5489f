"""What somebody has to do before anything else: change a password, set up the second factor.

Until then their session opens the page for it, the sign-out, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Response, current_app, g, redirect, request
from flask_login import current_user

from app.accounts import second_factor
from app.accounts.models import LoginSession, User
from app.errors import DomainError, respond, wants_json
from app.guard import SAFE_METHODS
from app.shared import clock

ALWAYS = {"static", "accounts.sign_out", "auth.logout", "auth.me"}


@dataclass(frozen=True)
class Duty:
    code: str
    address: str
    words: str
    endpoints: frozenset[str]


NEW_PASSWORD = Duty(
    "password_change_required",
    "/me/password",
    "请先换一个新密码，再接着用。",
    frozenset({"accounts.password_page", "accounts.change_password"}),
)
SECOND_FACTOR = Duty(
    "second_factor_required",
    "/me/two-step",
    "您的岗位要先设置两步验证，再接着用。",
    frozenset({"accounts.two_step", "accounts.two_step_begin", "accounts.two_step_confirm"}),
)


def of(user: User, session: LoginSession | None) -> Duty | None:
    """A session opened by a code on the telephone has used no password, so an old one is no matter."""
    if (session is None or session.means == "password") and _password_is_due(user):
        return NEW_PASSWORD
    if user.role in current_app.config["TOTP_ROLES"] and not second_factor.is_on(user):
        return SECOND_FACTOR
    return None


def _password_is_due(user: User) -> bool:
    if user.once_until is not None:
        return True
    days = current_app.config["PASSWORD_MAX_AGE_DAYS"]
    return bool(days) and (user.password_changed_at or user.created_at) + timedelta(days=days) <= clock.now()


def first() -> Response | None:
    """before_request, after the doors: whoever is in may still have something to do first."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint in ALWAYS or getattr(view, "is_public", False):
        return None
    duty = of(current_user, g.get("login_session"))
    if duty is None or request.endpoint in duty.endpoints:
        return None
    if wants_json():
        raise DomainError(duty.words, code=duty.code, status=403)
    if request.headers.get("HX-Request") or request.headers.get("X-Sync"):
        headers = {"HX-Redirect": duty.address} if request.headers.get("HX-Request") else {}
        return respond(403, code=duty.code, detail=duty.words, headers=headers)
    if request.method in SAFE_METHODS:
        return redirect(duty.address)  # type: ignore[return-value]
    return redirect(duty.address, 303)  # type: ignore[return-value]
