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
from app.patients import service as patients
from app.patients.models import Patient
from app.plans import service as plans
from app.shared import clock
from app.sync import feed

# The scheduler's own, which may be running; and the audit, which nothing but its retention shortens.
KEPT = ("job_leases", "job_runs", "audit_lines", "audit_chain")
FAMILIES = (("family1", "宁如意", "妈妈"), ("family1", "安心宁", "婆婆"), ("family2", "康福来", "爸爸"))


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
    for username, name, relation in FAMILIES:
        patient = db.session.get_one(Patient, ids[name])
        patients.link_family(accounts.user(username), patient, relation)
    db.session.flush()


def _grades(stories: list[Story]) -> None:
    """The grade and the plan of today, by the services that give them every night."""
    today = clock.today()
    for story in stories:
        patient = db.session.get_one(Patient, story.person.id)
        if PROFILES[story.person.profile].held:
            grading.regrade(patient, cause="visit", as_of=story.visits[-1].on - timedelta(days=1))
        plans.refresh(patient, cause="nightly", as_of=today)
        db.session.expunge_all()
