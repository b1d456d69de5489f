"""Everything the patient page shows, read for many patients at once in a bounded number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.chart import trend
from app.forms import engine
from app.grading import service as grading
from app.grading.models import CurrentGrade
from app.observations import service as observations
from app.orders import service as orders
from app.orders.models import Order
from app.orgs import service as orgs
from app.patients.identity import age_on
from app.patients.models import Patient
from app.plans import service as plans
from app.plans.models import PlanItem
from app.shared import clock
from app.visits import service as visits
from app.visits.models import Visit

SHOWN_VISITS = 10
SHOWN_ORDERS = 5
NUMBERS = ("int", "dec1", "dec3")
REMEMBERED_VISITS = 20  # enough to hold the last visit with each form
LISTS_COPIED = ("meds", "insulin")


@dataclass(frozen=True)
class View:
    """One patient as the page shows them."""

    patient: Patient
    village: str
    town: str
    grade: CurrentGrade | None
    due: list[PlanItem]
    visits: list[Visit]
    orders: list[Order]
    facts: dict[str, Any]
    trends: list[trend.Trend]
    last: dict[str, dict[str, Any]]
    last_lists: dict[str, dict[str, Any]]


def load_many(patients: Sequence[Patient]) -> list[View]:
    """Views in the order of `patients`. The number of statements does not grow with them."""
    ids = [patient.id for patient in patients]
    today = clock.today()
    facts = grading.facts_of_many(patients, today)
    measured = observations.of_many(ids)
    grades = grading.current_many(ids)
    due = plans.open_items_many(ids)
    visited = visits.of_many(ids, REMEMBERED_VISITS)
    ordered = orders.of_patients(ids)
    names = orgs.names({code for p in patients for code in (p.village_code, p.town_code)})
    return [
        View(
            patient=p,
            village=names.get(p.village_code, ""),
            town=names.get(p.town_code, ""),
            grade=grades.get(p.id),
            due=due.get(p.id, []),
            visits=visited[p.id][:SHOWN_VISITS],
            orders=list(ordered.get(p.id, []))[:SHOWN_ORDERS],
            facts={key: value for key, value in facts[p.id].items() if key != "as_of"},
            trends=_trends(p, measured[p.id], visited[p.id][:SHOWN_VISITS], facts[p.id], today),
            last=_last(measured[p.id], visited[p.id]),
            last_lists=_last_lists(visited[p.id]),
        )
        for p in patients
    ]


def load(patient: Patient) -> View:
    return load_many([patient])[0]


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


def _last(rows: Iterable[Any], seen: list[Visit]) -> dict[str, dict[str, Any]]:
    """Newest measured value under the key of each form's field, whatever form it came from."""
    latest = observations.latest_values(row for row in rows if row.source == "visit")
    found: dict[str, dict[str, Any]] = {}
    for form in engine.all_definitions():
        previous = next((v for v in seen if v.form == form and v.answers.get("lost_reason") is None), None)
        answers = {} if previous is None else _figures(form, previous.answers)
        day = previous.visited_on.isoformat() if previous is not None else ""
        for key, said in engine.last_values(form, latest, (answers, day) if previous else None).items():
            if key not in found or found[key]["on"] < said["on"]:
                found[key] = said
    return found


def _figures(form: str, answers: dict[str, Any]) -> dict[str, Any]:
    """Numbers only: an option's code means something else in another form."""
    fields = engine.definition(form).fields
    return {key: value for key, value in answers.items() if key in fields and fields[key]["type"] in NUMBERS}


def _last_lists(seen: list[Visit]) -> dict[str, dict[str, Any]]:
    """form -> {meds, insulin} of its newest visit that names any."""
    found: dict[str, dict[str, Any]] = {}
    for visit in seen:
        lists = {key: visit.answers[key] for key in LISTS_COPIED if visit.answers.get(key)}
        if lists:
            found.setdefault(visit.form, lists)
    return found
