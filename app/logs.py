"""The log: one line an event on standard error, as JSON or plainly. Ids only, whoever writes it.

Exceptions are told by place and kind: their words may carry a patient's data, as may what follows the `?` of
an address in the words of the web server.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from gunicorn.glogging import Logger

from app import metrics

log = logging.getLogger("nuanxun.request")
QUIET = ("static", "sync.health", "operations.ready", "operations.show_metrics")
FOREIGN = ("gunicorn", "werkzeug")
QUERY = re.compile(r"\?[^\s'\"]*")


class Careful(logging.Formatter):
    """What both formats have in common: nothing of what was asked for or went wrong in words."""

    def formatException(self, ei: Any) -> str:
        kind, _, place = ei
        if kind is None:
            return ""
        return "".join([*traceback.format_tb(place), f"{kind.__name__}"])

    def formatStack(self, stack_info: str) -> str:
        return stack_info

    def message(self, record: logging.LogRecord) -> str:
        words = record.getMessage()
        return QUERY.sub("?…", words) if record.name.startswith(FOREIGN) else words

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        found = dict(getattr(record, "fields", {}))
        if has_request_context() and "request" not in found:
            found["request"] = g.get("request_id", "")
        return {name: value for name, value in found.items() if value not in (None, "")}


class Json(Careful):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
            **self.fields(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Plain(Careful):
    def format(self, record: logging.LogRecord) -> str:
        at = self.formatTime(record)
        said = " ".join(f"{name}={value}" for name, value in self.fields(record).items())
        line = f"{at} {record.levelname} {record.name} {self.message(record)} {said}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


FORMATS = {"json": Json, "plain": Plain}


class ServerLogger(Logger):
    """gunicorn's own words in our format."""

    form = "json"

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATS[self.form]())


def init_app(app: Flask, form: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("twilio").setLevel(logging.WARNING)  # it tells addresses and numbers
    ServerLogger.form = form
    app.before_request(_started)
    app.after_request(_answered)


def _started() -> None:
    g.started = time.perf_counter()


def _answered(response: Response) -> Response:
    """Registered first, so called last: what it tells is what goes out."""
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    endpoint = request.endpoint or "none"
    metrics.answered(request.method, endpoint, response.status_code, seconds)
    if endpoint not in QUIET or response.status_code >= 500:
        fields = {
            "request": g.get("request_id"),
            "method": request.method,
            "endpoint": endpoint,
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
            "user": g.get("user_id"),
        }
        log.info("answered", extra={"fields": fields})
    return response
