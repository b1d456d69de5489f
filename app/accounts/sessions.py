"""The session cookie, and how Flask-Login learns from it who is asking."""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from sqlalchemy.exc import OperationalError

from app import guard
from app.accounts import audit, duties, service
from app.accounts.models import LoginSession, User
from app.errors import DomainError
from app.extensions import db, login_manager, writing
from app.guard import SAFE_METHODS
from app.shared.roles import WORKS_ON

log = logging.getLogger("nuanxun")

# How long a browser keeps the cookie: as long as browsers allow. The session itself ends after SESSION_HOURS,
# by the server's own clock; but a phone that shows nothing any more cannot be told that it was reported lost.
COOKIE_KEPT = timedelta(days=400)

# On a phone that has emptied itself: so that the sign-in page, which it shows next, can say why.
EMPTIED = "emptied"
EMPTIED_KEPT = timedelta(days=1)


class NoFlaskSession(SessionInterface):
    """Libraries find an empty one. Flask's own would take our cookie, which has its name, for a signed
    one, and try the signature on every request."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        return SecureCookieSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return


def init_app(app: Flask) -> None:
    app.session_interface = NoFlaskSession()
    login_manager.init_app(app)
    login_manager.session_protection = None  # we keep no Flask session to protect
    login_manager.request_loader(_load)
    app.before_request(duties.first)
    app.before_request(_note_contact)
    app.after_request(audit.write_reads)
    app.after_request(audit.write_denial)


def cookie_name() -> str:
    return "__Host-session" if current_app.config["TLS"] else "session"


def _load(asking: Request) -> User | None:
    token = asking.cookies.get(cookie_name())
    if not token:
        return None
    try:
        found = service.resolve(token)
    except DomainError as refusal:
        g.session_refusal = refusal
        g.refused_user = service.holder(token)
        return None
    if found is None:
        return None
    user, g.login_session = found
    g.user_id, g.device_id = user.id, g.login_session.device_id
    g.at_desk = WORKS_ON[user.role] == "web"
    return user


def _note_contact() -> None:
    """Keep last_seen_at fresh. On a GET this is a short write of its own, at most once a minute; when the
    database cannot be written, reading goes on."""
    session: LoginSession | None = g.get("login_session")
    if session is None or request.endpoint == "static":
        return
    if request.method not in SAFE_METHODS:
        if not guard.does_look_first():
            service.seen(session)
    elif service.is_stale(session):
        token_hash = session.token_hash
        db.session.rollback()
        token = writing.set(True)
        try:
            service.seen(db.session.get_one(LoginSession, token_hash))
            db.session.commit()
        except OperationalError as error:
            db.session.rollback()
            log.warning("contact not noted: %s", type(error.orig).__name__)
        finally:
            writing.reset(token)


def begin_writing() -> None:
    """For a view that looks first: what every other one that writes did at its beginning."""
    guard.begin_writing()
    session: LoginSession | None = g.get("login_session")
    if session is not None:
        service.seen(session)


def step_cookie_name() -> str:
    """Binds a sign-in that waits for its code to this browser."""
    return "__Host-step" if current_app.config["TLS"] else "step"


def give_step_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        step_cookie_name(), token, max_age=600, secure=current_app.config["TLS"], httponly=True,
        samesite="Lax", path="/",
    )  # fmt: skip


def take_step_cookie(response: Response) -> None:
    if step_cookie_name() not in request.cookies:
        return
    response.delete_cookie(
        step_cookie_name(), path="/", secure=current_app.config["TLS"], httponly=True, samesite="Lax"
    )


def give_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        cookie_name(),
        token,
        max_age=COOKIE_KEPT,
        secure=current_app.config["TLS"],
        httponly=True,
        samesite="Lax",
        path="/",
    )
    if was_emptied():
        response.delete_cookie(EMPTIED, path="/")


def take_cookie(response: Response) -> None:
    response.delete_cookie(
        cookie_name(), path="/", secure=current_app.config["TLS"], httponly=True, samesite="Lax"
    )


def empty_phone(response: Response) -> None:
    """The phone has emptied itself: its session goes, and what it noted of its own things, which its worker
    cannot take away in every browser."""
    take_cookie(response)
    response.delete_cookie("kept", path="/")
    response.set_cookie(
        EMPTIED,
        "1",
        max_age=EMPTIED_KEPT,
        secure=current_app.config["TLS"],
        httponly=True,
        samesite="Lax",
        path="/",
    )


def was_emptied() -> bool:
    return EMPTIED in request.cookies
