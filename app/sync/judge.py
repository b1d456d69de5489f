"""The fate of each operation of a push: checked, applied by the room whose kind it is, kept in the feed.

Operations in a row whose kind allows it are judged together and written in a few statements. Whenever that
fails for a reason nobody foresaw, each of them is taken by itself: one odd visit must not block the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from time import monotonic
from typing import Any, Protocol, cast

from sqlalchemy import BindParameter, bindparam, event, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.accounts import audit
from app.accounts.models import AuditLine, User
from app.errors import DomainError, frames_only
from app.extensions import db
from app.shared import bulk, clock
from app.sync import checks, feed
from app.sync.answers import ALREADY_APPLIED, accepted, refusal
from app.sync.checks import Looked
from app.sync.models import Revision
from app.sync.registry import Applied, Conflict, Kind, Op, Rejected, kinds

log = logging.getLogger("nuanxun")
HELD = "sync.remembered"
Apply = Callable[[Op], Applied]
Result = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """An operation that was applied: what becomes of it in the feed and in the audit."""

    revision: Revision
    line: AuditLine


class Known(Protocol):
    """What is asked of an operation that was applied before: a row of these columns, or a draft."""

    op_id: str
    author_id: str
    digest: str
    entity_id: str
    revision: int
    replaces: str | None


KNOWN = (
    Revision.op_id, Revision.author_id, Revision.digest, Revision.entity_id, Revision.revision,
    Revision.replaces,
)  # fmt: skip


@dataclass(frozen=True)
class Past:
    """What this batch may meet again: operations applied before, and the author's that were mended."""

    applied: dict[str, Known]
    mended: dict[str, Known]

    def add(self, made: Revision) -> None:
        self.applied[made.op_id] = made
        if made.replaces is not None:
            self.mended[made.replaces] = made

    def is_empty(self) -> bool:
        return not self.applied and not self.mended


@contextmanager
def remembering() -> Iterator[None]:
    """Within, what was read once is not read again: by itself the session holds its objects weakly."""
    info = db.session().info
    info[HELD] = []
    try:
        yield
    finally:
        info.pop(HELD, None)


@event.listens_for(Session, "loaded_as_persistent")
def _hold(session: Session, instance: object) -> None:
    held: list[object] | None = session.info.get(HELD)
    if held is not None:
        held.append(instance)


class Judge:
    """Of one push by one person. To be made, and asked, under the feed's lock."""

    def __init__(self, user: User, ops: list[Looked], received_at: datetime, skew: timedelta) -> None:
        self.user, self.ops = user, ops
        self.received_at, self.skew = received_at, skew
        self.by = audit.asker(user)
        self.past = _past(user, ops)

    def some(self, begin: int, until: float) -> list[Result]:
        """Results from the operation at `begin` on: as far as its kind reaches, hardly beyond `until`."""
        kind = self.ops[begin].kind
        run = list(takewhile(lambda op: op.kind is kind, self.ops[begin:]))
        if kind is None or kind.together is None or len(run) == 1:
            return [self._alone(run[0])]
        return self._together(kind, run, until)

    def _together(self, kind: Kind, run: list[Looked], until: float) -> list[Result]:
        savepoint = db.session.begin_nested()
        try:
            results = self._written(kind, run, until)
            savepoint.commit()
            return results
        except (IntegrityError, DataError):
            pass  # one of them does not fit; taken alone it will be told so
        except SQLAlchemyError:
            raise
        except Exception as error:
            log.error("operations failed together: %s", type(error).__name__, exc_info=frames_only(error))
        savepoint.rollback()
        self.past = _past(self.user, self.ops)
        return [self._alone(run[0])]

    def _written(self, kind: Kind, run: list[Looked], until: float) -> list[Result]:
        results, kept = [], []
        with db.session.no_autoflush:
            work = kind.together(self.user, [looked.raw["payload"] for looked in run])  # type: ignore[misc]
            for looked in run:
                try:
                    result, made = self.judge(looked, work.apply)
                except (Rejected, Conflict) as no:
                    result, made = self._refused(looked.raw, no), None
                results.append(result)
                if made is not None:
                    kept.append(made)
                    self.past.add(made.revision)
                if monotonic() > until:
                    break
            work.write()
        keep(kept)
        return results

    def _alone(self, looked: Looked) -> Result:
        raw = looked.raw
        savepoint = db.session.begin_nested()
        try:
            result, made = self.judge(looked, self._apply_alone)
            if made is not None:
                keep([made])
            db.session.flush()
            savepoint.commit()
            if made is not None:
                self.past.add(made.revision)
            return result
        except (Rejected, Conflict) as no:
            savepoint.rollback()
            return self._refused(raw, no)
        except IntegrityError:
            savepoint.rollback()
            return self._invalid(raw, "内容与已有的数据冲突。")
        except DataError:
            savepoint.rollback()
            return self._invalid(raw, "有内容过长或超出范围，存不进去。")
        except SQLAlchemyError:
            raise  # the database is in trouble, not the operation
        except Exception as error:
            # One odd visit must not block a week of work; sent again after a repair it is judged afresh.
            savepoint.rollback()
            log.error("operation failed: %s", type(error).__name__, exc_info=frames_only(error))
            return self._invalid(raw, "服务器处理这条记录时出了错，已经记录下来。")

    def _apply_alone(self, op: Op) -> Applied:
        kind = kinds[op.kind]
        if kind.apply is not None:
            return kind.apply(op)
        with db.session.no_autoflush:
            work = kind.together(op.author, [op.payload])  # type: ignore[misc]
            applied = work.apply(op)
            work.write()
        return applied

    def judge(self, looked: Looked, apply: Apply) -> tuple[Result, Kept | None]:
        """The result, and what there is to keep of it if it is new. Raises Rejected and Conflict."""
        if looked.fault is not None:
            raise looked.fault
        raw, kind = looked.raw, looked.kind
        if raw["author_id"] != self.user.id:
            raise Rejected("author_mismatch")
        # op_id before anything about the record: a late copy of an applied edit is a duplicate, no conflict
        if (known := self._known(raw, looked.digest)) is not None:
            return known, None
        self._not_mended_yet(raw.get("replaces"))
        if kind is None:
            raise Rejected("unknown_kind")
        if self.user.role not in kind.roles:
            raise Rejected("forbidden")
        if looked.payload_fault is not None:
            raise looked.payload_fault
        op = Op(
            op_id=raw["op_id"],
            device_id=raw["device_id"],
            author=self.user,
            kind=kind.name,
            recorded_at=clock.parse_moment(raw["recorded_at"]),
            received_at=self.received_at,
            skew=self.skew,
            payload=raw["payload"],
            base_revision=raw.get("base_revision"),
        )
        applied = _asked(apply, op)
        made = _revision(op, looked, kind, applied)
        line = audit.line(kind.name, object_id=applied.entity_id, patient_id=applied.patient_id, by=self.by)
        return accepted("applied", op.op_id, applied.entity_id, applied.revision), Kept(made, line)

    def _known(self, raw: dict[str, Any], digest: str) -> Result | None:
        """The first result of an operation that was applied, or mended, before."""
        known = self.past.applied.get(raw["op_id"])
        if known is not None:
            if known.author_id != self.user.id or known.digest != digest:
                raise Rejected("op_id_reused")
            return accepted("duplicate", known.op_id, known.entity_id, known.revision)
        better = self.past.mended.get(raw["op_id"])
        if better is None:
            return None
        mended = accepted("duplicate", raw["op_id"], better.entity_id, better.revision)
        return {**mended, "replaced_by": better.op_id}

    def _not_mended_yet(self, op_id: str | None) -> None:
        """Raises when what an operation replaces was applied, by itself or mended before."""
        found = self.past.applied.get(op_id or "") or self.past.mended.get(op_id or "")
        if found is None:
            return
        if found.author_id != self.user.id:
            fault = {"pointer": "/replaces", "code": "invalid", "message": "只能更正自己的记录"}
            raise Rejected("invalid", errors=[fault])
        current = {"entity_id": found.entity_id, "revision": found.revision}
        raise Conflict("already_applied", ALREADY_APPLIED, current)

    def _refused(self, raw: Any, no: Rejected | Conflict) -> Result:
        op_id = checks.id_in(raw)
        if isinstance(no, Rejected):
            if no.code == "not_found" and feed.restored_lately():
                return refusal(self.user, op_id, raw, "rejected", "missing_dependency")
            return refusal(self.user, op_id, raw, "rejected", no.code, no.detail, errors=no.errors)
        if _lost_before(raw, no) and feed.restored_lately():
            return refusal(self.user, op_id, raw, "rejected", "missing_dependency")
        if no.keep is not None:
            with db.session.begin_nested():
                no.keep()
        return refusal(self.user, op_id, raw, "conflict", no.code, no.detail, current=no.current)

    def _invalid(self, raw: Any, detail: str) -> Result:
        return refusal(self.user, checks.id_in(raw), raw, "rejected", "invalid", detail)


def ids_in(ops: Iterable[Looked]) -> set[str]:
    """Of the operations themselves, and of those they replace."""
    named = (looked.raw.get(name) for looked in ops if not looked.fault for name in ("op_id", "replaces"))
    return {op_id for op_id in named if op_id is not None}


def _past(user: User, ops: list[Looked]) -> Past:
    """Two queries for the whole batch. Called under the lock."""
    session, ids = db.session(), list(ids_in(ops))
    applied = bulk.rows(session, _APPLIED, {"ids": ids})
    mended = bulk.rows(session, _MENDED, {"ids": ids, "author": user.id})
    return Past(
        {row.op_id: cast(Known, row) for row in applied},
        {str(row.replaces): cast(Known, row) for row in mended},
    )


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_APPLIED = select(*KNOWN).where(Revision.op_id.in_(_IDS))
_MENDED = select(*KNOWN).where(Revision.author_id == bindparam("author"), Revision.replaces.in_(_IDS))


def _lost_before(raw: dict[str, Any], no: Conflict) -> bool:
    """Whether an operation rests on a revision that is not there: after a restore it is on another phone."""
    return no.code == "stale_revision" and raw.get("base_revision", 0) > no.current.get("revision", 0)


def _asked(apply: Apply, op: Op) -> Applied:
    """Handlers know nothing of the envelope: their pointers are relative to the payload."""
    try:
        return apply(op)
    except Rejected as no:
        errors = [{**e, "pointer": "/payload" + e["pointer"]} for e in no.errors]
        raise Rejected(no.code, no.detail, errors) from no
    except DomainError as no:  # said by a rule that pages ask as well
        if no.status not in (403, 404, 409, 422):
            raise  # trouble that passes is no answer about this operation: the phone sends it again
        raise Rejected(no.code, no.detail) from no


def _revision(op: Op, looked: Looked, kind: Kind, applied: Applied) -> Revision:
    return bulk.draft(
        Revision,
        op_id=op.op_id,
        digest=looked.digest,
        entity_kind=kind.entity,
        entity_id=applied.entity_id,
        revision=applied.revision,
        kind=kind.name,
        author_id=op.author.id,
        device_id=op.device_id,
        patient_id=applied.patient_id,
        recorded_at=looked.raw["recorded_at"],
        received_at=op.received_at.astimezone(UTC),
        skew_s=max(-(2**31), min(2**31 - 1, int(op.skew.total_seconds()))),
        state=applied.state,
        replaces=looked.raw.get("replaces"),
        payload=feed.seal_payload(looked.payload_text, kind.sealed),
    )


def keep(kept: list[Kept]) -> None:
    feed.enter([one.revision for one in kept])
    audit.write(one.line for one in kept)
