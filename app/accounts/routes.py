"""Home, sign-out, 我 and the phones of those one answers for. The pages beside it share its blueprint."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, request
from flask_login import current_user

from app.accounts import devices, service, sessions
from app.accounts.models import User
from app.guard import may, within
from app.orgs import service as orgs
from app.shared.page import page
from app.shared.posted import on_or_off

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
    return redirect(home_of(current_user))  # type: ignore[return-value]


def home_of(user: User | None) -> str:
    return HOMES.get(user.role, "/today") if user else "/"


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
    service.set_care_mode(current_user, on_or_off())
    return redirect("/me", 303)  # type: ignore[return-value]


@bp.get("/devices")
@may("answer")
def device_list() -> Response:
    named = request.args.get("q", "").strip()[:50]
    number = request.args.get("page", "")
    found = devices.people(
        current_user, named=named, number=int(number) if re.fullmatch("[1-9][0-9]{0,4}", number) else 1
    )
    return page("accounts/devices.html", tab="me", found=found, q=named, this_device=this_device())


@bp.post("/devices/<device_id>/revoke")
@within("answer")
def revoke_device(device_id: str) -> Response:
    devices.revoke(current_user, device_id)
    return redirect(safe_next(request.form.get("next", "/me")), 303)  # type: ignore[return-value]


def this_device() -> str:
    return g.login_session.device_id if g.get("login_session") else ""


def device_name() -> str:
    """A name a person recognises, from the browser's own words."""
    agent = request.headers.get("User-Agent", "")
    kinds = (("MicroMessenger", "微信"), ("Android", "安卓手机"), ("iPhone", "iPhone"), ("iPad", "iPad"))
    return next((name for mark, name in kinds if mark in agent), "电脑")


def safe_next(target: str) -> str:
    """Only a path of our own: `next` travels in a link that anybody can write."""
    ours = target.startswith("/") and not target.startswith("//")
    return target if ours and "\\" not in target and target.isprintable() else "/"
