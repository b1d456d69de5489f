"""Grading people and keeping every grade. Nothing commits but what a clinician does by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, select, update

from app.accounts import audit
from app.accounts.models import User
from app.encounters import queries as encounters
from app.errors import DomainError
from app.extensions import db
from app.grading import derive, explain, facts, hold, rules
from app.grading.models import CurrentGrade, GradeRecord
from app.observations import service as observations
from app.patients import scope
from app.patients.models import Patient
from app.shared import bulk, clock
from app.shared.ids import new_id
from app.shared.words import blank
from app.sync import feed

OUTPUTS = ("colour", "emergency", "reasons", "missing", "due_in_days")
REASON_CHARACTERS = 200
BATCH = 500


def facts_of(patient: Patient, as_of: date) -> dict[str, Any]:
    return facts_of_many([patient], as_of)[patient.id]


def facts_of_many(
    patients: Sequence[Patient], as_of: date, rows: Mapping[str, Sequence[Row[Any]]] | None = None
) -> dict[str, dict[str, Any]]:
    """Grading facts by patient id, read in a few queries however many there are.

    `rows`: what was observed of each, where the caller has read it already.
    """
    rows = observations.of_many(patient.id for patient in patients) if rows is None else rows
    return {
        patient.id: facts.build(
            register_of(patient), [(row.code, row.value, row.observed_on) for row in rows[patient.id]], as_of
        )
        for patient in patients
    }


def regrade(
    patient: Patient,
    *,
    cause: str,
    as_of: date | None = None,
    author: User | None = None,
) -> GradeRecord:
    """Grade anew and keep the result beside the phone's own; the patient's current grade follows.

    A worse grade counts at once. A red one, or one a clinician raised, stays until `confirm_downgrade`.
    """
    as_of = as_of or clock.today()
    known = facts_of(patient, as_of)
    return _keep(patient.id, known, rules.grade(known), cause, author=author)


def current(patient_id: str) -> CurrentGrade | None:
    return db.session.get(CurrentGrade, patient_id)


_CURRENT = select(CurrentGrade).where(CurrentGrade.patient_id.in_(bindparam("ids", expanding=True)))


def current_many(patient_ids: Iterable[str]) -> dict[str, CurrentGrade]:
    found = db.session.scalars(_CURRENT, {"ids": list(patient_ids)})
    return {grade.patient_id: grade for grade in found}


def history(patient_id: str) -> list[GradeRecord]:
    """Every grade ever given, newest first."""
    ids = encounters.kept([GradeRecord.id], GradeRecord.visit_id, GradeRecord.patient_id)
    statement = select(GradeRecord).where(GradeRecord.id.in_(ids))
    newest_first = statement.order_by(GradeRecord.at.desc(), GradeRecord.id.desc())
    return list(db.session.scalars(newest_first, {encounters.IDS: [patient_id]}))


def of_visit(visit_id: str) -> GradeRecord | None:
    """The newest grade a visit gave rise to."""
    return of_visits([visit_id]).get(visit_id)


def of_visits(visit_ids: Iterable[str]) -> dict[str, GradeRecord]:
    statement = select(GradeRecord).where(GradeRecord.visit_id.in_(list(visit_ids)))
    ordered = statement.order_by(GradeRecord.at, GradeRecord.id)
    return {str(record.visit_id): record for record in db.session.scalars(ordered)}


def newest_facts(patient_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The facts of each patient's newest grade, where the rules of today made it."""
    asked = {"ids": list(patient_ids), "version": rules.shipped_table()["rule_version"]}
    return {patient_id: facts for patient_id, facts in bulk.rows(db.session(), _NEWEST_FACTS, asked)}


_NEWEST_FACTS = (
    select(GradeRecord.patient_id, GradeRecord.facts)
    .join(CurrentGrade, CurrentGrade.record_id == GradeRecord.id)
    .where(
        CurrentGrade.patient_id.in_(bindparam("ids", expanding=True)),
        GradeRecord.rule_version == bindparam("version"),
    )
)


def forget_past(patient_id: str) -> None:
    """What the visits so far say is told by the tables once more."""
    theirs = update(CurrentGrade).where(CurrentGrade.patient_id == patient_id)
    db.session.execute(theirs.values(past=None))


def reasons(record: GradeRecord) -> list[dict[str, Any]]:
    """The reasons of a kept grade in words, from the facts it was made from."""
    return reasons_in_words(record, record.reasons)


def reasons_in_words(record: GradeRecord, codes: Sequence[str]) -> list[dict[str, Any]]:
    """Other reasons (those of the phone) in words, with the facts of `record`."""
    return explain.explain(record.facts, {"reasons": list(codes)})


def confirm_downgrade(user: User, patient_id: str) -> CurrentGrade:
    """A clinician agrees with what the rules now say: a waiting red, or a raised colour, ends. Commits.

    Raises NotFound out of scope, DomainError 409 when nothing waits.
    """
    patient = scope.get(user, patient_id, "visit")
    feed.lock()
    grade = current(patient_id)
    if grade is None or grade.proposed_colour is None:
        raise DomainError("没有等待确认的分级变化。", code="nothing_to_confirm", status=409)
    hold.release(grade)
    regrade(patient, cause="confirm", author=user)
    feed.touch(patient_id)
    audit.note("grade.confirm", object_id=grade.record_id, patient_id=patient_id, user=user)
    db.session.commit()
    return grade


def raise_colour(user: User, patient_id: str, colour: str, reason: str) -> CurrentGrade:
    """A clinician puts somebody higher than the rules do, saying why. Commits.

    Raises NotFound out of scope, DomainError naming `colour` or `reason`.
    """
    patient = scope.get(user, patient_id, "visit")
    feed.lock()
    grade = current(patient_id)
    if grade is None:
        regrade(patient, cause="patient")
        grade = db.session.get_one(CurrentGrade, patient_id)
    if colour not in ("yellow", "red") or hold.rank(colour) <= hold.rank(grade.colour):
        raise DomainError("只能上调到更高的一级。", field="colour")
    if blank(reason) or not 2 <= len(reason.strip()) <= REASON_CHARACTERS:
        raise DomainError(f"请写明上调的原因，2 到 {REASON_CHARACTERS} 字。", field="reason")
    grade.raised_colour, grade.raised_reason = colour, reason.strip()
    grade.raised_by, grade.raised_at = user.id, clock.now()
    regrade(patient, cause="raise", author=user)
    feed.touch(patient_id)
    audit.note("grade.raise", object_id=grade.record_id, patient_id=patient_id, user=user)
    db.session.commit()
    return grade


def regrade_stale(as_of: date | None = None, ids: Iterable[str] | None = None) -> list[str]:
    """Grade those of `ids` (None: everybody) again whose result the passing of time changed. Never commits.

    Returns their ids. Pages of the others stay as they are: nothing is touched for them. Twice on one day
    changes nothing.
    """
    as_of = as_of or clock.today()
    if ids is not None:
        return _regrade(_in_care(Patient.id.in_(list(ids))), as_of)
    changed: list[str] = []
    last = ""
    while patients := _in_care(Patient.id > last, BATCH):
        changed += _regrade(patients, as_of)
        last = patients[-1].id
    return changed


def stale(as_of: date, after: str = "") -> tuple[list[str], str]:
    """Of the next few hundred people after this id: whom time changed; and the last one looked at, empty
    past the end. Only reads, so that nobody has to wait for it."""
    patients = _in_care(Patient.id > after, BATCH)
    if not patients:
        return [], ""
    return [patient_id for patient_id, _, _ in _changed(patients, as_of)], patients[-1].id


def how_many() -> int:
    """Those whom the night looks at."""
    in_use = select(func.count()).select_from(Patient)
    return db.session.scalar(in_use.where(Patient.ended_on.is_(None), Patient.restricted_at.is_(None))) or 0


def _in_care(condition: ColumnElement[bool], limit: int | None = None) -> list[Patient]:
    """Those graded every night: still in care, and their record in use."""
    in_use = select(Patient).where(condition, Patient.ended_on.is_(None), Patient.restricted_at.is_(None))
    return list(db.session.scalars(in_use.order_by(Patient.id).limit(limit)))


def _regrade(patients: Sequence[Patient], as_of: date) -> list[str]:
    changed = []
    for patient_id, known, result in _changed(patients, as_of):
        _keep(patient_id, known, result, "nightly")
        changed.append(patient_id)
    if changed:
        feed.touch(*changed)
    return changed


def _changed(
    patients: Sequence[Patient], as_of: date
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(id, facts, result) of those whose newest record says something else, or who have none."""
    known = facts_of_many(patients, as_of)
    held = current_many(known)
    records = {r.id: r for r in _records(grade.record_id for grade in held.values())}
    for patient_id, these in known.items():
        result = rules.grade(these)
        before = records.get(held[patient_id].record_id) if patient_id in held else None
        if before is None or differs(result, _outputs(before)):
            yield patient_id, these, result


def differs(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers to the same question disagree in any of the five outputs both of them give."""
    return any(one[key] != other[key] for key in OUTPUTS if key in one and key in other)


def draw(
    patient_id: str,
    known: dict[str, Any],
    result: dict[str, Any],
    cause: str,
    *,
    visit_id: str | None = None,
    phone: dict[str, Any] | None = None,
    author: User | None = None,
) -> GradeRecord:
    """The draft of the record of a grade, made from the facts `known`."""
    return bulk.draft(
        GradeRecord,
        id=new_id(),
        patient_id=patient_id,
        visit_id=visit_id,
        at=clock.now(),
        as_of=date.fromisoformat(known["as_of"]),
        cause=cause,
        author_id=author.id if author else None,
        rule_version=rules.shipped_table()["rule_version"],
        facts=known,
        phone=phone,
        phone_differs=phone is not None and differs(result, phone),
        **result,
    )


def judge(facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The grade of these facts, and its reasons in words."""
    table = rules.shipped_table()
    known = derive.derive(facts, table)
    result = rules.graded(known, table)
    return result, explain.in_words(known, result, table)


def _keep(
    patient_id: str, known: dict[str, Any], result: dict[str, Any], cause: str, **more: Any
) -> GradeRecord:
    record = GradeRecord(**vars(draw(patient_id, known, result, cause, **more)))
    db.session.add(record)
    db.session.flush()
    held = current(patient_id)
    if held is None:
        held = CurrentGrade(**hold.beginning(record))
        db.session.add(held)
    hold.follow(held, record, explain.explain(known, result))
    db.session.flush()
    return record


def _outputs(record: GradeRecord) -> dict[str, Any]:
    return {key: getattr(record, key) for key in OUTPUTS}


def _records(ids: Iterable[str]) -> list[GradeRecord]:
    return list(db.session.scalars(select(GradeRecord).where(GradeRecord.id.in_(list(ids)))))


def register_of(patient: Patient) -> dict[str, Any]:
    """What the register says that grading asks about."""
    names = (
        "birth_date", "conditions", "conditions_on", "lives_alone", "hospice", "home_bed_open", "tubes",
    )  # fmt: skip
    return {name: getattr(patient, name) for name in names}
