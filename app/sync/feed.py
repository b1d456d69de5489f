"""The feed: the commit-ordered list of all revisions.

PostgreSQL sequences are not commit-ordered: a reader can pass a number whose transaction commits later,
and never see it. So numbers come from one row whose lock is held until commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, event, func, select, update
from sqlalchemy.orm import Session, SessionTransaction

from app.accounts.models import User
from app.extensions import db
from app.replica import REACHED
from app.shared import bulk, clock, secretbox
from app.shared.ids import new_id
from app.sync.models import Departure, FeedHead, Revision, Touch

HEAD = 1
EPOCH = select(FeedHead.epoch).where(FeedHead.id == HEAD).scalar_subquery()  # for statements that ask more
RESTORED = "restored."
KEPT_BY_PHONES = timedelta(days=30)  # for so long they keep copies of what was confirmed (SYNC §3)

MANY = 5000  # operations; to look through them is quicker than to judge a push once more
LEDGER = "feed"
LOOKING = "feed.looking"


@dataclass
class Ledger:
    """What this transaction, which holds the lock, has handed out; written once, at its commit.

    An operation that was undone leaves a gap in the numbers and a patient touched for nothing: harmless.
    """

    seq: int
    touched: dict[str, int] = field(default_factory=dict)


class NotLocked(Exception):
    """Something wants a feed number where nothing may be changed yet."""


@contextmanager
def unlocked() -> Iterator[None]:
    """Within, nobody gets the lock: work that only looks ahead must not change anything."""
    info = db.session.info
    info[LOOKING] = True
    try:
        yield
    finally:
        info.pop(LOOKING, None)


def lock() -> None:
    """Wait until this transaction alone may hand out feed numbers. Released by commit or rollback."""
    _ledger()


def is_locked() -> bool:
    """Whether this transaction has the lock."""
    return LEDGER in db.session().info


def take(count: int = 1) -> int:
    """The last of `count` fresh feed numbers."""
    ledger = _ledger()
    ledger.seq += count
    return ledger.seq


def _ledger() -> Ledger:
    session = db.session()
    ledger: Ledger | None = session.info.get(LEDGER)
    if session.info.get(LOOKING):
        raise NotLocked()
    if ledger is None:
        statement = (
            update(FeedHead).where(FeedHead.id == HEAD).values(seq=FeedHead.seq).returning(FeedHead.seq)
        )
        seq = session.scalar(statement.execution_options(synchronize_session=False))
        if seq is None:
            start()
            return _ledger()
        ledger = session.info[LEDGER] = Ledger(seq)
    return ledger


@event.listens_for(Session, "before_commit")
def _write_ledger(session: Session) -> None:
    if session.in_nested_transaction():
        return
    ledger: Ledger | None = session.info.pop(LEDGER, None)
    if ledger is None:
        return
    session.info[REACHED] = ledger.seq
    head = update(FeedHead).where(FeedHead.id == HEAD).values(seq=ledger.seq)
    session.execute(head.execution_options(synchronize_session=False))
    if ledger.touched:
        _write_touches(session, ledger.touched)


def _write_touches(session: Session, touched: dict[str, int]) -> None:
    statement = bulk.inserting(session, Touch)
    statement = statement.on_conflict_do_update(
        index_elements=["patient_id"], set_={"seq": statement.excluded.seq}
    )
    session.execute(statement, [{"patient_id": i, "seq": seq} for i, seq in sorted(touched.items())])


@event.listens_for(Session, "after_transaction_end")
def _drop_ledger(session: Session, transaction: SessionTransaction) -> None:
    """With the transaction goes the lock, and what was handed out under it."""
    if transaction.parent is None:
        session.info.pop(LEDGER, None)


def start() -> None:
    """Make the head row; done by migration, and again by whoever empties the database."""
    db.session.add(FeedHead(id=HEAD, seq=0, epoch=new_id()))
    db.session.flush()


def position() -> int:
    """The newest feed number this transaction can see."""
    return db.session.scalar(_POSITION) or 0


_POSITION = select(FeedHead.seq).where(FeedHead.id == HEAD)


def epoch() -> str:
    """Changes when the server was restored from a backup: clients then pull from the beginning."""
    return db.session.scalar(select(FeedHead.epoch).where(FeedHead.id == HEAD)) or ""


def begin_anew(connection: Connection) -> str:
    """Give a database that came out of a backup its new epoch, which it returns. Does not commit.

    The epoch says when: for a while phones bring back what the backup lacked (restored_lately).
    """
    made = f"{RESTORED}{clock.now():%Y%m%dT%H%M%SZ}.{new_id()[-8:]}"
    connection.execute(update(FeedHead.__table__).values(epoch=made))  # type: ignore[arg-type]
    return made


def restored_lately() -> bool:
    """Whether phones may still be bringing back operations that this database had and lost."""
    said = epoch()
    if not said.startswith(RESTORED):
        return False
    at = datetime.strptime(said.removeprefix(RESTORED)[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return clock.now() - at < KEPT_BY_PHONES


def touch(*patient_ids: str) -> int:
    """Note that something about these patients changed. Returns the feed number of the change.

    Stored pages then are old, and what was judged of these patients before is judged again.
    """
    seq = take()
    _touch(patient_ids, seq)
    return seq


def _touch(patient_ids: Iterable[str], seq: int) -> None:
    _ledger().touched.update(dict.fromkeys(patient_ids, seq))


def touched(patient_ids: Iterable[str]) -> dict[str, int]:
    """Patient id -> newest feed number that concerns them (absent: never touched); this transaction's too."""
    wanted = list(patient_ids)
    if not wanted:
        return {}
    statement = select(Touch.patient_id, Touch.seq).where(Touch.patient_id.in_(wanted))
    found: dict[str, int] = {patient_id: seq for patient_id, seq in bulk.rows(db.session(), statement)}
    ledger: Ledger | None = db.session().info.get(LEDGER)
    unwritten = ledger.touched if ledger is not None else {}
    return found | {patient_id: unwritten[patient_id] for patient_id in wanted if patient_id in unwritten}


def touched_since(seq: int) -> set[str]:
    """Patients about whom something changed after feed number `seq`; in this transaction too."""
    newer = bulk.rows(db.session(), _TOUCHED_SINCE, {"since": seq})
    ledger: Ledger | None = db.session().info.get(LEDGER)
    return {row.patient_id for row in newer}.union(ledger.touched if ledger is not None else ())


def is_silent_on(op_ids: set[str], seq: int) -> bool:
    """Whether no operation after feed number `seq` is one of these or replaces one. Of too many: no."""
    found = bulk.rows(db.session(), _NEWER, {"since": seq, "many": MANY})
    return len(found) < MANY and all(row.op_id not in op_ids and row.replaces not in op_ids for row in found)


# Made once: to make one anew costs about as much as to have it answered.
_TOUCHED_SINCE = select(Touch.patient_id).where(Touch.seq > bindparam("since"))
_NEWER = (
    select(Revision.op_id, Revision.replaces)
    .where(Revision.seq > bindparam("since"))
    .limit(bindparam("many"))
)


def enter(revisions: Sequence[Revision]) -> None:
    """Give `revisions`, drafts of rows, the next feed numbers, store them, and touch their patients."""
    first = take(len(revisions)) - len(revisions) + 1
    for seq, revision in enumerate(revisions, first):
        revision.seq = seq
        _touch([revision.patient_id], seq)
    bulk.insert_drafts(db.session(), Revision, revisions)


def resend(patient_id: str) -> None:
    """A patient entered somebody's scope: all their revisions get fresh numbers, in the old order.

    Who already had them gets them twice, which is harmless (id + revision); who is new gets them at all.
    """
    op_ids = list(
        db.session.scalars(
            select(Revision.op_id).where(Revision.patient_id == patient_id).order_by(Revision.seq)
        )
    )
    last = take(len(op_ids) + 1)
    for place, op_id in enumerate(op_ids):
        seq = last - len(op_ids) + place
        db.session.execute(update(Revision).where(Revision.op_id == op_id).values(seq=seq))
    _touch([patient_id], last)


def depart(patient_id: str, audiences: Iterable[str]) -> None:
    """The patient left these audiences; whoever belongs to one and sees them no more deletes them."""
    seq = take()
    for audience in audiences:
        db.session.add(Departure(seq=seq, audience=audience, patient_id=patient_id))
    _touch([patient_id], seq)


def audiences_of(user: User) -> list[str]:
    found = [f"user:{user.id}"]
    if user.team_id:
        found.append(f"team:{user.team_id}")
    if user.place_code:
        found += [f"village:{user.place_code}", f"town:{user.place_code}"]
    return found


def departures(user: User, since: int, until: int | None = None) -> set[str]:
    """Patients that left an audience of `user` after feed number `since`. They may have come back."""
    statement = select(Departure.patient_id).where(
        Departure.audience.in_(audiences_of(user)), Departure.seq > since
    )
    if until is not None:
        statement = statement.where(Departure.seq <= until)
    return set(db.session.scalars(statement))


def left_at(user: User) -> int:
    """The newest feed number at which somebody left an audience of `user`; 0 for never."""
    statement = select(func.max(Departure.seq)).where(Departure.audience.in_(audiences_of(user)))
    return db.session.scalar(statement) or 0


def history(entity_id: str) -> list[Revision]:
    """All revisions of a record, oldest first."""
    return list(
        db.session.scalars(
            select(Revision).where(Revision.entity_id == entity_id).order_by(Revision.revision)
        )
    )


def about(patient_id: str) -> list[Revision]:
    """All revisions of everything about a patient, in feed order."""
    statement = select(Revision).where(Revision.patient_id == patient_id).order_by(Revision.seq)
    return list(db.session.scalars(statement))


def seal_payload(text: str, sealed: bool) -> str:
    return secretbox.seal(text) if sealed else text


def open_payload(stored: str) -> str:
    return secretbox.unseal(stored) if stored.startswith(secretbox.PREFIX) else stored


def forget_all() -> None:
    """Empty the feed (demo reset): a new epoch tells every client to begin again."""
    for model in (Revision, Touch, Departure, FeedHead):
        db.session.execute(delete(model))
    db.session.info.pop(LEDGER, None)
    start()
