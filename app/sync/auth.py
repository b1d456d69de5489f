"""/api/auth and /api/devices: the sign-in part of the wire contract (SYNC §2)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask_login import current_user

from app.accounts import devices, duties, service, sessions
from app.accounts.models import User
from app.accounts.routes import device_name
from app.accounts.schema import LoginSchema
from app.errors import DomainError
from app.guard import public, within
from app.orgs import service as orgs
from app.shared import clock, strictjson
from app.sync import feed, sealing
from app.sync.routes import json_body
from app.sync.schema import LIMITS

bp = Blueprint("auth", __name__)


@bp.post("/api/auth/login")
@public
def login() -> Response:
    body = json_body()
    faults = list(strictjson.faults(body))
    if faults:
        raise DomainError("填写的内容有误。", errors=faults)
    asked = LoginSchema().load(body)
    where = service.Where(
        device_id=asked["device_id"],
        device_name=asked["device_name"] or device_name(),
        address=request.remote_addr or "",
        instead_of=request.cookies.get(sessions.cookie_name(), ""),
    )
    user, token = service.sign_in(asked["username"], asked["password"], where, asked.get("otp"))
    response = jsonify(_who(user))
    sessions.give_cookie(response, token)
    return response


@bp.post("/api/auth/logout")
def logout() -> Response:
    """Ends the session. No Clear-Site-Data: a plain sign-out must not destroy unsent operations."""
    service.sign_out(g.get("login_session"))
    response = Response(status=204)
    sessions.take_cookie(response)
    return response


@bp.get("/api/auth/me")
def me() -> Response:
    return jsonify(_who(current_user))


@bp.post("/api/devices/<device_id>/revoke")
@within("answer")
def revoke(device_id: str) -> Response:
    devices.revoke(current_user, device_id)
    return Response(status=204)


@bp.post("/api/devices/wiped")
@public
def wiped() -> Response:
    """Open because the session of a revoked phone is refused everywhere; it is proof enough of this."""
    devices.wiped(request.cookies.get(sessions.cookie_name(), ""))
    response = Response(status=204)
    sessions.empty_phone(response)
    return response


def _who(user: User) -> dict[str, Any]:
    duty = duties.of(user, g.get("login_session"))
    town = orgs.place(user.place_code[:9]) if user.place_code and len(user.place_code) >= 9 else None
    return {
        "user": {
            "id": user.id,
            "username": user.username,
            "name": user.name,
            "role": user.role,
            "town": town.code if town else None,
        },
        "server_time": clock.local(clock.now()).isoformat(timespec="milliseconds"),
        "limits": LIMITS,
        "epoch": feed.epoch(),
        "seal": sealing.current(),
        "policy": service.policy(user),
        "must": duty.address if duty else None,
    }
