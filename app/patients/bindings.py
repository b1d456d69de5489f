"""How a relative comes to be bound to a patient, and ceases to be.

The clinic makes a code after the person has said what they agree to; the relative enters it; the clinic
confirms that it is the right one. Each function is one thing somebody does, and commits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from app.accounts import audit, codes, throttle
from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.patients import consents, deciding, scope
from app.patients import service as patients
from app.patients.deciding import Word
from app.patients.events import binding_claimed, binding_decided, binding_narrowed
from app.patients.models import FamilyInvitation, FamilyLink, Patient
from app.patients.purposes import known
from app.shared import clock, secretbox
from app.shared.ids import new_id
from app.shared.words import UNPRINTED, blank
from app.sync import feed

MOST = 5  # relatives of one person (domain/identity.md §5)
CODE_LASTS = timedelta(hours=72)
CLAIM_LASTS = timedelta(days=14)  # to be confirmed at the next visit or call
FREE_TRIES = 5
WINDOW_S, TRIES_OF_ALL = 300, 100
HOW = {"patient": "老人要求", "relative": "家属自己解除", "clinic": "卫生室解除"}


def invite(actor: User, patient_id: str, purposes: Iterable[str], word: Word) -> tuple[FamilyInvitation, str]:
    """An invitation and its code, which is told once and kept nowhere."""
    patient = scope.get(actor, patient_id, "bind")
    feed.lock()  # two at once must not make a sixth
    if len(links_of_patient(patient.id)) + len(open_invitations(patient.id)) >= MOST:
        raise DomainError(f"一位老人最多绑定 {MOST} 位家属，请先解除不再需要的。", code="too_many_relatives")
    code, now = codes.make(2), clock.now()
    made = FamilyInvitation(
        id=new_id(),
        patient_id=patient.id,
        code_hash=_hash(code),
        purposes=known(purposes),
        made_by=actor.id,
        made_at=now,
        expires_at=now + CODE_LASTS,
        **asdict(word),
    )
    db.session.add(made)
    audit.note("family.invite", object_id=made.id, patient_id=patient.id, result=f"ok{word.mark}")
    db.session.commit()
    return made, code


def claim(user: User, code: str, relation: str) -> FamilyInvitation:
    """A relative enters a code. Says nothing about the person before the clinic has confirmed.

    Raises DomainError: 429 after wrong tries; one and the same answer for wrong, used up and expired codes.
    """
    key = f"bind:{user.id}"
    throttle.check_slow(key, FREE_TRIES)
    check_tries()
    relation = called(relation)
    found = take(user, code, relation)
    if found is None:
        throttle.count_slow(key)
        count_wrong()
        audit.note("family.claim", result="refused:code")
        db.session.commit()
        raise wrong_code()
    throttle.forget(key)
    db.session.commit()
    return found


def take(user: User, code: str, relation: str) -> FamilyInvitation | None:
    """The invitation whose code this is, now the user's to wait for; None for a code that opens nothing.

    No commit, and no counting of tries.
    """
    found = db.session.scalar(select(FamilyInvitation).where(FamilyInvitation.code_hash == _hash(code)))
    if found is None or not _take(found, user, relation, clock.now()):
        return None
    audit.note("family.claim", object_id=found.id, patient_id=found.patient_id, user=user)
    binding_claimed.send(found.patient_id, invitation=found, relative=user)
    return found


def is_open(code: str) -> bool:
    """Whether a relative who has entered nothing yet could take this code now."""
    statement = select(FamilyInvitation.id).where(
        FamilyInvitation.code_hash == _hash(code),
        FamilyInvitation.ended_at.is_(None),
        FamilyInvitation.claimed_by.is_(None),
        FamilyInvitation.expires_at > clock.now(),
    )
    return db.session.scalar(statement) is not None


def check_tries() -> None:
    """Raises DomainError 429 when too many wrong codes were tried lately, by whomever."""
    throttle.check("bind:everybody", TRIES_OF_ALL, window_s=WINDOW_S)


def count_wrong() -> None:
    """One wrong code more. No commit."""
    throttle.count("bind:everybody", window_s=WINDOW_S)


def wrong_code() -> DomainError:
    """One and the same for codes that never were and those that are used up, run out or taken back."""
    return DomainError("绑定码不对，或者已经用过、过期。请卫生室重新给一个。", field="code")


def confirm(actor: User, patient_id: str, invitation_id: str) -> FamilyLink:
    """The clinic knows who entered the code: bind them, with the consents the person gave."""
    patient, invitation = _invitation(actor, patient_id, invitation_id)
    feed.lock()
    relative = db.session.get(User, invitation.claimed_by) if invitation.claimed_by else None
    if relative is None:
        raise DomainError("还没有家属输入这个绑定码。", code="not_claimed")
    if not relative.active:
        raise DomainError("这位家属的账号已停用，不能绑定。", code="inactive")
    if _bound(relative.id, patient.id) is not None:
        raise DomainError("这位家属已经绑定过了。", code="already_bound")
    word = deciding.of(invitation)
    link = patients.link_family(
        relative, patient, invitation.relation or patient.name, invitation.purposes, word, actor
    )
    _close(invitation, actor, "confirmed")
    audit.note("family.confirm", object_id=link.id, patient_id=patient.id, result=f"ok{word.mark}")
    binding_decided.send(patient.id, relative_id=relative.id, bound=True)
    db.session.commit()
    return link


def dismiss(actor: User, patient_id: str, invitation_id: str) -> None:
    """Take an invitation back, or refuse whoever entered its code."""
    patient, invitation = _invitation(actor, patient_id, invitation_id)
    outcome = "refused" if invitation.claimed_by else "withdrawn"
    _close(invitation, actor, outcome)
    audit.note(f"family.{outcome}", object_id=invitation.id, patient_id=patient.id)
    if invitation.claimed_by:
        binding_decided.send(patient.id, relative_id=invitation.claimed_by, bound=False)
    db.session.commit()


def change(actor: User, patient_id: str, link_id: str, purposes: Iterable[str], word: Word) -> FamilyLink:
    """What the person agrees to from now on, told at the clinic."""
    patient, link = one(actor, patient_id, link_id)
    given, withdrawn = consents.settle(link, purposes, word, actor)
    _let_phones_know(patient, link, given, withdrawn)
    db.session.commit()
    return link


def end(actor: User, patient_id: str, link_id: str, how: str, word: Word) -> None:
    """The clinic unbinds a relative, because the person wants it or of its own accord (`how` of HOW)."""
    patient, link = one(actor, patient_id, link_id)
    if how not in ("patient", "clinic"):
        raise DomainError("请选择是谁要求解除", field="how")
    _end(patient, link, actor, how, word)


def leave(user: User, patient_id: str) -> None:
    """A relative gives the binding back."""
    link = _bound(user.id, patient_id)
    if link is None:
        raise NotFound()
    _end(db.session.get_one(Patient, patient_id), link, user, "relative", Word("家属"))


def one(actor: User, patient_id: str, link_id: str) -> tuple[Patient, FamilyLink]:
    """A standing binding of a patient of `actor`'s. Raises NotFound."""
    patient = scope.get(actor, patient_id, "bind")
    link: FamilyLink | None = db.session.scalar(
        select(FamilyLink).where(
            FamilyLink.id == link_id, FamilyLink.patient_id == patient.id, FamilyLink.ended_at.is_(None)
        )
    )
    if link is None:
        raise NotFound()
    return patient, link


def links_of_patient(patient_id: str) -> list[tuple[FamilyLink, User]]:
    """Who is bound to this patient, in the order they came."""
    statement = (
        select(FamilyLink, User)
        .join(User, User.id == FamilyLink.user_id)
        .where(FamilyLink.patient_id == patient_id, FamilyLink.ended_at.is_(None))
        .order_by(FamilyLink.started_at, FamilyLink.id)
    )
    return [(link, user) for link, user in db.session.execute(statement)]


def open_invitations(patient_id: str) -> list[FamilyInvitation]:
    """Those that can still be entered or confirmed, oldest first."""
    statement = select(FamilyInvitation).where(
        FamilyInvitation.patient_id == patient_id,
        FamilyInvitation.ended_at.is_(None),
        FamilyInvitation.expires_at > clock.now(),
    )
    return list(db.session.scalars(statement.order_by(FamilyInvitation.made_at, FamilyInvitation.id)))


def waiting_of(user: User) -> int:
    """How many codes this relative entered that the clinic has not answered yet."""
    statement = (
        select(func.count())
        .select_from(FamilyInvitation)
        .where(
            FamilyInvitation.claimed_by == user.id,
            FamilyInvitation.ended_at.is_(None),
            FamilyInvitation.expires_at > clock.now(),
        )
    )
    return db.session.scalar(statement) or 0


def _take(found: FamilyInvitation, user: User, relation: str, now: datetime) -> bool:
    """One relative takes it, whoever comes first; they may enter it again. No commit."""
    taken = db.session.execute(
        update(FamilyInvitation)
        .where(
            FamilyInvitation.id == found.id,
            FamilyInvitation.ended_at.is_(None),
            FamilyInvitation.expires_at > now,
            or_(FamilyInvitation.claimed_by.is_(None), FamilyInvitation.claimed_by == user.id),
        )
        .values(claimed_by=user.id, claimed_at=now, relation=relation, expires_at=now + CLAIM_LASTS)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(found)
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def called(relation: str) -> str:
    """What a relative calls the person, fit to be shown. Raises DomainError naming `relation`."""
    relation = relation.strip()
    if blank(relation) or len(relation) > 10 or UNPRINTED.search(relation):
        raise DomainError("请写您怎么称呼老人，比如“妈妈”，不超过 10 个字", field="relation")
    return relation


def _invitation(actor: User, patient_id: str, invitation_id: str) -> tuple[Patient, FamilyInvitation]:
    patient = scope.get(actor, patient_id, "bind")
    found = next((one for one in open_invitations(patient.id) if one.id == invitation_id), None)
    if found is None:
        raise NotFound()
    return patient, found


def _close(invitation: FamilyInvitation, actor: User, outcome: str) -> None:
    invitation.ended_at, invitation.ended_by, invitation.outcome = clock.now(), actor.id, outcome


def _bound(user_id: str, patient_id: str) -> FamilyLink | None:
    found: FamilyLink | None = db.session.scalar(
        select(FamilyLink).where(
            FamilyLink.user_id == user_id, FamilyLink.patient_id == patient_id, FamilyLink.ended_at.is_(None)
        )
    )
    return found


def _end(patient: Patient, link: FamilyLink, actor: User, how: str, word: Word) -> None:
    given, withdrawn = consents.settle(link, (), word, actor)
    link.ended_at, link.ended_by, link.ended_how = clock.now(), actor.id, how
    db.session.flush()
    audit.note("family.end", object_id=link.id, patient_id=patient.id, result=f"ok:{how}{word.mark}")
    _let_phones_know(patient, link, given, withdrawn | {"orders"})
    db.session.commit()


def _let_phones_know(patient: Patient, link: FamilyLink, given: set[str], withdrawn: set[str]) -> None:
    """Who may see less lets go of it; who may see more gets it although their cursor is past it."""
    if withdrawn:
        feed.depart(patient.id, [f"user:{link.user_id}"])
        if "orders" in withdrawn:
            binding_narrowed.send(patient.id, relative_id=link.user_id)
    if given:
        feed.resend(patient.id)


def _hash(code: str) -> str:
    """As it may be typed: capitals, spaces, with or without the dash. Keyed: 40 bits are tried in no time."""
    bare = "".join(sign for sign in code.lower() if sign.isalnum())
    return secretbox.blind_index(f"family-invitation:{bare}")
