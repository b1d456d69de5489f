"""The audit as files: what leaves the database for a long time, or for somebody else's eyes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import delete, func, select

from app.accounts import audit_chain
from app.accounts.audit_chain import Fault, Link
from app.accounts.models import AuditChain, AuditLine
from app.extensions import db
from app.shared import progress

TEXTS = (
    "event_id", "user_id", "role", "org_id", "device_id", "address", "action", "object_id", "patient_id",
    "result", "request_id", "mac", "hash",
)  # fmt: skip
COLUMNS = ("position", "id", "at", "claimed_at", *TEXTS, "previous")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate


def range_of(since: datetime, until: datetime) -> tuple[int, int] | None:
    """Positions of the first and last line between two moments; what lies between them belongs to it."""
    wanted = (AuditLine.at >= since, AuditLine.at < until, AuditLine.position.is_not(None))
    first, last = db.session.execute(
        select(func.min(AuditLine.position), func.max(AuditLine.position)).where(*wanted)
    ).one()
    return None if first is None or last is None else (first, last)


def write(file: TextIO, first: int, last: int, *, as_csv: bool = False) -> tuple[int, str]:
    """Write the lines of these positions, with the chain; how many, and the SHA-256 of what was written."""
    digest = hashlib.sha256()

    class Counted:
        def write(self, text: str) -> int:
            digest.update(text.encode())
            return file.write(text)

    put = _csv_writer(Counted()) if as_csv else _json_writer(Counted())
    count, previous = 0, _hash_before(first)
    for line in audit_chain.linked_lines(first - 1, last):
        put(_row(line, previous))
        previous = line.hash or ""
        count += 1
    return count, digest.hexdigest()


def write_new(path: str, first: int, last: int) -> tuple[int, str]:
    """The same into a file that must not exist yet, and is on the disk when this returns."""
    with open(path, "x", encoding="utf-8") as file:
        written = write(file, first, last)
        file.flush()
        os.fsync(file.fileno())
    return written


def verify(file: Iterable[str]) -> tuple[int, Fault | None]:
    """Check a file of `write` by itself: (lines, the first fault)."""
    count, at = 0, None
    for text in file:
        try:
            given = json.loads(text)
            line, previous = _line(given), str(given["previous"])
        except (ValueError, KeyError, TypeError):
            return count, Fault(None, None, f"line {count + 1} of the file cannot be read")
        at = at or Link((line.position or 0) - 1, previous)
        fault = audit_chain.wrong(line, at)
        if fault is not None:
            return count, fault
        at = Link(line.position or 0, line.hash or "")
        count += 1
        if count % audit_chain.LINES_A_TURN == 0:
            progress.step("lines", count)
    return count, None


def prune(last: int) -> int:
    """Delete every line up to position `last`, some hundred in each transaction. Commits.

    The chain's row then begins behind them, so that what is left can still be verified.
    """
    gone = 0
    while True:
        statement = select(AuditLine).where(AuditLine.position <= last).order_by(AuditLine.position)
        turn = list(db.session.scalars(statement.limit(audit_chain.LINES_A_TURN)))
        if not turn:
            return gone
        audit_chain.move_anchor(turn[-1])
        db.session.execute(delete(AuditLine).where(AuditLine.position <= turn[-1].position))
        db.session.commit()
        gone += len(turn)


def _hash_before(first: int) -> str:
    chain = db.session.get_one(AuditChain, audit_chain.ONE)
    if first - 1 <= chain.pruned_to:
        return chain.pruned_hash
    return db.session.scalar(select(AuditLine.hash).where(AuditLine.position == first - 1)) or ""


def _row(line: AuditLine, previous: str) -> dict[str, Any]:
    texts = {name: getattr(line, name) for name in TEXTS}
    claimed_at = line.claimed_at.isoformat(timespec="microseconds") if line.claimed_at else None
    return {
        "position": line.position,
        "id": line.id,
        "at": line.at.isoformat(timespec="microseconds"),
        "claimed_at": claimed_at,
        **texts,
        "previous": previous,
    }


def _line(given: dict[str, Any]) -> AuditLine:
    claimed_at = datetime.fromisoformat(given["claimed_at"]) if given["claimed_at"] else None
    return AuditLine(
        id=int(given["id"]),
        position=int(given["position"]),
        at=datetime.fromisoformat(given["at"]),
        claimed_at=claimed_at,
        **{name: given[name] for name in TEXTS},
    )


def _json_writer(file: Any) -> Callable[[dict[str, Any]], object]:
    return lambda row: file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def _csv_writer(file: Any) -> Callable[[dict[str, Any]], object]:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    return lambda row: writer.writerow(dict(_plain(row)))


def _plain(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        formula = isinstance(value, str) and value.startswith(FORMULA)
        yield name, f"'{value}" if formula else value
