"""Everything the patient page shows, read for many patients at once in a bounded number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select

from app.accounts.models import User
from app.chart import trend
from app.encounters.models import Visit
from app.extensions import db
from app.forms import engine
from app.grading import service as grading
from app.grading.models import CurrentGrade
from app.observations import service as observations
from app.orders import service as orders
from app.orders.models import Order
from app.orgs import service as orgs
from app.patients import scope
from app.patients.identity import age_on
from app.patients.models import Patient
from app.plans import service as plans
from app.plans.models import PlanItem
from app.pwa import rendered
from app.pwa.models import RenderedPage
from app.shared import clock
from app.sync import feed
from app.sync.models import Touch
from app.visits import naming
from app.visits import service as visits

SHOWN_VISITS = 10
TAIL = 6  # characters of a visit's id, at least, by which pages of older builds name it
SHOWN_ORDERS = 5
NUMBERS = ("int", "dec1", "dec3")
REMEMBERED_VISITS = 20  # enough to hold the last visit with each form


@dataclass(frozen=True)
class View:
    """One patient as the page shows them."""

    patient: Patient
    village: str
    town: str
    grade: CurrentGrade | None
    due: list[PlanItem]
    visits: list[Visit]
    places: dict[str, int]  # visit -> which of its day and form (visits/naming.py)
    orders: list[Order]
    facts: dict[str, Any]
    trends: list[trend.Trend]
    latest: dict[str, tuple[Any, str]]
    last: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Standing:
    """How somebody's page stands, without what is on it. `kept`: as it was rendered for somebody of the same
    kind."""

    id: str
    birth_date: date
    seq: int
    epoch: str
    kept: rendered.Kept = rendered.NOT_KEPT


def panel(user: User) -> list[Standing]:
    """Everybody of the pack, newest changes first."""
    seq = func.coalesce(Touch.seq, 0)
    statement = (
        select(Patient.id, Patient.birth_date, seq, feed.EPOCH)
        .outerjoin(Touch, Touch.patient_id == Patient.id)
        .where(scope.condition(user), Patient.ended_on.is_(None))
        .order_by(seq.desc(), Patient.village_code, Patient.name_py, Patient.id)
    )
    return [Standing(*row) for row in db.session.execute(statement)]


def standing(user: User, patient_id: str, address: str) -> Standing | None:
    """One of those on whom `user` may do `chart`; None: ask scope why not."""
    about = {"patient_id": patient_id, "address": address, "variant": rendered.variant(user)}
    row = db.session.execute(_standing(scope.Asker.of(user)), about).first()
    if row is None:
        return None
    found, birth_date, seq, epoch, stamp, body = row
    return Standing(found, birth_date, seq, epoch, rendered.Kept.of(stamp, body))


@lru_cache(maxsize=500)
def _standing(asker: scope.Asker) -> Select[Any]:
    """The question for one asker, made once: to make it anew costs as much as to have it answered."""
    kept = RenderedPage
    return (
        select(Patient.id, Patient.birth_date, func.coalesce(Touch.seq, 0), feed.EPOCH, kept.stamp, kept.body)
        .outerjoin(Touch, Touch.patient_id == Patient.id)
        .outerjoin(kept, and_(kept.url == bindparam("address"), kept.variant == bindparam("variant")))
        .where(Patient.id == bindparam("patient_id"), scope.condition(asker, "chart"))
    )


def load_many(patients: Sequence[Patient]) -> list[View]:
    """Views in the order of `patients`. The number of statements does not grow with them."""
    ids = [patient.id for patient in patients]
    today = clock.today()
    measured = observations.of_many(ids)
    facts = grading.facts_of_many(patients, today, measured)
    grades = grading.current_many(ids)
    due = plans.open_items_many(ids)
    visited = visits.of_many(ids, REMEMBERED_VISITS)
    ordered = orders.of_patients(ids)
    names = orgs.names({code for p in patients for code in (p.village_code, p.town_code)})
    latest = {patient_id: _latest(rows) for patient_id, rows in measured.items()}
    return [
        View(
            patient=p,
            village=names.get(p.village_code, ""),
            town=names.get(p.town_code, ""),
            grade=grades.get(p.id),
            due=due.get(p.id, []),
            visits=visited[p.id][:SHOWN_VISITS],
            places=naming.places(reversed(visited[p.id])),
            orders=list(ordered.get(p.id, []))[:SHOWN_ORDERS],
            facts={key: value for key, value in facts[p.id].items() if key != "as_of"},
            trends=_trends(p, measured[p.id], visited[p.id][:SHOWN_VISITS], facts[p.id], today),
            latest=latest[p.id],
            last=_last(latest[p.id], visited[p.id]),
        )
        for p in patients
    ]


def load(patient: Patient) -> View:
    return load_many([patient])[0]


def visit_on_row(patient_id: str, row: str) -> str | None:
    """The visit on this row of the page, of which 1 is the newest."""
    if not (row.isascii() and row.isdigit() and len(row) < TAIL and int(row)):
        return None
    rows = visits.of(patient_id, SHOWN_VISITS)
    return rows[int(row) - 1].id if int(row) <= len(rows) else None


def visit_id(patient_id: str, asked: str) -> str | None:
    """The visit of this person that an address names: by day and form, or, as pages of older builds do, by
    the end of its id."""
    if (name := naming.read(asked)) is not None:
        return visits.named(patient_id, name)
    return _by_tail(patient_id, asked) if len(asked) >= TAIL else None


def _by_tail(patient_id: str, tail: str) -> str | None:
    """Cancelled or not; of several, the one highest on the page."""
    standing = [visit.id for visit in visits.of(patient_id)]
    rest = db.session.scalars(
        select(Visit.id).where(Visit.patient_id == patient_id).order_by(Visit.id.desc())
    )
    return next((one for one in [*standing, *rest] if one.endswith(tail)), None)


def _trends(
    patient: Patient, rows: Iterable[Any], seen: list[Visit], facts: dict[str, Any], today: date
) -> list[trend.Trend]:
    kept = list(rows)
    pressure = [(r.observed_on, r.value) for r in kept if r.code == "bp" and isinstance(r.value, dict)]
    glucose = [(r.observed_on, float(r.value)) for r in kept if r.code == "fpg" and r.number is not None]
    conditions = facts.get("conditions")
    events = trend.medicine_events([(v.visited_on, v.form, v.answers) for v in reversed(seen)])
    target = trend.bp_target(conditions, age_on(patient.birth_date, today))
    found = [
        trend.blood_pressure(pressure, target, events),
        trend.fasting_glucose(glucose, "diabetes_t2" in (conditions or [])),
    ]
    return [one for one in found if one is not None]


def _latest(rows: Iterable[Any]) -> dict[str, tuple[Any, str]]:
    return observations.latest_values(row for row in rows if row.source == "visit")


def _last(latest: dict[str, tuple[Any, str]], seen: list[Visit]) -> dict[str, dict[str, Any]]:
    """form -> {field: {value, on}}: what is shown as 上次 beside a measured field, and the lists to copy.

    The newest measurement counts, whatever form it came from; codes of options stay with their own form.
    """
    found: dict[str, dict[str, Any]] = {}
    for form, definition in engine.all_definitions().items():
        previous = next((v for v in seen if v.form == form and v.answers.get("lost_reason") is None), None)
        before = None if previous is None else (_kept(definition, previous), previous.visited_on.isoformat())
        if values := engine.last_values(form, latest, before):
            found[form] = values
    return found


def _kept(definition: engine.Definition, visit: Visit) -> dict[str, Any]:
    fields = definition.fields
    return {
        key: value
        for key, value in visit.answers.items()
        if key in fields and (fields[key]["type"] in NUMBERS or fields[key].get("copy_last"))
    }
