"""Sign-in, sign-out, 我 and the phones of those one answers for."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask_login import current_user

from app.accounts import devices, service, sessions
from app.errors import DomainError
from app.guard import public, roles
from app.orgs import service as orgs
from app.shared.ids import new_id
from app.shared.page import page

bp = Blueprint("accounts", __name__)
HOMES = {
    "family": "/family",
    "dispatcher": "/desk",
    "provider": "/orders",
    "manager": "/patients",
    "supervisor": "/me",
    "admin": "/me",
}


@bp.get("/")
def home() -> Response:
    return redirect(HOMES.get(current_user.role, "/today"))  # type: ignore[return-value]


@bp.get("/sign-in")
@public
def sign_in_page() -> Response:
    """A phone that was reported lost hears of it here too: its cookie says which one it is."""
    if not current_user.is_authenticated and (refusal := g.get("session_refusal")):
        return _refused(refusal, 200)
    return _sign_in_form([service.revoked().detail] if sessions.was_emptied() else [])


@bp.post("/sign-in")
@public
def sign_in() -> Response:
    form = request.form
    device_id = form.get("device_id", "").strip()[:64] or new_id()
    try:
        _, token = service.sign_in(
            form.get("username", "")[:50],
            form.get("password", ""),
            device_id=device_id,
            device_name=device_name(),
            address=request.remote_addr or "",
            instead_of=request.cookies.get(sessions.cookie_name(), ""),
        )
    except DomainError as no:
        return _refused(no, no.status)
    response = make_response(redirect(_safe_next(form.get("next", "")), 303))
    sessions.give_cookie(response, token)
    return response


@bp.post("/sign-out")
def sign_out() -> Response:
    service.sign_out(g.get("login_session"))
    response = make_response(redirect("/sign-in", 303))
    sessions.take_cookie(response)
    return response


@bp.get("/me")
def me() -> Response:
    return page("accounts/me.html", **me_context())


def me_context() -> dict[str, Any]:
    place = orgs.place(current_user.place_code) if current_user.place_code else None
    return {
        "tab": "me",
        "place": place,
        "team": orgs.team(current_user.team_id),
        "institution": orgs.institution(current_user.institution_id),
        "devices": devices.of(current_user),
        "this_device": this_device(),
    }


@bp.post("/me/care-mode")
def care_mode() -> Response:
    service.set_care_mode(current_user, request.form.get("on") == "1")
    return redirect("/me", 303)  # type: ignore[return-value]


@bp.get("/devices")
@roles("manager", "admin")
def device_list() -> Response:
    named = request.args.get("q", "").strip()[:50]
    number = request.args.get("page", "")
    found = devices.people(
        current_user, named=named, number=int(number) if re.fullmatch("[1-9][0-9]{0,4}", number) else 1
    )
    return page("accounts/devices.html", tab="me", found=found, q=named, this_device=this_device())


@bp.post("/devices/<device_id>/revoke")
def revoke_device(device_id: str) -> Response:
    devices.revoke(current_user, device_id)
    return redirect(_safe_next(request.form.get("next", "/me")), 303)  # type: ignore[return-value]


def this_device() -> str:
    return g.login_session.device_id if g.get("login_session") else ""


def device_name() -> str:
    """A name a person recognises, from the browser's own words."""
    agent = request.headers.get("User-Agent", "")
    kinds = (("MicroMessenger", "微信"), ("Android", "安卓手机"), ("iPhone", "iPhone"), ("iPad", "iPad"))
    return next((name for mark, name in kinds if mark in agent), "电脑")


def _refused(no: DomainError, status: int) -> Response:
    response = _sign_in_form([no.detail], status, revoked=no.code == "device_revoked")
    response.headers.extend(no.headers)
    return response


def _sign_in_form(errors: list[str] | None = None, status: int = 200, revoked: bool = False) -> Response:
    html = render_template(
        "accounts/sign_in.html",
        errors=errors or [],
        revoked=revoked or sessions.was_emptied(),
        next=_safe_next(request.values.get("next", "")),
        username=request.form.get("username", ""),
        tab=None,
    )
    return make_response(html, status)


def _safe_next(target: str) -> str:
    """Only a path of our own: `next` travels in a link that anybody can write."""
    ours = target.startswith("/") and not target.startswith("//")
    return target if ours and "\\" not in target and target.isprintable() else "/"
