"""Taking on sealed operations that somebody else brings, each as its author's.

Who may bring whose: everybody their own; a manager those of the people of their town. Why:
docs/decisions/0018-handover.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import select

from app.accounts import audit, devices
from app.accounts.models import User
from app.errors import Forbidden, NotFound
from app.extensions import db
from app.shared import clock, strictjson
from app.shared.ids import is_id, new_id
from app.sync import service
from app.sync.handover_file import Brought
from app.sync.models import Handover, Revision
from app.sync.registry import kinds
from app.sync.schema import MAX_OPS

NOT_YOURS = "这条不是您管辖的人写的，没有收下。请交给本人或他所在的卫生院。"
SHOWN = 50


@dataclass
class Outcome:
    """How the entries of one hand-over fared; `refused` and `kept` go in step."""

    authors: list[str] = field(default_factory=list)
    applied: int = 0
    duplicate: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)


def take(uploader: User, brought: Brought) -> Handover:
    """Apply what was brought and keep an account of it. Commits. Bringing it twice is harmless.

    Raises Forbidden, with nothing applied or kept, when nothing of it was written by somebody for whom
    `uploader` may hand over.
    """
    now = clock.now()
    authors = _authors(uploader, brought.entries)
    named = {author for entry in brought.entries if (author := _author_of(entry))}
    if named and not authors:
        audit.note("handover.upload", result="forbidden")
        db.session.commit()
        raise Forbidden("里面的记录都不是您管辖的人写的，一条也没有收下。请交给本人或他所在的卫生院。")
    outcome = _judge(uploader, authors, brought.entries, _sent_at(brought, now))
    made = Handover(
        id=new_id(),
        uploaded_by=uploader.id,
        uploaded_at=now,
        judged_at=clock.now(),
        device_id=brought.device_id,
        authors=outcome.authors,
        count=len(brought.entries),
        applied=outcome.applied,
        duplicate=outcome.duplicate,
        refused=outcome.refused,
        kept=outcome.kept,
    )
    db.session.add(made)
    audit.note("handover.upload", object_id=made.id)
    db.session.commit()
    return made


def retry(uploader: User, handover_id: str) -> Handover:
    """Judge afresh what was refused: a rule, a scope or what it depended on may have changed. Commits."""
    kept = get(uploader, handover_id).kept
    outcome = _judge(uploader, _authors(uploader, kept), kept, clock.now())
    found = get(uploader, handover_id)
    found.judged_at = clock.now()
    found.authors = [*found.authors, *(a for a in outcome.authors if a not in found.authors)]
    found.duplicate += outcome.duplicate
    found.refused, found.kept = outcome.refused, outcome.kept
    found.applied = found.count - found.duplicate - len(found.refused)
    audit.note("handover.retry", object_id=found.id)
    db.session.commit()
    return found


def get(uploader: User, handover_id: str) -> Handover:
    """One's own hand-over. Raises NotFound for anybody else's."""
    found = db.session.get(Handover, handover_id)
    if found is None or found.uploaded_by != uploader.id:
        raise NotFound()
    return found


def made_by(uploader: User) -> list[Handover]:
    """The newest of one's own."""
    statement = select(Handover).where(Handover.uploaded_by == uploader.id)
    return list(db.session.scalars(statement.order_by(Handover.uploaded_at.desc()).limit(SHOWN)))


def _authors(uploader: User, entries: list[Any]) -> dict[str, User]:
    """The authors of `entries` for whom `uploader` may hand over. Also those no longer active: their work
    was done while they were."""
    named = {author for entry in entries if (author := _author_of(entry))}
    allowed = User.id == uploader.id
    if uploader.role == "manager":
        allowed |= devices.answered_for(uploader)
    found = db.session.scalars(select(User).where(User.id.in_(named), allowed))
    return {user.id: user for user in found}


def _author_of(entry: Any) -> str | None:
    """Who is said to have written it; None where an entry says nothing that could be a name."""
    author = entry.get("author_id") if isinstance(entry, dict) else None
    if not isinstance(author, str) or not 0 < len(author) <= 64:
        return None
    return author if strictjson.storable(author) else None


def _sent_at(brought: Brought, now: datetime) -> datetime:
    """The moment of sending by the phone's own clock, as far as it can be known.

    A file lies about for days, so its age says nothing of the clock; but a file that is made after now was
    made by a clock that runs ahead, and the visits in it must not be refused for it.
    """
    return max(now, brought.made_at) if brought.made_at else now


def _judge(uploader: User, authors: dict[str, User], entries: list[Any], sent_at: datetime) -> Outcome:
    """Judge in the order of the file, across authors too: one may have written what another's rests on."""
    outcome = Outcome()
    for author_id, chunk in _chunks(entries):
        author = authors.get(author_id) if author_id else uploader  # nobody's: refused for its shape
        if author is None:
            for entry in chunk:
                _refuse(outcome, entry, {"code": "not_yours", "detail": NOT_YOURS})
            continue
        results = service.push_sealed(author, chunk, sent_at)
        if author_id and author_id not in outcome.authors:
            outcome.authors.append(author_id)
        for entry, result in zip(chunk, results, strict=True):
            if result["status"] == "applied":
                outcome.applied += 1
            elif result["status"] == "duplicate":
                outcome.duplicate += 1
            else:
                _refuse(outcome, entry, result)
    _name_patients(outcome.refused)
    return outcome


def _chunks(entries: list[Any]) -> Iterator[tuple[str | None, list[Any]]]:
    for author_id, group in groupby(entries, _author_of):
        whole = list(group)
        for start in range(0, len(whole), MAX_OPS):
            yield author_id, whole[start : start + MAX_OPS]


def _refuse(outcome: Outcome, entry: Any, result: dict[str, Any]) -> None:
    """Note what may be told of it later: of the payload nothing but whom it is about."""
    op: dict[str, Any] = result.get("op") or {}
    payload = op["payload"] if isinstance(op.get("payload"), dict) else {}
    kind, recorded_at = op.get("kind"), op.get("recorded_at")
    outcome.kept.append(None if any(strictjson.faults(entry)) else entry)
    outcome.refused.append(
        {
            "op_id": result.get("op_id"),
            "author_id": _author_of(entry),
            "kind": kind if isinstance(kind, str) and kind in kinds else None,
            "recorded_at": recorded_at if _is_moment(recorded_at) else None,
            "patient_id": _id(payload.get("patient_id")),
            "entity_id": _id(payload.get("visit_id")) or _id(payload.get("order_id")),
            "code": result["code"],
            "detail": result.get("detail", ""),
            "faults": [{k: fault[k] for k in ("pointer", "message")} for fault in result.get("errors", [])][
                :5
            ],
        }
    )


def _name_patients(refused: list[dict[str, Any]]) -> None:
    """A correction names its visit, a transition its order: whom those are about, the feed knows."""
    wanted = {one["entity_id"] for one in refused if one["entity_id"] and not one["patient_id"]}
    if not wanted:
        return
    statement = select(Revision.entity_id, Revision.patient_id).where(Revision.entity_id.in_(wanted))
    known = dict(db.session.execute(statement).all())
    for one in refused:
        one["patient_id"] = one["patient_id"] or known.get(one["entity_id"])


def _id(value: Any) -> str | None:
    return value if is_id(value) else None


def _is_moment(value: Any) -> bool:
    try:
        clock.parse_moment(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True
