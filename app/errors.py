"""What goes wrong, and the one place that turns it into a response.

Rules and services raise; routes never catch. Under /api a refusal is RFC 9457 problem+json, elsewhere a page.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from marshmallow import ValidationError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,
    NotSupportedError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug.exceptions import HTTPException

from app.extensions import db, login_manager
from app.shared.labels import said
from app.shared.strictjson import escape

log = logging.getLogger("nuanxun")

FieldError = Mapping[str, str]  # {"pointer", "code", "message"}

TITLES = {
    400: "请求无法识别",
    401: "请先登录",
    403: "没有权限",
    404: "没有找到",
    405: "请求方式不对",
    409: "数据已被他人更新",
    410: "请重新下载数据",
    413: "内容过大",
    415: "内容格式不对",
    422: "填写的内容有误",
    429: "操作太频繁",
    500: "系统出错了",
    503: "服务器正忙",
}
TITLES_OF_CODES = {
    "device_revoked": "这台手机已被停用",
    "other_user": "登录的是另一个人",
    "otp_required": "请输入验证码",
    "password_change_required": "请先换密码",
    "second_factor_required": "请先设置两步验证",
}
CODES = {
    400: "bad_request",
    401: "session_expired",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
DETAILS = {
    401: "登录已过期，未上传的记录都还在，请重新登录。",
    403: "您的账号不能做这件事。",
    404: "内容不存在，或不在您的服务范围内。",
    500: "出了意外，已经记录下来。未上传的记录都还在手机上。",
    503: "数据暂时写不进去，请稍后再试。手机上的记录不会丢。",
}


class DomainError(Exception):
    """A rule said no. `errors` name the fields: [{"pointer", "code", "message"}]."""

    status = 422
    code = "invalid"

    def __init__(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        code: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.status = status or self.status
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.errors = list(errors)
        if field is not None:
            self.errors.append({"pointer": f"/{field}", "code": self.code, "message": detail})


def only_typed(no: DomainError) -> DomainError:
    """For a form that is shown again with what is wrong in it. Raises on what no typing mends."""
    if no.status != 422:
        raise no
    return no


class NotFound(DomainError):
    """Absent, or out of the asker's scope: the two answers are alike on purpose."""

    status = 404
    code = "not_found"


class Forbidden(DomainError):
    status = 403
    code = "forbidden"


def from_marshmallow(error: ValidationError, base: str = "") -> list[dict[str, str]]:
    """marshmallow's nested messages as a flat list of {pointer, code, message}."""
    found: list[dict[str, str]] = []

    def walk(node: object, pointer: str) -> None:
        if isinstance(node, dict):
            for key, child in node.items():
                walk(child, pointer if key == "_schema" else f"{pointer}/{escape(key)}")
        elif isinstance(node, list):
            for message in node:
                walk(message, pointer)
        else:
            found.append({"pointer": pointer, "code": "invalid", "message": str(node)})

    walk(error.messages, base)
    return found


def wants_json() -> bool:
    """X-Sync: a script asks for a page to keep it. It shows no refusal, but must know which one it is."""
    if "X-Sync" in request.headers:
        return True
    return request.path.startswith("/api/") or request.path in ("/healthz", "/readyz")


def respond(
    status: int,
    *,
    code: str | None = None,
    detail: str = "",
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, object] | None = None,
) -> Response:
    """The refusal as problem+json or as a page, with the request id and nothing of our insides."""
    code = g.refusal = code or CODES.get(status, "error")
    title = TITLES_OF_CODES.get(code) or TITLES.get(status, "请求没有完成")
    detail = detail or DETAILS.get(status, "")
    if wants_json():
        body = {"type": f"/problems/{code}", "title": title, "status": status, "code": code}
        if detail:
            body["detail"] = detail
        if errors:
            body["errors"] = list(errors)
        body["request_id"] = g.get("request_id", "")
        body.update(extra or {})
        response = jsonify(body)
        response.status_code = status
        response.mimetype = "application/problem+json"
    else:
        if errors:  # this page has no fields beside which the words could stand
            detail = " ".join(dict.fromkeys(said(error) for error in errors[:3]))
        response = make_response(
            render_template(
                "errors.html", status=status, code=code, title=title, detail=detail, errors=errors,
                request_id=g.get("request_id", ""), tab=None,
            ),
            status,
        )  # fmt: skip
    response.headers.extend(headers or {})
    return response


def init_app(app: Flask) -> None:
    @app.errorhandler(DomainError)
    def domain_error(error: DomainError) -> Response:
        db.session.rollback()
        return respond(
            error.status, code=error.code, detail=error.detail, errors=error.errors,
            headers=error.headers, extra=error.extra,
        )  # fmt: skip

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        db.session.rollback()
        errors = from_marshmallow(error)
        return respond(422, detail="；".join(e["message"] for e in errors[:3]), errors=errors)

    @app.errorhandler(SQLAlchemyError)
    def database_error(error: SQLAlchemyError) -> Response:
        if not is_passing(error):
            return unexpected(error)
        _give_up()
        log.warning("database unavailable: %s", type(getattr(error, "orig", error)).__name__)
        return respond(503, headers={"Retry-After": "5"})

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, SQLAlchemyError):  # raised after the view, where Flask asks no other handler
            return database_error(cause)
        status = error.code or 500
        headers = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
        return respond(status, headers=headers)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        _give_up()
        # Only the place and the kind: the message of an exception may carry a patient's data.
        log.error("unexpected %s", type(error).__name__, exc_info=frames_only(error))
        return respond(500)


def is_passing(error: SQLAlchemyError) -> bool:
    """Whether the same request may go well later: locked, full, read-only, stopped, cut off, deadlocked, or
    two requests writing the same new row in one moment. Not so for a fault in our statements or values."""
    if isinstance(error, ProgrammingError | DataError | NotSupportedError):
        return False
    return isinstance(error, DBAPIError | PoolExhausted | PendingRollbackError | DisconnectionError)


def _give_up() -> None:
    """Roll back, also where the connection is gone; what is said from here on needs no database."""
    try:
        db.session.rollback()
    except SQLAlchemyError:
        db.session().invalidate()
    g._login_user = login_manager.anonymous_user()  # else rendering would ask the database who this is


def frames_only(error: BaseException) -> tuple[type[Exception], Exception, TracebackType | None]:
    """For the log: where it happened and its kind, without its words."""
    return Exception, Exception(type(error).__name__), error.__traceback__
