"""Taking operations in: each whole or not at all, each answered by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app import metrics
from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.shared import clock, strictjson
from app.shared.ids import new_id
from app.sync import checks, feed
from app.sync.answers import refusal
from app.sync.judge import Judge
from app.sync.registry import Rejected

TURN_S = 0.25


def push(user: User, ops: list[Any], sent_at: datetime) -> list[dict[str, Any]]:
    """Handle `ops` in order and commit. One result per operation, in the same order.

    Raises OperationalError when the database cannot be written: then nothing of the batch is known to be
    kept, the client sends it again, and what was kept answers `duplicate`.
    """
    received_at = clock.now()
    skew = received_at - sent_at
    results: list[dict[str, Any]] = []
    looked = [checks.look(raw) for raw in ops]  # before the lock: it asks the database nothing
    while len(results) < len(ops):
        results += _turn(user, looked[len(results) :], received_at, skew)
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


def _turn(
    user: User, ops: list[checks.Looked], received_at: datetime, skew: timedelta
) -> list[dict[str, Any]]:
    """Handle as many of `ops` as fit into one turn of holding the feed's lock; at least one.

    A long batch lets others in between: what it has committed so far answers `duplicate` if it is sent again.
    """
    feed.lock()
    # What was read before the lock may be old by now: PostgreSQL let others commit while we waited.
    db.session.flush()
    db.session.expire_all()
    until = monotonic() + TURN_S
    results: list[dict[str, Any]] = []
    with _remembering():
        judge = Judge(user, ops, received_at, skew)
        while len(results) < len(ops) and (not results or monotonic() < until):
            results += judge.some(len(results), until)
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
