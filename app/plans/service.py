"""Planning: the next forms of a person, decided again after every visit, change and night."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date
from time import monotonic
from typing import Any

from sqlalchemy import bindparam, delete, select

from app.extensions import db, writing
from app.grading import past
from app.grading import service as grading
from app.grading.models import CurrentGrade, GradeRecord
from app.patients.models import Patient
from app.plans import agenda, rules
from app.plans.models import PlanItem
from app.shared import clock, progress
from app.sync import feed

log = logging.getLogger("nuanxun.jobs")
TURN_S = 0.25  # how long the night keeps others from writing; as long as a push may (0014)
AT_ONCE = 10  # people read together within a turn
LOOKS_A_WORD = 10  # 5,000 people


def refresh(
    patient: Patient,
    *,
    cause: str,
    as_of: date | None = None,
) -> tuple[GradeRecord, list[PlanItem]]:
    """Grade again, plan again: the grade and the open items, soonest first. Never commits.

    When a visit was voided, `forget_visit` first.
    """
    as_of = as_of or clock.today()
    record = grading.regrade(patient, cause=cause, as_of=as_of)
    return record, replan(patient, record, as_of=as_of)


def replan(patient: Patient, grade: Any, *, as_of: date) -> list[PlanItem]:
    """Bring the open items in line with `grade` where no visit was recorded."""
    db.session.flush()
    current = grading.current(patient.id)
    plans = agenda.load({patient.id: _done(patient.id, current)})
    if plans[patient.id].follow(patient, grade, held_colour(current), as_of=as_of, after_visit=False):
        feed.touch(patient.id)
    plans.write()
    return open_items(patient.id)


def _done(patient_id: str, current: CurrentGrade | None) -> dict[str, past.Done]:
    if current is not None and past.is_whole(current.past):
        return past.read_done(current.past)
    return agenda.told_by_tables([patient_id])[patient_id]


def held_colour(grade: CurrentGrade | None) -> str | None:
    """The colour that stands until a clinician agrees to a lower one."""
    return grade.colour if grade is not None and grade.proposed_colour else None


def forget_visit(patient_id: str, visit_id: str) -> None:
    """The visit was voided: it did nothing. Follow with `refresh`."""
    its_own = PlanItem.visit_id == visit_id, PlanItem.done_on.is_not(None)
    db.session.execute(delete(PlanItem).where(*its_own))
    current = grading.current(patient_id)
    if current is not None:
        left = agenda.told_by_tables([patient_id])[patient_id]
        current.last_done_on = past.last_done(left)


def open_items(patient_id: str) -> list[PlanItem]:
    """What this person is due for, soonest first."""
    return open_items_many([patient_id]).get(patient_id, [])


_OPEN = select(PlanItem).where(
    PlanItem.patient_id.in_(bindparam("ids", expanding=True)), PlanItem.done_on.is_(None)
)


def open_items_many(ids: Iterable[str]) -> dict[str, list[PlanItem]]:
    found: dict[str, list[PlanItem]] = {}
    for item in db.session.scalars(_OPEN, {"ids": list(ids)}):
        found.setdefault(item.patient_id, []).append(item)
    for items in found.values():
        items.sort(key=lambda item: (item.due_on, rules.ORDER.index(item.form)))
    return found


def nightly(as_of: date | None = None) -> list[str]:
    """Grade again whom the passing of time changed, and plan them again. Returns their ids. Commits in turns.

    Who was raised or waits to be lowered is planned again too. Looking at people locks nothing; those who
    seem changed are then judged again under the lock, TURN_S at a time, so that phones can push all night.
    Twice on one day changes nothing: a night that was cut short is simply begun again.
    """
    as_of = as_of or clock.today()
    changed: list[str] = []
    after, looked = "", 0
    people = grading.how_many() if progress.is_wanted() else 0
    while True:
        stale, held, last = _looked_at(as_of, after)
        waiting = sorted({*stale, *held})
        while waiting:
            waiting, more = _night_turn(waiting, as_of)
            changed += more
        if not last:
            return changed
        after, looked = last, looked + 1
        progress.step("people", min(looked * grading.BATCH, people), people)
        if looked % LOOKS_A_WORD == 0:
            log.info("regrade: %d people looked at, %d regraded", looked * grading.BATCH, len(changed))


def _looked_at(as_of: date, after: str) -> tuple[list[str], list[str], str]:
    """Whom time seems to have changed, who is held, and the last one looked at; in a transaction that only
    reads."""
    db.session.commit()
    token = writing.set(False)
    try:
        stale, last = grading.stale(as_of, after)
        held = select(CurrentGrade.patient_id).where(
            CurrentGrade.raised_colour.is_not(None) | CurrentGrade.proposed_colour.is_not(None),
            CurrentGrade.patient_id > after,
        )
        if last:
            held = held.where(CurrentGrade.patient_id <= last)
        return stale, list(db.session.scalars(held)), last
    finally:
        db.session.rollback()
        writing.reset(token)


def _night_turn(waiting: list[str], as_of: date) -> tuple[list[str], list[str]]:
    """Regrade and replan the first of `waiting`, as many as fit into one turn. (who is left, who changed)"""
    feed.lock()  # before any grade is locked, in the order of a push: else the two could wait for each other
    until = monotonic() + TURN_S
    changed: list[str] = []
    while True:
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        changed += grading.regrade_stale(as_of, some)
        for patient_id in some:
            _replan_tonight(patient_id, as_of)
        if not waiting or monotonic() > until:
            db.session.commit()
            return waiting, changed


def _replan_tonight(patient_id: str, as_of: date) -> None:
    patient, grade = db.session.get_one(Patient, patient_id), grading.current(patient_id)
    if grade is not None and patient.restricted_at is None:  # since we looked it may have been restricted
        replan(patient, db.session.get_one(GradeRecord, grade.record_id), as_of=as_of)


def on_patient_changed(patient_id: str, cause: str = "patient") -> None:
    patient = db.session.get(Patient, patient_id)
    if patient is not None:
        refresh(patient, cause=cause)
