"""Emptying the database and filling it with the demo county."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select, update

from app.accounts.models import User
from app.demo import accounts, orders, places, store
from app.demo.history import Story, tell
from app.demo.people import everybody
from app.demo.profiles import PROFILES
from app.extensions import db
from app.grading import service as grading
from app.notices.models import SmsMessage
from app.patients import bindings
from app.patients import service as patients
from app.patients.deciding import Word
from app.patients.models import Patient
from app.patients.purposes import USUAL
from app.plans import service as plans
from app.shared import clock
from app.sync import feed
from app.visits import dossier

# The scheduler's own, which may be running; and the audit, which nothing but its retention shortens.
KEPT = ("job_leases", "job_runs", "audit_lines", "audit_chain")
MOST = ("state", "readings", "orders", "readers")
# What each of them agreed to: the mother-in-law keeps her figures, and who reads her record, to herself.
FAMILIES = (
    ("family1", "宁如意", "妈妈", MOST),
    ("family1", "安心宁", "婆婆", ("state", "orders")),
    ("family2", "康福来", "爸爸", (*MOST, "copy")),
)
CLAIMED = ("doctor1", "安心宁", "family2", "姑姑")  # waits for the doctor to confirm it
INVITED = ("doctor1", "宁如意")  # a code nobody has entered yet


def is_demo() -> bool:
    """Whether what the database holds is our own demo county."""
    return db.session.get(User, accounts.ACCOUNTS[0].id) is not None


def is_empty() -> bool:
    """Nobody could be harmed by filling it: no patients, no users."""
    return not db.session.scalar(select(Patient.id).limit(1)) and not db.session.scalar(
        select(User.id).limit(1)
    )


def reset(*, small: bool = False) -> int:
    """Delete everything, then build the demo county. Commits. Returns the number of patients."""
    _erase()
    now = clock.now().replace(microsecond=0)
    places.build()
    accounts.build()
    stories = [tell(person, now) for person in everybody(clock.today(), small=small)]
    store.write(stories)
    _families(stories)
    _grades(stories)
    db.session.commit()
    _invitations(stories)
    orders.write({story.person.name: story.person for story in stories}, now, small=small)
    # Nothing of this is ever to reach a telephone.
    db.session.execute(update(SmsMessage).values(state="sent", sent_at=SmsMessage.created_at))
    db.session.commit()
    return len(stories)


def _erase() -> None:
    for table in reversed(db.metadata.sorted_tables):
        if table.name not in KEPT:
            db.session.execute(delete(table))
    db.session.expunge_all()
    feed.forget_all()


def _families(stories: list[Story]) -> None:
    ids = {story.person.name: story.person.id for story in stories}
    for username, name, relation, purposes in FAMILIES:
        patient = db.session.get_one(Patient, ids[name])
        doctor = accounts.user("doctor1")
        patients.link_family(accounts.user(username), patient, relation, purposes, Word(), doctor)
    db.session.flush()


def _invitations(stories: list[Story]) -> None:
    ids = {story.person.name: story.person.id for story in stories}
    doctor, name, relative, relation = CLAIMED
    _, code = bindings.invite(accounts.user(doctor), ids[name], MOST, Word())
    bindings.claim(accounts.user(relative), code, relation)
    doctor, name = INVITED
    bindings.invite(accounts.user(doctor), ids[name], USUAL, Word())


def _grades(stories: list[Story]) -> None:
    """The grade and the plan of today, by the services that give them every night."""
    today = clock.today()
    for story in stories:
        patient = db.session.get_one(Patient, story.person.id)
        if PROFILES[story.person.profile].held:
            grading.regrade(patient, cause="visit", as_of=story.visits[-1].on - timedelta(days=1))
        plans.refresh(patient, cause="nightly", as_of=today)
        db.session.expunge_all()
    dossier.keep_past(story.person.id for story in stories)
