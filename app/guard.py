"""The doors: shut unless opened, same origin only, and the headers every answer carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, request
from flask_login import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import DomainError, Forbidden, NotFound, respond, wants_json
from app.extensions import asking, db, writing
from app.shared import scope_table
from app.shared.ids import new_id
from app.shared.strictjson import escape, storable

# What proxies make: a UUID, or nginx's $request_id. Nothing a person is called or numbered by looks so.
REQUEST_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=(), payment=()",
    "X-Frame-Options": "DENY",
}


# A file of ours is no page: nobody is shown it, framed by it, or led on from it, or reports its number. These
# stay on every answer; the rest would be a third of the bytes of a small file. Of 304 the browser keeps what
# it was told before.
FILES = ("static", "pwa.manifest")
OF_A_PART = ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Open this view to people who have not signed in. tests/app/test_doors.py lists them all."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def may(*actions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Open this view to the roles that may do one of `actions` (app/shared/scope_table.py); 403 for others.

    On whom they may do it is asked where the record is read: patients.scope.
    """
    allowed = {role for action in actions for role in scope_table.roles_of(action)}

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if current_user.role not in allowed:
                raise Forbidden()
            return view(*args, **kwargs)

        guarded.actions = actions  # type: ignore[attr-defined]
        guarded.refuses = "403"  # type: ignore[attr-defined]
        return guarded

    return decorate


def within(*actions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Everybody may knock, and whoever may do none of `actions` finds nobody: scope answers 404."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        view.actions = actions  # type: ignore[attr-defined]
        view.refuses = "404"  # type: ignore[attr-defined]
        return view

    return decorate


def takes_up_to(size: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """This view takes a body of `size` bytes; the others as much as MAX_CONTENT_LENGTH says.

    It is called, with the body unread, for a larger one too: it knows best what to say.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        view.max_body_bytes = size  # type: ignore[attr-defined]
        return view

    return decorate


def looks_first(view: Callable[..., Any]) -> Callable[..., Any]:
    """This view works before it writes: it calls `begin_writing` itself, and changes nothing until then."""
    view.looks_first = True  # type: ignore[attr-defined]
    return view


def does_look_first() -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), "looks_first", False)


def init_app(app: Flask) -> None:
    app.before_request(_open_request)
    app.before_request(_same_origin)
    app.before_request(_readable)
    app.before_request(_signed_in)
    app.before_request(_begin_writing)
    app.after_request(_headers)
    app.teardown_request(_close_request)


def _open_request() -> None:
    given = request.headers.get("X-Request-Id", "") if current_app.config["BEHIND_PROXY"] else ""
    g.request_id = given if REQUEST_ID.fullmatch(given) else new_id()
    g.asking_token = asking.set(request.method in SAFE_METHODS)


def _close_request(_error: BaseException | None) -> None:
    for name, told in (("writing_token", writing), ("asking_token", asking)):
        token = g.pop(name, None)
        if token is not None:
            told.reset(token)


def _same_origin() -> None:
    """Unsafe methods must come from our own pages.

    No token: a page kept on a phone for a week would carry a stale one. Browsers too old for
    Sec-Fetch-Site send Origin; a client that sends neither is not a browser and carries no ambient cookie
    a stranger could misuse, but must then speak JSON, which a foreign form cannot.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    elif origin is not None:
        allowed = origin.partition("://")[2] == request.host
    else:
        allowed = request.mimetype == "application/json" or not request.content_length
    if not allowed:
        raise Forbidden("请求不是从本系统的页面发出的。", code="cross_origin")


def _readable() -> None:
    """Nobody types U+0000 into an address, and PostgreSQL refuses to be asked for it."""
    if not storable(request.path):
        raise NotFound()
    _refuse_unstorable(request.args, 400)


def _refuse_unstorable(given: MultiDict[str, str], status: int) -> None:
    names = sorted({name for name, value in given.items(multi=True) if not storable(name + value)})
    message = "含有无法识别的字符"
    errors = [{"pointer": f"/{escape(n)}", "code": "bad_text", "message": f"{message}。"} for n in names]
    if errors:
        raise DomainError(f"{message}。", errors=errors, status=status)


def _signed_in() -> Response | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static" or getattr(view, "is_public", False):
        return None
    if current_user.is_authenticated:
        return None
    if (refusal := g.get("session_refusal")) is not None:
        raise DomainError(refusal.detail, code=refusal.code, status=401, headers=refusal.headers)
    if wants_json() or request.headers.get("HX-Request") or request.headers.get("X-Sync"):
        headers = {"HX-Redirect": "/sign-in"} if request.headers.get("HX-Request") else {}
        return respond(401, headers=headers)
    if request.method in SAFE_METHODS:
        return redirect(f"/sign-in?next={quote(request.full_path.rstrip('?'))}")  # type: ignore[return-value]
    return respond(401)


def _begin_writing() -> None:
    """The body is read before the database may be locked: a phone on 2G takes minutes to send it, and on
    SQLite the write lock is held from the first statement on. Who is asking is read afresh under the lock.
    """
    if request.method in SAFE_METHODS:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    limit = getattr(view, "max_body_bytes", None)
    if limit is not None:
        request.max_content_length = limit
    if limit is None or (request.content_length or 0) <= limit:
        _read_body()
    db.session.rollback()
    if not does_look_first():
        begin_writing()


def begin_writing() -> None:
    """From here on others may have to wait for this request. What was read before may be old by now."""
    db.session.rollback()
    g.writing_token = writing.set(True)


def _read_body() -> None:
    try:
        with suppress(RequestEntityTooLarge):  # whoever asks for the body is told again, and says it better
            request.get_data(cache=True, parse_form_data=True)
    except OSError:  # gunicorn's word for a chunked body that stops half-way
        raise DomainError("请求内容不完整。", code="bad_request", status=400) from None
    long = (request.content_length or 0) > (current_app.config["MAX_FORM_MEMORY_SIZE"] or 0)
    if long and request.mimetype != "multipart/form-data" and request.form:
        raise RequestEntityTooLarge()  # werkzeug keeps this limit for multipart only
    _refuse_unstorable(request.form, 422)


def _headers(response: Response) -> Response:
    file = request.endpoint in FILES and response.status_code < 400
    part = file or response.status_code == 304
    for name, value in HEADERS.items():
        if not part or name in OF_A_PART:
            response.headers.setdefault(name, value)
    if not file:
        response.headers["X-Request-Id"] = g.get("request_id", "")
    if current_app.config["TLS"]:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if (user_id := g.get("user_id")) and response.mimetype == "text/html":
        # The mark by which a worker knows our page from a captive portal's, and whose page it is. A refusal
        # carries it too: its frame names the person. Not from current_user: the database may be away by now.
        response.headers["X-Page-User"] = user_id
    return response
