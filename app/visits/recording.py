"""Taking visits in: judged one by one, measured, graded and planned in memory, written together.

Called by sync inside its transaction; nothing commits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import and_, select

from app.accounts.models import User
from app.encounters.models import Visit
from app.errors import DomainError, NotFound
from app.extensions import db
from app.forms import engine
from app.grading import hold
from app.grading import service as grading
from app.grading.models import GradeRecord
from app.observations import service as observations
from app.patients import scope
from app.patients.models import Patient
from app.plans import service as plans
from app.shared import bulk, clock
from app.sync import feed
from app.sync.registry import Conflict, Op, Rejected
from app.visits import context, dossier, findings, queries, rules, service
from app.visits.dossier import Dossier

# A visit may overtake the creation of its patient for this long; then a person must look at it.
DEPENDENCY_WAIT = timedelta(hours=24)


class Recording:
    """visit.create operations of one author. `record` judges one and writes nothing; `write` writes all.

    Nothing may be flushed in between: current grades then name records that are not stored yet.
    """

    def __init__(self, author: User, patient_ids: Iterable[str]) -> None:
        asked = set(patient_ids)
        self._wanted = and_(Patient.id.in_(asked), scope.condition(author, "visit"))
        self.dossiers = dossier.load(self._wanted)
        self.visits: list[Visit] = []
        self.effects = Effects(self.dossiers)

    def record(self, op: Op) -> Visit:
        """Raises Rejected naming every field that is wrong; then nothing of `op` has happened."""
        known = self.dossiers.get(op.payload["patient_id"])
        if known is None:
            raise _refusal(op, op.payload["patient_id"], "visit")
        visit = bulk.draft(
            Visit,
            id=op.op_id,
            patient_id=known.patient.id,
            author_id=op.author.id,
            revision=1,
            voided=False,
            form=op.payload["form"],
            recorded_at=op.recorded_at,
            received_at=op.received_at,
        )
        sheet = _content(visit, known, op)
        self.effects.take(visit, known, sheet, op.payload.get("grade"))
        self.visits.append(visit)
        return visit

    def moved(self, since: int) -> set[str]:
        found = {row.id for row in bulk.rows(db.session(), select(Patient.id).where(self._wanted))}
        return self.dossiers.keys() - found | self.dossiers.keys() & feed.touched_since(since)

    def leave_out(self, patient_ids: set[str]) -> None:
        self.visits = [visit for visit in self.visits if visit.patient_id not in patient_ids]
        self.effects.leave_out(patient_ids)

    def write(self) -> None:
        bulk.insert_drafts(db.session(), Visit, self.visits)
        self.effects.write()


class Effects:
    """What visits give rise to: observations, grades and plans, gathered until `write`."""

    def __init__(self, dossiers: dossier.Dossiers) -> None:
        self.dossiers = dossiers
        self.observed: list[dict[str, Any]] = []
        self.grades: list[GradeRecord] = []

    def take(self, visit: Visit, known: Dossier, sheet: engine.Sheet, phone: dict[str, Any] | None) -> None:
        """Measure, note what was found, grade, plan. `visit.colour` is then its grade's."""
        patient = known.patient
        said = findings.of_register(patient, known.past.newest)
        known.observed(said)
        measured = sheet.observations(known.height)
        new = observations.rows(visit.id, patient.id, visit.visited_on, measured, at=visit.visited_at)
        known.observed(new)
        self.observed += [*said, *new]
        in_order = known.is_newest(visit)
        known.visited(visit)
        findings.settle(patient, known.past.newest)
        _settle_end(patient, visit if in_order else known.last())
        as_of = max(clock.today(), visit.visited_on)
        facts = known.known(new, as_of, in_order=in_order)
        result, words = grading.judge(facts)
        record = grading.draw(patient.id, facts, result, "visit", visit_id=visit.id, phone=phone)
        self.grades.append(record)
        if known.grade is None:
            known.grade = self.dossiers.grades.add(**hold.beginning(record))
        hold.follow(known.grade, record, words)
        if visit.answers.get("lost_reason") is None:
            known.plan.did(visit.id, visit.form, visit.visited_on, visit.next_visit_on)
        held = plans.held_colour(known.grade)
        known.plan.follow(patient, record, held, as_of=as_of, after_visit=True)
        visit.colour = record.colour

    def leave_out(self, patient_ids: set[str]) -> None:
        self.observed = [row for row in self.observed if row["patient_id"] not in patient_ids]
        self.grades = [record for record in self.grades if record.patient_id not in patient_ids]
        self.dossiers.leave_out(patient_ids)

    def write(self) -> None:
        observations.write(self.observed)
        bulk.insert_drafts(db.session(), GradeRecord, self.grades)
        self.dossiers.write()
        db.session.flush()


def correct(op: Op) -> Visit:
    """A new revision of a visit, or its cancelling; older ones stay readable in the feed."""
    visit, patient = _correctable(op)
    if op.base_revision != visit.revision:
        current = {
            "revision": visit.revision,
            "voided": visit.voided,
            "visited_on": visit.visited_on.isoformat(),
        }
        raise Conflict("stale_revision", "这次随访已被他人更正", current)
    if visit.voided:
        raise Conflict("bad_transition", "这次随访已经作废", _current(visit))
    visit.revision += 1
    if op.payload.get("void"):
        _void(visit, patient)
        return visit
    for name in ("form", "patient_id"):
        if op.payload.get(name, getattr(visit, name)) != getattr(visit, name):
            raise Rejected.invalid(f"/{name}", "更正不能换表单或换人；请作废后重新记录")
    _forget(visit)
    dossiers = dossier.load(Patient.id == patient.id, besides=visit.id)
    known, effects = dossiers[patient.id], Effects(dossiers)
    with db.session.no_autoflush:
        sheet = _content(visit, known, op)
        effects.take(visit, known, sheet, op.payload.get("grade"))
        effects.write()
    return visit


def _refusal(op: Op, patient_id: str, action: str) -> DomainError | Rejected:
    why = scope.refusal(op.author, patient_id, action)
    return _absent(op) if isinstance(why, NotFound) else why


def _absent(op: Op) -> Rejected:
    """The same for a record that is not there and one out of scope, so that nobody learns which.

    What it depends on may still be on its way, so the phone tries again by itself; but not for ever.
    """
    first = queries.first_refused_at(op.author.id, op.op_id)
    if first is not None and op.received_at - first > DEPENDENCY_WAIT:
        return Rejected("not_found")
    return Rejected("missing_dependency")


def _correctable(op: Op) -> tuple[Visit, Patient]:
    visit = db.session.get(Visit, op.payload["visit_id"])
    patient = None
    if visit is not None:
        patient = db.session.scalar(service.in_scope(op.author, visit.patient_id, "correct"))
    if visit is None:
        raise _absent(op)
    if patient is None:
        raise _refusal(op, visit.patient_id, "correct")
    if not service.may_correct(op.author, visit):
        raise Rejected("forbidden", "只有记录人、团队医生或卫生院管理员可以更正。")
    return visit, patient


def _content(visit: Visit, known: Dossier, op: Op) -> engine.Sheet:
    """Check the payload and write it onto `visit`. Returns its answers as they were read.

    Raises Rejected naming every field that is wrong.
    """
    given = op.payload
    definition = engine.all_definitions().get(given["form"])
    if definition is None:
        raise Rejected.invalid("/form", "没有这种随访表")
    if given["form_version"] > definition.version:
        raise Rejected.invalid("/form_version", "服务器没有这个版本的表单")
    errors: list[dict[str, str]] = []
    visited_at = clock.parse_moment(given["visited_at"])
    arrived_on = clock.local_date(op.received_at)
    visited_on = (
        _possible(errors, "/visited_at", rules.day_of, visited_at, op.skew, op.received_at) or arrived_on
    )
    asked = given.get("next_visit_on")
    next_on = _possible(errors, "/next_visit_on", rules.next_day, asked, visited_on) if asked else None
    same_day = known.same_day(visit.form, visited_on, visit.id)
    judged = context.on_arrival(
        known.patient,
        given["answers"],
        visited_on=visited_on,
        next_visit_on=next_on,
        mode=given["mode"],
        previous_on=known.past.days.get(visit.form),
        same_day=same_day,
        # A correction is always written later; only the visit itself can have been.
        entered_later=op.kind == "visit.create" and rules.entered_later(visited_on, op.recorded_at, op.skew),
    )
    sheet = engine.sheet(visit.form, given["answers"], judged)
    errors += [{key: error[key] for key in ("pointer", "code", "message")} for error in sheet.findings.errors]
    if errors:
        raise Rejected("invalid", errors=errors)
    visit.form_version, visit.answers = given["form_version"], given["answers"]
    visit.visited_at, visit.visited_on, visit.mode = visited_at, visited_on, given["mode"]
    visit.next_visit_on, visit.location = next_on, given.get("location")
    visit.summary = sheet.summary[:200]
    visit.flags = rules.flags(visited_on, arrived_on, op.skew, same_day=same_day)
    return sheet


def _possible(errors: list[dict[str, str]], pointer: str, rule: Any, *args: Any) -> date | None:
    """The day `rule` makes of `args`; None, and a line in `errors`, when it cannot be."""
    try:
        day: date = rule(*args)
    except rules.Impossible as no:
        errors.append({"pointer": pointer, "code": "range", "message": str(no)})
        return None
    return day


def _void(visit: Visit, patient: Patient) -> None:
    visit.voided, visit.colour = True, None
    _forget(visit)
    findings.settle(patient, observations.remembered([patient.id])[patient.id])
    _settle_end(patient, queries.newest(patient.id))
    plans.refresh(patient, cause="visit", as_of=clock.today())
    db.session.flush()


def _settle_end(patient: Patient, newest: Visit | None) -> None:
    """Who died or moved away leaves the lists; the newest visit decides, so a correction brings them back."""
    ended = rules.ended_on(newest.answers, newest.visited_on) if newest is not None else None
    if patient.ended_on == ended:
        return
    if ended is not None and patient.ended_on is None:
        feed.depart(patient.id, scope.audiences(patient))  # the phones let go of the page
    patient.ended_on = ended


def _forget(visit: Visit) -> None:
    """Take back all that the visit's former content did."""
    observations.forget_visit(visit.id)
    plans.forget_visit(visit.patient_id, visit.id)
    grading.forget_past(visit.patient_id)
    db.session.flush()


def _current(visit: Visit) -> dict[str, Any]:
    return {"revision": visit.revision, "voided": visit.voided, "visited_on": visit.visited_on.isoformat()}
