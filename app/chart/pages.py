"""The patient page as a person sees it and as a phone keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import current_app, render_template

from app.accounts.models import CLINICIANS, User
from app.chart import data, queries
from app.chart.queries import View
from app.forms import engine
from app.grading.explain import missing_text
from app.grading.rules import shipped_table
from app.orders.models import Order
from app.patients import scope
from app.patients.identity import age_on, mask_phone
from app.patients.models import Patient
from app.patients.schema import RELATIONS
from app.plans.index import embedded
from app.pwa import registry, rendered
from app.pwa.registry import PackPage
from app.shared import clock

TOP_REASONS = 3
FORM_ORDER = ("hypertension", "diabetes", "adl", "general")
SEX = {"1": "男", "2": "女"}


def context(view: View, role: str) -> dict[str, Any]:
    """What chart/patient.html needs. Only the age in it depends on the day, and the phone corrects that."""
    patient, grade = view.patient, view.grade
    words = grade.words if grade else []
    emergency = bool(grade and grade.emergency)
    alarm = next((one for one in words if one["emergency"]), None) if emergency else None
    others = [one for one in words if one is not alarm]  # the banner says it once
    return {
        "view": view,
        "patient": patient,
        "title": patient.name,
        "sex": SEX[patient.sex],
        "age": age_on(patient.birth_date, clock.today()),
        "facts_line": facts_line(view),
        "grade": grade,
        "emergency": emergency,
        "alarm": alarm["text"] if alarm else "危急情况",
        "reasons": others[:TOP_REASONS],
        "more_reasons": others[TOP_REASONS:],
        "missing": [missing_text(key) for key in (grade.missing if grade else [])],
        "next_on": view.due[0].due_on if view.due else None,
        "titles": {key: form.zh for key, form in engine.all_definitions().items()},
        "orders": [order_line(order) for order in view.orders],
        "forms": [engine.all_definitions()[key] for key in FORM_ORDER],
        "first_form": view.due[0].form if view.due else FORM_ORDER[0],
        "calls": calls(patient),
        "phone_masked": mask_phone(patient.phone),
        "contact": contact(patient),
        "emergency_phone": current_app.config["EMERGENCY_PHONE"],
        "may_visit": role in CLINICIANS,
        "home": "/patients" if role == "manager" else "/today",
        "data": embedded(data_block(view)),
    }


def facts_line(view: View) -> list[str]:
    """高血压 · 2型糖尿病 · 独居"""
    patient, labels = view.patient, shipped_table()["labels"]["conditions"]
    conditions = view.facts.get("conditions")
    if conditions is None:
        found = ["慢性病未登记"]
    else:
        found = [labels[code] for code in conditions if code in labels]
        other = len(conditions) - len(found)
        found += ["其他疾病"] if other else [] if found else ["无慢性病"]
    marks = (
        ("独居", view.facts.get("lives_alone")),
        ("安宁疗护", patient.hospice),
        ("家庭病床", patient.home_bed_open),
        ("带管", patient.tubes),
        ("已结案", patient.ended_on),
    )
    return found + [word for word, true in marks if true]


def order_line(order: Order) -> dict[str, Any]:
    at = clock.local(order.when_at)
    return {
        "id": order.id,
        "on": at.date(),
        "what": f"{order.name} {at.hour}:{at:%M}",
        "state": order.state_words,
    }


def contact(patient: Patient) -> str:
    """王小明（子）"""
    relation = RELATIONS.get(patient.contact_relation or "", "")
    if not patient.contact_name:
        return relation
    return f"{patient.contact_name}（{relation}）" if relation else patient.contact_name


def calls(patient: Patient) -> list[tuple[str, str]]:
    """(whom, number): the person, then the contact; only numbers that are there."""
    pairs = (("本人", patient.phone), (patient.contact_name or "联系人", patient.contact_phone))
    return [(who, number) for who, number in pairs if number]


def data_block(view: View) -> dict[str, Any]:
    """What the scripts of this page and of the forms read; the rest they read off the page itself: name, sex,
    birth date, phone, village, visits, tasks, and the readings of its tables (chart/data.js)."""
    patient = view.patient
    facts = data.lean(view.facts)
    known = data.seen(facts, view.latest)
    seen, read = data.tabled(known, {trend.key: trend.rows for trend in view.trends})
    by, before = data.by_row([v.visited_on for v in view.visits], seen, data.besides(view.last, known))
    block = {
        "id": patient.id,
        "grade": {"colour": view.grade.colour} if view.grade else None,
        "facts": data.plain(facts),
        "by": by,
        "read": read,
        "before": before,
    }
    return {key: value for key, value in block.items() if value not in (None, {})}


ONWARD = {
    "edit": "/patients/{}/edit",
    "family": "/patients/{}/family",
    "rights": "/patients/{}/rights",
    "order": "/orders/new?patient={}",
}


def onward(patient_id: str, asked: Mapping[str, str]) -> str | None:
    """Where a link of the page leads that names only what differs: ?to=edit, ?form=adl, ?visit=3 (its row).

    A whole address in each link was a tenth of a visit pack, the ends of ids a seventh. Rows are counted on
    the page as it is now: a browser without our script keeps no older one, and the script gives each row the
    name of its visit (visits/naming.py). Twin: static/js/chart/links.js.
    """
    if (to := asked.get("to", "")) in ONWARD:
        return ONWARD[to].format(patient_id)
    if (form := asked.get("form", "")) in engine.all_definitions():
        return f"/visits/new/{form}?patient={patient_id}"
    visit = asked.get("visit", "")
    visit_id = queries.visit_on_row(patient_id, visit) or queries.visit_id(patient_id, visit)
    return f"/visits/{visit_id}" if visit_id else None


def rev(seq: int) -> str:
    return registry.rev(seq)


def stamp(standing: queries.Standing) -> str:
    """What a rendering of this page depends on, but for the kind of reader; everything else about a person
    that a page shows touches them in the feed (docs/decisions/0005). The day only by the age: it is shown,
    and the pressure one should stay below follows from it."""
    age = age_on(standing.birth_date, clock.today())
    emergency = current_app.config["EMERGENCY_PHONE"]
    return rendered.stamp(rev(standing.seq), {"age": age, "call": emergency, "epoch": standing.epoch})


def html(view: View, seq: int, role: str, **given: Any) -> str:
    """`given`: whom the frame names, if not whoever is signed in."""
    return render_template("chart/patient.html", page_rev=rev(seq), tab=None, **context(view, role), **given)


def register() -> None:
    registry.register_pages(pages_of)


def pages_of(user: User) -> Iterable[PackPage]:
    """Every patient of a clinician's panel, newest changes first."""
    if user.role not in CLINICIANS:
        return
    people = queries.panel(user)
    views = _Views(user)
    for one in people:
        yield PackPage(address(one.id), one.seq, views.renderer(one), stamp(one), views.ready)


def address(patient_id: str) -> str:
    return f"/patients/{patient_id}"


class _Views:
    """Patients loaded many at a time when the first of them is asked for; each is forgotten when given.

    The first handful goes out while the others are still being read.
    """

    FIRST, MOST = 20, 240

    def __init__(self, user: User) -> None:
        self._user = user
        self._waiting: list[str] = []
        self._size = self.FIRST
        self._loaded: dict[str, View] = {}

    def ready(self, urls: list[str]) -> None:
        self._waiting = [url.rpartition("/")[2] for url in reversed(urls)]

    def renderer(self, standing: queries.Standing) -> Callable[..., str]:
        def render(reader: rendered.StandIn | None = None) -> str:
            given = {} if reader is None else {"current_user": reader}
            return html(self._view(standing.id), standing.seq, self._user.role, **given)

        return render

    def _view(self, patient_id: str) -> View:
        if patient_id not in self._loaded:
            self._load(patient_id)
        return self._loaded.pop(patient_id)

    def _load(self, first: str) -> None:
        ids = [first]
        while self._waiting and len(ids) < self._size:
            if (one := self._waiting.pop()) != first:
                ids.append(one)
        self._size = min(self._size * 4, self.MOST)
        self._loaded = {view.patient.id: view for view in queries.load_many(scope.some_of(self._user, ids))}
