"""Taking operations in: one at a time, each whole or not at all, each answered by itself."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import event, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.accounts import audit
from app.accounts.models import User
from app.errors import DomainError, NotFound, frames_only, from_marshmallow
from app.extensions import db
from app.shared import clock, strictjson
from app.shared.ids import is_id, new_id
from app.sync import feed
from app.sync.models import Revision
from app.sync.registry import Applied, Conflict, Kind, Op, Rejected, kinds
from app.sync.schema import MAX_OP_BYTES, OpSchema

CODE_DETAILS = {
    "invalid": "填写的内容有误，请改好再上传。",
    "unknown_kind": "服务器不认识这种操作，请更新应用。",
    "op_id_reused": "这个编号已用于另一条记录。",
    "author_mismatch": "这条记录不是当前登录的人写的。",
    "forbidden": "您的账号不能做这件事。",
    "not_found": "内容不存在，或不在您的服务范围内。",
    "missing_dependency": "它依赖的记录还没有上传。",
}
TURN_S = 0.25
op_schema = OpSchema()
log = logging.getLogger("nuanxun")


def push(user: User, ops: list[Any], sent_at: datetime) -> list[dict[str, Any]]:
    """Handle `ops` in order and commit. One result per operation, in the same order.

    Raises OperationalError when the database cannot be written: then nothing of the batch is known to be
    kept, the client sends it again, and what was kept answers `duplicate`.
    """
    received_at = clock.now()
    skew = received_at - sent_at
    results: list[dict[str, Any]] = []
    while len(results) < len(ops):
        results += _turn(user, ops[len(results) :], received_at, skew)
        db.session.commit()
    return results


def _turn(user: User, ops: list[Any], received_at: datetime, skew: timedelta) -> list[dict[str, Any]]:
    """Handle as many of `ops` as fit into one turn of holding the feed's lock; at least one.

    A long batch lets others in between: what it has committed so far answers `duplicate` if it is sent again.
    """
    feed.lock()
    # What was read before the lock may be old by now: PostgreSQL let others commit while we waited.
    db.session.flush()
    db.session.expire_all()
    until = monotonic() + TURN_S
    results = []
    with _remembering():
        known = _known(ops)
        for raw in ops:
            results.append(_one(user, raw, received_at, skew, known))
            if monotonic() > until:
                break
    return results


@contextmanager
def _remembering() -> Iterator[None]:
    """Within, what was read once is not read again: by itself the session holds its objects weakly."""
    held: list[object] = []

    def hold(_session: Session, instance: object) -> None:
        held.append(instance)

    session = db.session()
    event.listen(session, "loaded_as_persistent", hold)
    try:
        yield
    finally:
        event.remove(session, "loaded_as_persistent", hold)


def _known(ops: list[Any]) -> dict[str, Revision]:
    """The revisions that operations of these ids made before, in one query. Called under the lock."""
    ids = {raw["op_id"] for raw in ops if isinstance(raw, dict) and is_id(raw.get("op_id"))}
    found = db.session.scalars(select(Revision).where(Revision.op_id.in_(ids)))
    return {revision.op_id: revision for revision in found}


def submit(
    user: User, kind: str, payload: dict[str, Any], base_revision: int | None = None, op_id: str | None = None
) -> dict[str, Any]:
    """The same for a page's form posted without JavaScript. Returns the result of SYNC §3; commits.

    Raises DomainError with the errors of a rejected or conflicting operation, for the form to show again.
    """
    now = clock.now()
    raw: dict[str, Any] = {
        "op_id": op_id or new_id(),
        "device_id": "web",
        "author_id": user.id,
        "kind": kind,
        "recorded_at": clock.local(now).isoformat(timespec="seconds"),
        "payload": payload,
    }
    if base_revision is not None:
        raw["base_revision"] = base_revision
    result = push(user, [raw], now)[0]
    if result["status"] == "rejected" and result["code"] == "not_found":
        raise NotFound()
    if result["status"] in ("rejected", "conflict"):
        errors = [{**e, "pointer": e["pointer"].removeprefix("/payload")} for e in result.get("errors", [])]
        status = 409 if result["status"] == "conflict" else 403 if result["code"] == "forbidden" else 422
        raise DomainError(result.get("detail", ""), errors=errors, code=result["code"], status=status)
    return result


def _one(
    user: User, raw: Any, received_at: datetime, skew: timedelta, done: dict[str, Revision]
) -> dict[str, Any]:
    op_id = raw.get("op_id") if isinstance(raw, dict) else None
    op_id = op_id if is_id(op_id) else None
    savepoint = db.session.begin_nested()
    try:
        result, made = _judge(user, raw, received_at, skew, done)
        savepoint.commit()
        if made is not None:
            done[made.op_id] = made
        return result
    except Rejected as no:
        savepoint.rollback()
        return _refusal(user, op_id, raw, "rejected", no.code, no.detail, errors=no.errors)
    except Conflict as no:
        savepoint.rollback()
        if no.keep is not None:
            with db.session.begin_nested():
                no.keep()
        return _refusal(user, op_id, raw, "conflict", no.code, no.detail, current=no.current)
    except IntegrityError:
        savepoint.rollback()
        return _refusal(user, op_id, raw, "rejected", "invalid", "内容与已有的数据冲突。")
    except DataError:
        savepoint.rollback()
        return _refusal(user, op_id, raw, "rejected", "invalid", "有内容过长或超出范围，存不进去。")
    except SQLAlchemyError:
        raise  # the database is in trouble, not the operation
    except Exception as error:
        # One odd visit must not block a week of work; sent again after a repair it is judged afresh.
        savepoint.rollback()
        log.error("operation failed: %s", type(error).__name__, exc_info=frames_only(error))
        return _refusal(user, op_id, raw, "rejected", "invalid", "服务器处理这条记录时出了错，已经记录下来。")


def _judge(
    user: User, raw: Any, received_at: datetime, skew: timedelta, done: dict[str, Revision]
) -> tuple[dict[str, Any], Revision | None]:
    """The result, and the revision if there is a new one."""
    digest = _shape(raw)
    if raw["author_id"] != user.id:
        raise Rejected("author_mismatch")
    # op_id before anything about the record: a late copy of an applied edit is a duplicate, not a conflict
    known = done.get(raw["op_id"])
    if known is not None:
        if known.author_id != user.id or known.digest != digest:
            raise Rejected("op_id_reused")
        return _result("duplicate", known.op_id, known.entity_id, known.revision), None
    kind = kinds.get(raw["kind"])
    if kind is None:
        raise Rejected("unknown_kind")
    if user.role not in kind.roles:
        raise Rejected("forbidden")
    _payload(kind, raw)
    op = Op(
        op_id=raw["op_id"],
        device_id=raw["device_id"],
        author=user,
        kind=kind.name,
        recorded_at=clock.parse_moment(raw["recorded_at"]),
        received_at=received_at,
        skew=skew,
        payload=raw["payload"],
        base_revision=raw.get("base_revision"),
    )
    applied = _apply(kind, op)
    made = _keep(op, raw, kind, applied, digest)
    return _result("applied", op.op_id, applied.entity_id, applied.revision), made


def _shape(raw: Any) -> str:
    """The digest of a well-shaped operation. Raises Rejected naming every fault of its outer shape."""
    found = list(strictjson.faults(raw))
    if found:
        raise Rejected("invalid", errors=found)
    if not isinstance(raw, dict):
        raise Rejected("invalid", errors=[{"pointer": "", "code": "invalid", "message": "应为对象"}])
    try:
        op_schema.load(raw)
    except ValidationError as error:
        raise Rejected("invalid", errors=from_marshmallow(error)) from error
    canonical = strictjson.canonical(raw).encode("utf-8")
    if len(canonical) > MAX_OP_BYTES:
        message = f"单条记录不能超过 {MAX_OP_BYTES // 1024} KB"
        raise Rejected("invalid", errors=[{"pointer": "", "code": "too_large", "message": message}])
    return hashlib.sha256(canonical).hexdigest()


def _payload(kind: Kind, raw: dict[str, Any]) -> None:
    if kind.needs_base and "base_revision" not in raw:
        fault = {"pointer": "/base_revision", "code": "required", "message": "必填：所依据的版本号"}
        raise Rejected("invalid", errors=[fault])
    try:
        kind.schema().load(raw["payload"])
    except ValidationError as error:
        raise Rejected("invalid", errors=from_marshmallow(error, "/payload")) from error


def _apply(kind: Kind, op: Op) -> Applied:
    """Handlers know nothing of the envelope: their pointers are relative to the payload."""
    try:
        return kind.apply(op)
    except Rejected as no:
        errors = [{**e, "pointer": "/payload" + e["pointer"]} for e in no.errors]
        raise Rejected(no.code, no.detail, errors) from no


def _keep(op: Op, raw: dict[str, Any], kind: Kind, applied: Applied, digest: str) -> Revision:
    text = strictjson.canonical(op.payload)
    made = Revision(
        op_id=op.op_id,
        digest=digest,
        entity_kind=kind.entity,
        entity_id=applied.entity_id,
        revision=applied.revision,
        kind=kind.name,
        author_id=op.author.id,
        device_id=op.device_id,
        patient_id=applied.patient_id,
        recorded_at=raw["recorded_at"],
        received_at=op.received_at.astimezone(UTC),
        skew_s=max(-(2**31), min(2**31 - 1, int(op.skew.total_seconds()))),
        state=applied.state,
        payload=feed.seal_payload(text, kind.sealed),
    )
    feed.append(made)
    audit.note(kind.name, object_id=applied.entity_id, patient_id=applied.patient_id, user=op.author)
    db.session.flush()
    return made


def _result(status: str, op_id: str, entity_id: str, revision: int) -> dict[str, Any]:
    return {"op_id": op_id, "status": status, "entity_id": entity_id, "revision": revision}


def _refusal(
    user: User,
    op_id: str | None,
    raw: Any,
    status: str,
    code: str,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    current: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The answer of a refused operation; all it leaves is an audit line (SYNC §3 rule 6)."""
    kind = raw.get("kind") if isinstance(raw, dict) else None
    action = kind if isinstance(kind, str) and kind in kinds else "op.unknown"
    audit.note(action, object_id=op_id, result=f"{status}:{code}", user=user)
    result: dict[str, Any] = {"op_id": op_id, "status": status, "code": code}
    result["detail"] = detail or CODE_DETAILS.get(code, "")
    if errors:
        result["errors"] = errors
    if current is not None:
        result["current"] = current
    return result
