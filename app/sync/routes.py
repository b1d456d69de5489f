"""/api/sync, /api/{patients,visits,orders}/{id}, /api/openapi.json, /healthz."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge

from app.accounts import audit, sessions, throttle
from app.errors import DomainError
from app.extensions import db, writing
from app.guard import looks_first, public, within
from app.shared import clock, strictjson
from app.sync import feed, foresight, openapi, pace, queries, reads, service
from app.sync.foresight import Batch
from app.sync.registry import entities
from app.sync.schema import (
    MAX_BODY_BYTES,
    MAX_INFLATED_BYTES,
    MAX_OPS,
    PUSHES_A_MINUTE,
    SENT_AS,
    PullQuerySchema,
    PushSchema,
    PushSealedSchema,
    ReceiptsQuerySchema,
)

bp = Blueprint("sync", __name__)
# Each operation and each record is judged by the scope of its own room; these are what they ask.
WRITES = ("register", "contact", "visit", "correct", "order", "perform")
READS = ("read", "chart", "orders")
PLURALS = {"patients": "patient", "visits": "visit", "orders": "order"}


@bp.post("/api/sync/push")
@within(*WRITES)
@looks_first
def push() -> Response:
    _arrived()
    _from_whom_it_says()
    with _in_turn():
        given = _batch(PushSchema(), "ops")
        batch = Batch.of(given["ops"], clock.parse_moment(given["sent_at"]))
        user = current_user._get_current_object()  # the proxy would be asked some twenty times a visit
        foresight.foresee(user, batch)
        _begin_push()
        return _told(service.take(user, batch))


@bp.post("/api/sync/sealed")
@within(*WRITES)
@looks_first
def push_sealed() -> Response:
    _arrived()
    _from_whom_it_says()
    with _in_turn():
        given = _batch(PushSealedSchema(), "sealed")
        user = current_user._get_current_object()
        sealed = service.unseal(user, given["sealed"], clock.parse_moment(given["sent_at"]))
        foresight.foresee(user, sealed.batch)
        _begin_push()
        return _told(service.take_sealed(user, sealed, echo=given["echo"]))


@contextmanager
def _in_turn() -> Iterator[None]:
    """Whoever waits keeps no picture of the database: SQLite could not begin its journal anew meanwhile, and
    what is judged by it would be old."""
    db.session.rollback()
    with pace.working():
        yield


def _from_whom_it_says() -> None:
    """A phone sends before it has heard who is signed in, and says whom it takes that to be.

    If it is somebody else, nothing is looked at: no operation is refused, none taken under a wrong name.
    """
    meant = request.headers.get(SENT_AS)
    if meant is not None and meant != current_user.id:
        detail = "现在登录的是另一个人，这一批没有处理，记录都还在手机上。"
        raise DomainError(detail, code="other_user", status=409)


def _begin_push() -> None:
    """Whoever sends has been let in; from here on others wait. Counts one push."""
    with pace.aside():
        sessions.begin_writing()
        throttle.hit(_push_key(), PUSHES_A_MINUTE, window_s=60)
        feed.lock()


def _push_key() -> str:
    return f"push:{current_user.id}:{throttle.session_key()}"


def _told(results: list[dict[str, Any]]) -> Response:
    return jsonify({"server_time": _now(), "results": results})


@bp.post("/api/sync/reads")
def take_reads() -> Response:
    throttle.hit(f"reads:{throttle.session_key()}", reads.REPORTS_A_MINUTE, window_s=60)
    body = json_body()
    if outer := list(strictjson.faults(body)):
        raise DomainError("请求的格式有误。", errors=outer)
    report = reads.ReadsSchema().load(body)
    kept, known = reads.take(current_user, report["device_id"], report["reads"])
    return jsonify({"server_time": _now(), "kept": kept, "known": known})


@bp.get("/api/sync/receipts")
def receipts() -> Response:
    query = ReceiptsQuerySchema().load(request.args)
    listed = query["list"] == "1"
    return jsonify(queries.receipts(current_user, query["device_id"], query["since"], listed))


@bp.get("/api/sync/pull")
@within(*READS)
def pull() -> Response:
    query = PullQuerySchema().load(request.args)
    found = queries.pull(current_user, query["cursor"], query["limit"])
    audit.listed("feed.send", len(found["changes"]))
    return jsonify(found)


@bp.get("/api/<any(patients, visits, orders):plural>/<record_id>")
@within(*READS)
def read(plural: str, record_id: str) -> Response:
    number = request.args.get("revision")
    if number is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise DomainError("版本号应为正整数。", field="revision")
    entity = entities[PLURALS[plural]]
    wanted = None if number is None else int(number)
    shown, patient_id = queries.record(current_user, entity.name, record_id, wanted)
    audit.read(f"{entity.name}.read", record_id, patient_id=patient_id)
    return jsonify(shown)


@bp.get("/api/openapi.json")
@public
def published_contract() -> Response:
    return jsonify(openapi.document())


@bp.get("/healthz")
@public
def health() -> Response:
    """Up, and the database can be written. 503 otherwise, through errors.py.

    Really written: a full disk shows only at the commit.
    """
    token = writing.set(True)
    try:
        throttle.count("health", window_s=60)  # SQLite skips a write that changes nothing
        db.session.commit()
    finally:
        writing.reset(token)
    return jsonify({"status": "ok", "server_time": _now()})


def _batch(schema: Schema, items: str) -> dict[str, Any]:
    """The batch in the body, its `items` unlooked at: each is judged on its own."""
    throttle.check(_push_key(), PUSHES_A_MINUTE, window_s=60)
    body = json_body()
    outer = list(strictjson.faults(body, inside=lambda key: key != items))
    if outer:
        raise DomainError("请求的格式有误。", errors=outer, code="invalid", status=422)
    batch: dict[str, Any] = schema.load(body)
    if len(batch[items]) > MAX_OPS:
        raise too_large(f"一次最多上传 {MAX_OPS} 条。")
    return batch


def too_large(detail: str) -> DomainError:
    extra = {"max_ops": MAX_OPS, "max_bytes": MAX_BODY_BYTES}
    return DomainError(detail, code="too_large", status=413, extra=extra)


def json_body() -> Any:
    """The JSON body, inflated if need be. 413, 415 or 400 as SYNC §2 says."""
    if request.mimetype != "application/json":
        raise DomainError("请求应为 application/json。", code="unsupported_media_type", status=415)
    raw = _arrived()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding == "gzip":
        raw = _inflate(raw)
    elif encoding != "identity":
        raise DomainError("只接受 gzip 压缩。", code="unsupported_media_type", status=415)
    elif len(raw) > MAX_BODY_BYTES:
        raise too_large("一次上传的内容过大。")
    try:
        return strictjson.loads(raw)
    except strictjson.NotJson as error:
        raise DomainError(str(error), code="bad_request", status=400) from None


def _arrived() -> bytes:
    """The body as it was sent; waits for the sender's line."""
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise too_large("一次上传的内容过大。") from None


def _inflate(raw: bytes) -> bytes:
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        inflated = decoder.decompress(raw, MAX_INFLATED_BYTES + 1)
    except zlib.error:
        raise DomainError("压缩内容已损坏。", code="bad_request", status=400) from None
    if len(inflated) > MAX_INFLATED_BYTES:
        raise too_large("一次上传的内容过大。")
    if not decoder.eof or decoder.unused_data:
        raise DomainError("压缩内容不完整。", code="bad_request", status=400)
    return inflated


def _now() -> str:
    return clock.local(clock.now()).isoformat(timespec="milliseconds")
