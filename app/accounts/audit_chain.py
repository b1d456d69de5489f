"""The chain of the audit: what shows that a line was changed, taken out, put in or moved.

Each line carries a mark (HMAC under a key derived from SECRET_KEY) from the moment it is written. Linking
gives it a position, and a hash over the hash before it. Linking is a job of its own, so that readers do not
queue for one lock. What this proves and what not: docs/decisions/0021-audit-chain.md
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, func, select, update

from app.accounts.models import AuditChain, AuditLine
from app.extensions import db
from app.shared import progress, secretbox, strictjson

ONE = 1
NOTHING = "0" * 64  # the hash before the first line
LINES_A_TURN = 500  # linked, read or pruned at once


@dataclass(frozen=True)
class Link:
    """Where a chain stands: the position and hash of a line."""

    position: int
    hash: str


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong. `line` is an id, None where a line is missing."""

    line: int | None
    position: int | None
    words: str

    def __str__(self) -> str:
        named = "" if self.line is None else f"line {self.line}"
        where = "" if self.position is None else f"position {self.position}"
        return f"{', '.join(part for part in (named, where) if part) or 'chain'}: {self.words}"


def mark(line: AuditLine) -> str:
    """What proves that this program wrote the line."""
    return _mac(_keys()[0], _content(line))


def start() -> None:
    """The row of an empty chain, for a database without one. The migration makes it; tests empty tables."""
    chain = AuditChain(id=ONE, pruned_to=0, pruned_hash=NOTHING, position=0, hash=NOTHING)
    chain.mac = _mac(_keys()[0], _ends(chain))
    db.session.add(chain)


def link() -> tuple[int, Link]:
    """Link every line that stands alone, in turns; (how many, where the chain ends now). Commits.

    Lines are taken by id, and one whose transaction ended later than its neighbours' comes after them.
    Raises ValueError where the chain's own row is missing or not ours: whatever stands would be blessed.
    """
    linked = 0
    while True:
        chain = locked()
        if chain is None or not is_ours(chain):
            raise ValueError("the row of the audit chain is missing or altered")
        statement = select(AuditLine.id, AuditLine.mac).where(AuditLine.position.is_(None))
        waiting = db.session.execute(statement.order_by(AuditLine.id).limit(LINES_A_TURN)).all()
        if not waiting:
            db.session.rollback()
            return linked, Link(chain.position, chain.hash)
        _give(chain, [(line_id, mac) for line_id, mac in waiting])
        db.session.commit()
        linked += len(waiting)


def _give(chain: AuditChain, waiting: list[tuple[int, str]]) -> None:
    key, at, rows = _keys()[0], Link(chain.position, chain.hash), []
    for line_id, mac in waiting:
        at = Link(at.position + 1, _link(key, at, line_id, mac))
        rows.append({"line": line_id, "at_position": at.position, "at_hash": at.hash})
    db.session.connection().execute(
        update(AuditLine.__table__)  # type: ignore[arg-type]
        .where(AuditLine.__table__.c.id == bindparam("line"))
        .values(position=bindparam("at_position"), hash=bindparam("at_hash")),
        rows,
    )
    chain.position, chain.hash = at.position, at.hash
    _sign(chain)


def verify() -> Fault | None:
    """The first fault of the whole audit, linked lines before those that still wait. Changes nothing."""
    chain = locked()
    if chain is None:
        return Fault(None, None, "the row of the chain is missing")
    if not is_ours(chain):
        return Fault(None, None, "the row of the chain was altered, or belongs to another SECRET_KEY")
    at = Link(chain.pruned_to, chain.pruned_hash)
    for line in linked_lines():
        fault = wrong(line, at)
        if fault is not None:
            return fault
        at = _stands(line)
        if at.position > chain.position:
            return Fault(line.id, at.position, f"linked beyond the end of the chain, {chain.position}")
    if at != Link(chain.position, chain.hash):
        gone = chain.position - at.position
        return Fault(None, at.position + 1, f"missing: {gone} lines were deleted at the end")
    return _strangers()


def _strangers() -> Fault | None:
    """Lines that wait to be linked, not written by this program or put in twice."""
    after = 0
    while True:
        statement = select(AuditLine).where(AuditLine.position.is_(None), AuditLine.id > after)
        found = list(db.session.scalars(statement.order_by(AuditLine.id).limit(LINES_A_TURN)))
        if not found:
            return None
        for line in found:
            if not is_genuine(line):
                return Fault(line.id, None, "changed after it was written, or not written by this program")
        after = found[-1].id
        db.session.expunge_all()


def wrong(line: AuditLine, before: Link) -> Fault | None:
    """What is wrong with this line after the one `before`; None for a sound one."""
    at = _stands(line)
    if at.position != before.position + 1:
        return Fault(
            None, before.position + 1, f"missing; the next line is {line.id}, position {at.position}"
        )
    if not is_genuine(line):
        return Fault(line.id, at.position, "changed after it was written, or not written by this program")
    if not any(_same(_link(key, before, line.id, line.mac), at.hash) for key in _keys()):
        return Fault(line.id, at.position, "not in its place: lines were moved, or its link was altered")
    return None


def linked_lines(since: int = 0, until: int | None = None) -> Iterator[AuditLine]:
    """Linked lines after position `since`, in order, a few hundred in memory at a time."""
    before, last = since, until if until is not None else 0
    if until is None and progress.is_wanted():
        last = db.session.scalar(select(func.max(AuditLine.position))) or 0
    while True:
        statement = select(AuditLine).where(AuditLine.position > since)
        if until is not None:
            statement = statement.where(AuditLine.position <= until)
        found = list(db.session.scalars(statement.order_by(AuditLine.position).limit(LINES_A_TURN)))
        if not found:
            return
        yield from found
        since = found[-1].position or 0
        progress.step("lines", since - before, max(0, last - before))
        db.session.expunge_all()


def begin() -> int:
    """Position of the first line that is still here."""
    return db.session.get_one(AuditChain, ONE).pruned_to + 1


def differs(noted: str) -> Fault | None:
    """Whether the chain no longer goes through a link that was noted elsewhere (`POSITION:HASH`)."""
    position, _, expected = noted.partition(":")
    if not position.isdigit():
        return Fault(None, None, f"{noted} is no POSITION:HASH")
    statement = select(AuditLine.hash).where(AuditLine.position == int(position))
    if db.session.scalar(statement) == expected:
        return None
    return Fault(None, int(position), "not the hash that was noted: the chain was rewritten")


def last_before(moment: datetime) -> int:
    """Position of the last line before which everything is older than `moment`."""
    first = db.session.scalar(select(func.min(AuditLine.position)).where(AuditLine.at >= moment))
    if first is not None:
        return int(first) - 1
    return int(db.session.scalar(select(func.max(AuditLine.position))) or 0)


def move_anchor(line: AuditLine) -> None:
    """From here on the chain begins after `line`; only then may it and what is before it be deleted."""
    chain = locked()
    if chain is None or not is_ours(chain):
        raise ValueError("the row of the audit chain is missing or altered")
    at = _stands(line)
    chain.pruned_to, chain.pruned_hash = at.position, at.hash
    _sign(chain)
    db.session.flush()


def locked() -> AuditChain | None:
    """The chain's row, kept from others who link or prune until the transaction ends."""
    return db.session.get(AuditChain, ONE, with_for_update=True, populate_existing=True)


def is_ours(chain: AuditChain) -> bool:
    return any(_same(_mac(key, _ends(chain)), chain.mac) for key in _keys())


def is_genuine(line: AuditLine) -> bool:
    content = _content(line)
    return any(_same(_mac(key, content), line.mac) for key in _keys())


def _stands(line: AuditLine) -> Link:
    return Link(line.position or 0, line.hash or "")


def _sign(chain: AuditChain) -> None:
    chain.mac = _mac(_keys()[0], _ends(chain))


def _keys() -> list[bytes]:
    return secretbox.keys(b"audit")


def _content(line: AuditLine) -> list[object]:
    return [
        "line", line.event_id, _moment(line.at), line.user_id, line.role, line.org_id, line.device_id,
        line.address, line.action, line.object_id, line.patient_id, _moment(line.claimed_at), line.result,
        line.request_id,
    ]  # fmt: skip


def _ends(chain: AuditChain) -> list[object]:
    return ["chain", chain.pruned_to, chain.pruned_hash, chain.position, chain.hash]


def _link(key: bytes, before: Link, line_id: int, mac: str) -> str:
    return _mac(key, ["link", before.hash, before.position + 1, line_id, mac])


def _mac(key: bytes, content: Iterable[object]) -> str:
    text = strictjson.canonical(list(content), fractions=False)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")
