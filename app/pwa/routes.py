"""/sw.js and its modules, /manifest.json, the offline page, 待上传, and the visit pack."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    make_response,
    render_template,
    request,
    send_from_directory,
    stream_with_context,
)
from flask_login import current_user
from werkzeug.utils import safe_join

from app.accounts import audit
from app.accounts.models import User
from app.errors import NotFound
from app.extensions import db
from app.guard import public
from app.pwa import pack, rendered
from app.pwa.build import ROOT, SHELL_PAGES, build, shell
from app.pwa.registry import PackPage, rev
from app.pwa.squeeze import squeezed
from app.shared.page import page

bp = Blueprint("pwa", __name__)
WORKER = ROOT / "service_worker"
PAGE = '{"t":"page"'
ALWAYS_ASK = "no-cache"  # a worker that is a day old must be noticed


@bp.get("/sw.js", defaults={"name": "sw"})
@bp.get("/sw/<name>.js")
@public
def worker(name: str) -> Response:
    """The worker and its modules; the entry is marked with the build.

    Chromium fails to start a new module worker when only modules it imports have changed, not itself
    (seen with 156), so that no phone would ever get the new version.
    """
    path = safe_join(str(WORKER), f"{name}.js")
    if path is None or not os.path.isfile(path):  # Path.is_file raises on a name too long to be one
        raise NotFound()
    mark = f"// build {build()}\n" if name == "sw" else ""
    return javascript(mark + Path(path).read_text())


@bp.get("/sw/precache.js")
@public
def precache() -> Response:
    """Any change of our files changes these bytes, and so makes the browser install a new worker."""
    return javascript(
        f"export const BUILD = {json.dumps(build())};\nexport const SHELL = {json.dumps(shell())};\n"
    )


def javascript(text: str) -> Response:
    return Response(text, mimetype="text/javascript", headers={"Cache-Control": ALWAYS_ASK})


@bp.get("/manifest.json")
@public
def manifest() -> Response:
    response = send_from_directory(ROOT, "manifest.json", mimetype="application/manifest+json", max_age=0)
    response.headers["Cache-Control"] = ALWAYS_ASK
    return response


@bp.get("/offline")
@public
def offline() -> Response:
    response = make_response(render_template(SHELL_PAGES["/offline"]))
    response.headers["Cache-Control"] = ALWAYS_ASK
    return response


@bp.get("/unlock")
@public
def unlock() -> Response:
    """The lock of the phone's own store; the same for everybody, filled in by its script."""
    response = make_response(render_template(SHELL_PAGES["/unlock"]))
    response.headers["Cache-Control"] = ALWAYS_ASK
    return response


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
