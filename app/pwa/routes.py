"""/sw.js and its modules, /manifest.json, the offline page, 待上传, and the visit pack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    render_template,
    request,
    stream_with_context,
)
from flask_login import current_user

from app.accounts import audit
from app.accounts.models import User
from app.extensions import db
from app.guard import public
from app.pwa import files, pack, rendered
from app.pwa.build import FIRST, FORMER, ROOT, SHELL_PAGES, build, shell
from app.pwa.registry import PackPage, rev
from app.pwa.squeeze import squeezed
from app.shared.page import page

bp = Blueprint("pwa", __name__)
PAGE = '{"t":"page"'


@bp.get("/sw.js")
@public
def worker() -> Response:
    """The worker, joined of its modules but for what it shares with the pages, and told of build and shell.

    Any change of our files changes these bytes, and so makes the browser install a new worker. They are
    the worker's own: Chromium fails to start a new module worker when only modules it imports have changed,
    not itself (seen with 156), so that no phone would ever get the new version.
    """
    return files.answer(_worker())


@cache
def _worker() -> files.File:
    known = {"BUILD": build(), "SHELL": shell(), "FIRST": len(FIRST), "FORMER": FORMER}
    return files.File(files.worker(known).encode(), "text/javascript")


@bp.get("/manifest.json")
@public
def manifest() -> Response:
    return files.answer(_manifest())


@cache
def _manifest() -> files.File:
    return files.File((ROOT / "manifest.json").read_bytes(), files.MANIFEST)


@bp.get("/offline")
@public
def offline() -> Response:
    return files.answer(_shell_page("/offline"))


@bp.get("/unlock")
@public
def unlock() -> Response:
    """The lock of the phone's own store; the same for everybody, filled in by its script."""
    return files.answer(_shell_page("/unlock"))


@cache
def _shell_page(address: str) -> files.File:
    """The same for everybody."""
    return files.File(render_template(SHELL_PAGES[address]).encode(), "text/html")


@bp.get("/outbox")
def outbox() -> Response:
    return page("pwa/outbox.html", rev=rev(0), tab="outbox")


@bp.get("/api/pack")
def visit_pack() -> Response:
    user_id = current_user.id
    since = pack.decode(request.args.get("cursor", ""), current_user._get_current_object())
    shelf = rendered.Shelf(current_user)

    def stream() -> Iterator[str]:
        # The request's own database session has ended before the first line is asked for.
        user = g._login_user = db.session.get_one(User, user_id)
        yield from _counted(pack.lines(user, since, shelf))

    answer = current_app.response_class(mimetype="application/x-ndjson")
    answer = squeezed(request, answer, stream(), shelf.keep)
    answer.response = stream_with_context(iter(answer.response))  # type: ignore[type-var, assignment]
    return answer


def _counted(lines: Iterator[str]) -> Iterator[str]:
    """The same lines; when they end, or the phone hangs up, the audit hears how many pages were sent."""
    pages, ended = 0, "cut"
    try:
        for line in lines:
            pages += line.startswith(PAGE)
            yield line
        ended = "ok"
    finally:
        if pages:
            audit.apart([{"action": "pack.send", "result": f"{ended}:{pages}"}])


def outbox_page(user: User) -> list[PackPage]:
    return [
        PackPage(
            "/outbox",
            0,
            partial(render_template, "pwa/outbox.html", page_rev=rev(0), tab="outbox"),
        )
    ]
