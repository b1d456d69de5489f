"""Recording, correcting and cancelling a visit. Called by sync inside its transaction; nothing commits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from app.accounts.models import User
from app.errors import DomainError, NotFound
from app.extensions import db
from app.forms import engine
from app.grading import service as grading
from app.observations import service as observations
from app.patients import scope
from app.patients.models import Patient
from app.plans import service as plans
from app.shared import clock
from app.sync import feed
from app.sync.registry import Conflict, Op, Rejected
from app.visits import context, findings, queries, rules
from app.visits.models import Visit

# A visit may overtake the creation of its patient for this long; then a person must look at it.
DEPENDENCY_WAIT = timedelta(hours=24)


def record(op: Op) -> Visit:
    """A new visit from a visit.create operation: stored, measured, graded, planned."""
    patient = _patient(op, op.payload["patient_id"])
    visit = Visit(
        id=op.op_id,
        patient_id=patient.id,
        author_id=op.author.id,
        revision=1,
        form=op.payload["form"],
        recorded_at=op.recorded_at,
        received_at=op.received_at,
    )
    judged = _content(visit, patient, op)
    db.session.add(visit)
    db.session.flush()
    _take_effect(visit, patient, judged, op.payload.get("grade"))
    return visit


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
    judged = _content(visit, patient, op)
    _forget(visit)
    _take_effect(visit, patient, judged, op.payload.get("grade"))
    return visit


def may_correct(user: User, visit: Visit) -> bool:
    """Its author, or a clinic lead: a doctor of the team, the town's manager. Scope included."""
    if user.role not in ("manager", "doctor") and user.id != visit.author_id:
        return False
    return db.session.scalar(_in_scope(user, visit.patient_id, "correct")) is not None


def get(user: User, visit_id: str) -> Visit:
    """Raises NotFound when absent or out of scope."""
    visit = db.session.get(Visit, visit_id)
    if visit is None:
        raise NotFound()
    scope.get(user, visit.patient_id, "chart")
    return visit


def of(patient_id: str, limit: int | None = None) -> list[Visit]:
    """A patient's visits, newest first; voided ones are left out."""
    return of_many([patient_id], limit)[patient_id]


def of_many(patient_ids: Iterable[str], limit: int | None = None) -> dict[str, list[Visit]]:
    """The same for many; every id asked for is a key."""
    found: dict[str, list[Visit]] = {patient_id: [] for patient_id in patient_ids}
    place = func.row_number().over(
        partition_by=Visit.patient_id, order_by=(Visit.visited_at.desc(), Visit.id.desc())
    )
    ranked = select(Visit.id, place.label("place")).where(
        Visit.patient_id.in_(list(found)), Visit.voided.is_(False)
    )
    newest = ranked.subquery()
    statement = select(Visit).join(newest, newest.c.id == Visit.id).order_by(newest.c.place)
    if limit is not None:
        statement = statement.where(newest.c.place <= limit)
    for visit in db.session.scalars(statement):
        found[visit.patient_id].append(visit)
    return found


def last_answers(patient_id: str, besides: str | None = None) -> dict[str, tuple[dict[str, Any], str]]:
    """Form key -> (answers, ISO day) of the newest visit with each form that took place.

    `besides` leaves out the visit being corrected and what came after it.
    """
    newest: dict[str, tuple[dict[str, Any], str]] = {}
    found = of(patient_id)
    place = next((n + 1 for n, visit in enumerate(found) if visit.id == besides), 0)
    for visit in found[place:]:
        if visit.answers.get("lost_reason") is None:
            newest.setdefault(visit.form, (visit.answers, visit.visited_on.isoformat()))
    return newest


def _patient(op: Op, patient_id: str) -> Patient:
    patient: Patient | None = db.session.scalar(_in_scope(op.author, patient_id, "visit"))
    if patient is None:
        raise _refusal(op, patient_id, "visit")
    return patient


def _in_scope(user: User, patient_id: str, action: str) -> Select[Patient]:
    return select(Patient).where(Patient.id == patient_id, scope.condition(user, action))


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
        patient = db.session.scalar(_in_scope(op.author, visit.patient_id, "correct"))
    if visit is None:
        raise _absent(op)
    if patient is None:
        raise _refusal(op, visit.patient_id, "correct")
    if not may_correct(op.author, visit):
        raise Rejected("forbidden", "只有记录人、团队医生或卫生院管理员可以更正。")
    return visit, patient


def _content(visit: Visit, patient: Patient, op: Op) -> dict[str, Any]:
    """Check the payload and write it onto `visit`. Returns the context it was judged in.

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
    same_day = queries.same_day(patient.id, visit.form, visited_on, visit.id)
    judged = context.on_arrival(
        patient,
        given["answers"],
        visited_on=visited_on,
        next_visit_on=next_on,
        mode=given["mode"],
        previous_on=queries.newest_day(patient.id, visit.form, visit.id),
        same_day=same_day,
        # A correction is always written later; only the visit itself can have been.
        entered_later=op.kind == "visit.create" and rules.entered_later(visited_on, op.recorded_at, op.skew),
    )
    found = engine.check(visit.form, given["answers"], judged).errors
    errors += [{key: error[key] for key in ("pointer", "code", "message")} for error in found]
    if errors:
        raise Rejected("invalid", errors=errors)
    visit.form_version, visit.answers = given["form_version"], given["answers"]
    visit.visited_at, visit.visited_on, visit.mode = visited_at, visited_on, given["mode"]
    visit.next_visit_on, visit.location = next_on, given.get("location")
    visit.summary = engine.summary(visit.form, visit.answers)[:200]
    visit.flags = rules.flags(visited_on, arrived_on, op.skew, same_day=same_day)
    return judged


def _possible(errors: list[dict[str, str]], pointer: str, rule: Any, *args: Any) -> date | None:
    """The day `rule` makes of `args`; None, and a line in `errors`, when it cannot be."""
    try:
        day: date = rule(*args)
    except rules.Impossible as no:
        errors.append({"pointer": pointer, "code": "range", "message": str(no)})
        return None
    return day


def _take_effect(
    visit: Visit, patient: Patient, judged: dict[str, Any], phone: dict[str, Any] | None
) -> None:
    """Measure, note what was found, grade, plan."""
    findings.remember_register(patient)
    measured = engine.observations(visit.form, visit.answers, context.for_measures(patient, judged))
    observations.record(visit.id, patient.id, visit.visited_on, measured, at=visit.visited_at)
    findings.settle(patient)
    _settle_end(patient)
    took_place = visit.answers.get("lost_reason") is None
    grade, _ = plans.refresh(
        patient,
        cause="visit",
        visit_id=visit.id,
        phone=phone,
        as_of=max(clock.today(), visit.visited_on),
        next_visit_on=visit.next_visit_on,
        form=visit.form if took_place else None,
        visited_on=visit.visited_on,
    )
    visit.colour = grade.colour
    db.session.flush()


def _void(visit: Visit, patient: Patient) -> None:
    visit.voided, visit.colour = True, None
    _forget(visit)
    findings.settle(patient)
    _settle_end(patient)
    plans.refresh(patient, cause="visit", as_of=clock.today())
    db.session.flush()


def _settle_end(patient: Patient) -> None:
    """Who died or moved away leaves the lists; the newest visit decides, so a correction brings them back."""
    db.session.flush()
    newest = next(iter(of(patient.id, limit=1)), None)
    ended = rules.ended_on(newest.answers, newest.visited_on) if newest is not None else None
    if patient.ended_on == ended:
        return
    if ended is not None and patient.ended_on is None:
        feed.depart(patient.id, scope.audiences(patient))  # the phones let go of the page
    patient.ended_on = ended


def _forget(visit: Visit) -> None:
    """Take back all that the visit's former content did."""
    observations.forget_visit(visit.id)
    plans.forget_visit(visit.id)
    db.session.flush()


def _current(visit: Visit) -> dict[str, Any]:
    return {"revision": visit.revision, "voided": visit.voided, "visited_on": visit.visited_on.isoformat()}


def last_grade(visit: Visit) -> Any:
    """The newest GradeRecord this visit gave rise to; None once it is void."""
    return None if visit.voided else grading.of_visit(visit.id)
