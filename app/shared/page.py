"""The one place that asks whether a request is an htmx swap."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

import brotli  # type: ignore[import-untyped]
from flask import Response, make_response, render_template, request
from jinja2.ext import Extension
from jinja2_fragments.flask import render_block

from app.extensions import htmx
from app.shared import clock


def page(template: str, *, block: str | None = None, status: int = 200, rev: str = "", **context) -> Response:
    """The whole page for a browser; only `block` of it for an htmx swap that asked for a part.

    `rev` names the version of a page that phones keep (see app/pwa); it travels in X-Page-Rev.
    A boosted link and the service worker always get the whole page: one URL, one representation.
    """
    if block and htmx and not (htmx.boosted or htmx.history_restore_request):
        html = render_block(template, block, **context)
    else:
        html = render_template(template, page_rev=rev, **context)
    response = whole(html, status=status, rev=rev)
    if block:
        response.vary.add("HX-Request")
    return response


def whole(html: str, *, status: int = 200, rev: str = "") -> Response:
    """A page that has been rendered."""
    response = make_response(html, status)
    if rev:
        response.headers["X-Page-Rev"] = rev
    return response


def squeezed(body: bytes) -> bytes:
    return brotli.compress(body, quality=11)  # type: ignore[no-any-return]


def dense(response: Response, squeeze: Callable[[bytes], bytes] = squeezed) -> Response:
    """Compressed as far as brotli goes: a tenth less, for some milliseconds of the processor. For what stands
    between a new phone and its list."""
    if request.accept_encodings.best_match(("br", "gzip")) == "br":
        response.set_data(squeeze(response.get_data()))
        response.content_encoding = "br"
        response.vary.add("Accept-Encoding")
    return response


def local_minute(moment: datetime) -> str:
    """11月22日 14:05, in Asia/Shanghai; a template filter."""
    there = clock.local(moment)
    return f"{there.month}月{there.day}日 {there:%H:%M}"


def local_time(moment: datetime) -> str:
    """14:05, in Asia/Shanghai; a template filter."""
    return f"{clock.local(moment):%H:%M}"


def month_day(day: date) -> str:
    """11月22日; a template filter."""
    return f"{day.month}月{day.day}日"


def weekday(day: date) -> str:
    """周日; a template filter."""
    return "周" + "一二三四五六日"[day.weekday()]


class Lean(Extension):
    """Indentation of templates ends here: phones keep six hundred pages, and a browser reads none of it."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"(?m)^[ \t]+", "", source)
