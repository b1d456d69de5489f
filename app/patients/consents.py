"""What a patient has agreed to, for each relative and purpose: what stands, and how it came about.

Nothing here commits. What stands (FamilyGrant) is read by scope.py at every question, so that a withdrawal
counts at once; each change adds a row to the history (Consent), which nobody changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select

from app.accounts import audit
from app.accounts.models import User
from app.extensions import db
from app.patients.deciding import Word
from app.patients.models import Consent, FamilyGrant, FamilyLink
from app.patients.purposes import PURPOSES, known
from app.shared import clock
from app.shared.ids import new_id

_STANDING = select(FamilyGrant.link_id, FamilyGrant.purpose).where(
    FamilyGrant.link_id.in_(bindparam("ids", expanding=True))
)


def standing(link_ids: Iterable[str]) -> dict[str, set[str]]:
    """Link id -> the purposes consented to now; every id asked for is a key."""
    found: dict[str, set[str]] = {link_id: set() for link_id in link_ids}
    for link_id, purpose in db.session.execute(_STANDING, {"ids": list(found)}):
        found[link_id].add(purpose)
    return found


def settle(link: FamilyLink, wanted: Iterable[str], word: Word, by: User | None) -> tuple[set[str], set[str]]:
    """Make `wanted` what stands for this relative; (newly given, withdrawn). The same again does nothing."""
    before, after = standing([link.id])[link.id], set(known(wanted))
    given, withdrawn = after - before, before - after
    for purpose in sorted(given):
        db.session.add(FamilyGrant(link_id=link.id, purpose=purpose))
        _remember(link, purpose, True, word, by)
    if withdrawn:
        gone = FamilyGrant.link_id == link.id, FamilyGrant.purpose.in_(withdrawn)
        db.session.execute(delete(FamilyGrant).where(*gone))
    for purpose in sorted(withdrawn):
        _remember(link, purpose, False, word, by)
    db.session.flush()
    return given, withdrawn


def history(link_id: str) -> list[Consent]:
    """Every change, newest first."""
    statement = (
        select(Consent).where(Consent.link_id == link_id).order_by(Consent.at.desc(), Consent.id.desc())
    )
    return list(db.session.scalars(statement))


def _remember(link: FamilyLink, purpose: str, given: bool, word: Word, by: User | None) -> None:
    db.session.add(
        Consent(
            id=new_id(),
            patient_id=link.patient_id,
            link_id=link.id,
            purpose=purpose,
            given=given,
            text_version=PURPOSES[purpose].version,
            recorded_by=by.id if by else None,
            at=clock.now(),
            **asdict(word),
        )
    )
    audit.note(
        "consent.give" if given else "consent.withdraw",
        object_id=link.id,
        patient_id=link.patient_id,
        result=f"ok:{purpose}{word.mark}",
        user=by,
    )
