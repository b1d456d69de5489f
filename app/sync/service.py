"""Taking operations in: one at a time, each whole or not at all, each answered by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app import metrics
from app.accounts import audit
from app.accounts.models import User
from app.errors import DomainError, NotFound, frames_only
from app.extensions import db
from app.shared import clock, strictjson
from app.shared.ids import is_id, new_id
from app.sync import checks, feed
from app.sync.answers import ALREADY_APPLIED, accepted, refusal
from app.sync.models import Revision
from app.sync.registry import Applied, Conflict, Kind, Op, Rejected, kinds

TURN_S = 0.25
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
    metrics.pushed(ops, results, received_at, skew.total_seconds())
    return results


def push_sealed(
    user: User, entries: list[Any], sent_at: datetime, echo: bool = False
) -> list[dict[str, Any]]:
    """The same for operations of `user` sealed on a phone; what cannot be opened is refused in its place.

    With `echo` every refused operation comes back opened, as `op`: the phone may be unable to read its copy.
    """
    results: dict[int, dict[str, Any]] = {}
    ops: dict[int, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        try:
            ops[place] = checks.opened(entry, user.id)
        except Rejected as no:
            op_id = checks.id_in(entry)
            results[place] = refusal(user, op_id, None, "rejected", no.code, no.detail, errors=no.errors)
    judged = push(user, list(ops.values()), sent_at)
    db.session.commit()  # the audit lines, where nothing was left to push
    for (place, op), result in zip(ops.items(), judged, strict=True):
        # What is no clean JSON could not be written back; no phone of ours seals such a thing.
        shown = echo and result["status"] in ("rejected", "conflict") and not any(strictjson.faults(op))
        results[place] = {**result, "op": op} if shown else result
    return [results[place] for place in range(len(entries))]


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
        past = _past(user, ops)
        for raw in ops:
            results.append(_one(user, raw, received_at, skew, past))
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


@dataclass(frozen=True)
class Past:
    """What this batch may meet again: operations applied before, and the author's that were mended."""

    applied: dict[str, Revision]
    mended: dict[str, Revision]

    def add(self, made: Revision) -> None:
        self.applied[made.op_id] = made
        if made.replaces is not None:
            self.mended[made.replaces] = made


def _past(user: User, ops: list[Any]) -> Past:
    """Two queries for the whole batch. Called under the lock."""
    named = [raw.get(name) for raw in ops if isinstance(raw, dict) for name in ("op_id", "replaces")]
    ids = {op_id for op_id in named if is_id(op_id)}
    applied = db.session.scalars(select(Revision).where(Revision.op_id.in_(ids)))
    mine = select(Revision).where(Revision.author_id == user.id, Revision.replaces.in_(ids))
    return Past(
        {revision.op_id: revision for revision in applied},
        {str(revision.replaces): revision for revision in db.session.scalars(mine)},
    )


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


def _one(user: User, raw: Any, received_at: datetime, skew: timedelta, past: Past) -> dict[str, Any]:
    op_id = checks.id_in(raw)
    savepoint = db.session.begin_nested()
    try:
        result, made = _judge(user, raw, received_at, skew, past)
        savepoint.commit()
        if made is not None:
            past.add(made)
        return result
    except Rejected as no:
        savepoint.rollback()
        if no.code == "not_found" and feed.restored_lately():
            return refusal(user, op_id, raw, "rejected", "missing_dependency")
        return refusal(user, op_id, raw, "rejected", no.code, no.detail, errors=no.errors)
    except Conflict as no:
        savepoint.rollback()
        if _lost_before(raw, no) and feed.restored_lately():
            return refusal(user, op_id, raw, "rejected", "missing_dependency")
        if no.keep is not None:
            with db.session.begin_nested():
                no.keep()
        return refusal(user, op_id, raw, "conflict", no.code, no.detail, current=no.current)
    except IntegrityError:
        savepoint.rollback()
        return refusal(user, op_id, raw, "rejected", "invalid", "内容与已有的数据冲突。")
    except DataError:
        savepoint.rollback()
        return refusal(user, op_id, raw, "rejected", "invalid", "有内容过长或超出范围，存不进去。")
    except SQLAlchemyError:
        raise  # the database is in trouble, not the operation
    except Exception as error:
        # One odd visit must not block a week of work; sent again after a repair it is judged afresh.
        savepoint.rollback()
        log.error("operation failed: %s", type(error).__name__, exc_info=frames_only(error))
        return refusal(user, op_id, raw, "rejected", "invalid", "服务器处理这条记录时出了错，已经记录下来。")


def _lost_before(raw: dict[str, Any], no: Conflict) -> bool:
    """Whether an operation rests on a revision that is not there: after a restore it is on another phone."""
    return no.code == "stale_revision" and raw.get("base_revision", 0) > no.current.get("revision", 0)


def _judge(
    user: User, raw: Any, received_at: datetime, skew: timedelta, past: Past
) -> tuple[dict[str, Any], Revision | None]:
    """The result, and the revision if there is a new one."""
    digest = checks.digest_of(raw)
    if raw["author_id"] != user.id:
        raise Rejected("author_mismatch")
    # op_id before anything about the record: a late copy of an applied edit is a duplicate, not a conflict
    known = past.applied.get(raw["op_id"])
    if known is not None:
        if known.author_id != user.id or known.digest != digest:
            raise Rejected("op_id_reused")
        return accepted("duplicate", known.op_id, known.entity_id, known.revision), None
    if (better := past.mended.get(raw["op_id"])) is not None:
        mended = accepted("duplicate", raw["op_id"], better.entity_id, better.revision)
        return {**mended, "replaced_by": better.op_id}, None
    _not_mended_yet(user, raw.get("replaces"), past)
    kind = kinds.get(raw["kind"])
    if kind is None:
        raise Rejected("unknown_kind")
    if user.role not in kind.roles:
        raise Rejected("forbidden")
    checks.check_payload(kind, raw)
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
    return accepted("applied", op.op_id, applied.entity_id, applied.revision), made


def _not_mended_yet(user: User, op_id: str | None, past: Past) -> None:
    """Raises when what an operation replaces was applied, by itself or mended before."""
    found = past.applied.get(op_id or "") or past.mended.get(op_id or "")
    if found is None:
        return
    if found.author_id != user.id:
        fault = {"pointer": "/replaces", "code": "invalid", "message": "只能更正自己的记录"}
        raise Rejected("invalid", errors=[fault])
    current = {"entity_id": found.entity_id, "revision": found.revision}
    raise Conflict("already_applied", ALREADY_APPLIED, current)


def _apply(kind: Kind, op: Op) -> Applied:
    """Handlers know nothing of the envelope: their pointers are relative to the payload."""
    try:
        return kind.apply(op)
    except Rejected as no:
        errors = [{**e, "pointer": "/payload" + e["pointer"]} for e in no.errors]
        raise Rejected(no.code, no.detail, errors) from no
    except DomainError as no:  # said by a rule that pages ask as well
        if no.status not in (403, 404, 409, 422):
            raise  # trouble that passes is no answer about this operation: the phone sends it again
        raise Rejected(no.code, no.detail) from no


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
        replaces=raw.get("replaces"),
        payload=feed.seal_payload(text, kind.sealed),
    )
    feed.append(made)
    audit.note(kind.name, object_id=applied.entity_id, patient_id=applied.patient_id, user=op.author)
    db.session.flush()
    return made
