"""/readyz and /metrics. /healthz, which writes, is in app/sync."""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Response, current_app, jsonify, request

from app import metrics
from app.database import versions
from app.errors import DomainError, NotFound
from app.guard import public

bp = Blueprint("operations", __name__)
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


@bp.get("/readyz")
@public
def ready() -> Response:
    """The database answers and is of the version of this program. Writes nothing; 503 otherwise."""
    found, wanted = versions()
    if found != wanted:
        raise DomainError(
            "数据库和程序的版本不一致，正在升级。",
            code="not_ready",
            status=503,
            headers={"Retry-After": "10"},
            extra={"database": found, "program": wanted},
        )
    return jsonify({"status": "ok", "database": found})


@bp.get("/metrics")
@public
def show_metrics() -> Response:
    """For Prometheus. To everybody else it is not there."""
    if not (_has_token() or _is_neighbour()):
        raise NotFound()
    from app.operations.state import State  # imports prometheus_client: see app/metrics.py

    text, content_type = metrics.exposition(State())
    return Response(text, content_type=content_type)


def _has_token() -> bool:
    token = current_app.config["METRICS_TOKEN"]
    given = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _is_neighbour() -> bool:
    """Asked from this very machine: not through a proxy on it, which passes on what strangers ask."""
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
