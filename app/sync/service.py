"""Taking operations in: each whole or not at all, each answered by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any

from app import metrics
from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.shared import clock, strictjson
from app.shared.ids import new_id
from app.sync import checks, feed, foresight, pace
from app.sync.answers import refusal
from app.sync.foresight import Batch
from app.sync.judge import Judge, remembering
from app.sync.registry import Rejected

TURN_S = 0.25


def push(user: User, ops: list[Any], sent_at: datetime) -> list[dict[str, Any]]:
    """Handle `ops` in order and commit. One result per operation, in the same order.

    Raises OperationalError when the database cannot be written: then nothing of the batch is known to be
    kept, the client sends it again, and what was kept answers `duplicate`.
    """
    return take(user, Batch.of(ops, sent_at))


def take(user: User, batch: Batch) -> list[dict[str, Any]]:
    """The same for a batch that was looked at before others had to wait."""
    results: list[dict[str, Any]] = []
    while len(results) < len(batch.ops):
        if not feed.is_locked():
            with pace.aside():
                feed.lock()
        results += _turn(user, batch, len(results))
        with pace.aside():
            db.session.commit()
    metrics.pushed(
        [looked.raw for looked in batch.ops], results, batch.received_at, batch.skew.total_seconds()
    )
    return results


@dataclass(frozen=True)
class Sealed:
    """A batch of sealed operations: what was opened, and the refusals of the rest, each by its place."""

    batch: Batch
    places: list[int]
    refused: dict[int, tuple[str | None, Rejected]]


def unseal(user: User, entries: list[Any], sent_at: datetime) -> Sealed:
    """Open the operations that `user` sealed on a phone. Asks the database nothing."""
    refused: dict[int, tuple[str | None, Rejected]] = {}
    opened: dict[int, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        try:
            opened[place] = checks.opened(entry, user.id)
        except Rejected as no:
            refused[place] = (checks.id_in(entry), no)
    return Sealed(Batch.of(list(opened.values()), sent_at), list(opened), refused)


def take_sealed(user: User, sealed: Sealed, echo: bool = False) -> list[dict[str, Any]]:
    """Handle them like any other; what could not be opened is refused in its place. Commits.

    With `echo` every refused operation comes back opened, as `op`: the phone may be unable to read its copy.
    """
    results = {
        place: refusal(user, op_id, None, "rejected", no.code, no.detail, errors=no.errors)
        for place, (op_id, no) in sealed.refused.items()
    }
    judged = take(user, sealed.batch)
    db.session.commit()  # the audit lines, where nothing was left to push
    for place, looked, result in zip(sealed.places, sealed.batch.ops, judged, strict=True):
        # What is no clean JSON could not be written back; no phone of ours seals such a thing.
        shown = echo and result["status"] in ("rejected", "conflict") and strictjson.sound(looked.raw)
        results[place] = {**result, "op": looked.raw} if shown else result
    return [results[place] for place in range(len(results))]


def push_sealed(user: User, entries: list[Any], sent_at: datetime) -> list[dict[str, Any]]:
    """The same at once; refused operations come back opened."""
    return take_sealed(user, unseal(user, entries, sent_at), echo=True)


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


def _turn(user: User, batch: Batch, begin: int) -> list[dict[str, Any]]:
    """Under the lock: as many operations from `begin` on as fit into one turn of it; at least one.

    A long batch lets others in between: what it has committed so far answers `duplicate` if it is sent again.
    """
    # What was read before the lock may be old by now: PostgreSQL let others commit while we waited.
    db.session.flush()
    db.session.expire_all()
    until = monotonic() + TURN_S
    with remembering():
        if begin == 0 and batch.foreseen is not None:
            results = foresight.confirm(batch.foreseen, batch)
            if any(results):
                return _completed(user, batch, results)
        return _judged(Judge(user, batch.ops[begin:], batch.received_at, batch.skew), until)


def _judged(judge: Judge, until: float) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    while len(results) < len(judge.ops) and (not results or monotonic() < until):
        results += judge.some(len(results), until)
    return results


def _completed(user: User, batch: Batch, results: foresight.Results) -> list[dict[str, Any]]:
    """`results` with those that were not foreseen; they are few, and of other patients than the rest."""
    open_ones = [op for op, result in zip(batch.ops, results, strict=True) if result is None]
    if open_ones:
        judge = Judge(user, open_ones, batch.received_at, batch.skew)
        judged = iter(_judged(judge, inf))
        return [result or next(judged) for result in results]
    return [result for result in results if result is not None]
