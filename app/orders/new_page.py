"""What the page shows on which a service is ordered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.orders import queries
from app.orders.catalogue import catalogue
from app.patients import identity, scope
from app.patients import service as patients
from app.patients.models import Patient
from app.shared import clock
from app.sync import feed

FAR_AHEAD_DAYS = 7  # of a family's calendar; staff plan further
STAFF_AHEAD_DAYS = 60


def newest(user: User) -> int:
    """The newest feed number about anybody whom the page names: a family's own people."""
    if user.role != "family":
        return 0
    people = [patient.id for _, patient in patients.links_of(user)]
    return max([feed.left_at(user), *feed.touched(people).values()])


def new_context(
    user: User, patient: Patient | None = None, chosen: dict[str, str] | None = None
) -> dict[str, Any]:
    """The catalogue and the form. A family finds its people here, staff the one they came from."""
    links = patients.links_of(user, "order") if user.role == "family" else []
    people = [_person(user, p, link.relation) for link, p in links]
    if patient is not None and user.role != "family":
        people = [_person(user, patient, "")]
    tomorrow = clock.today() + timedelta(days=1)
    ahead = FAR_AHEAD_DAYS if user.role == "family" else STAFF_AHEAD_DAYS
    first = patient.id if patient is not None else people[0]["id"] if people else ""
    return {
        "tab": "new-order",
        "lines": catalogue().offered(),
        "categories": catalogue().categories,
        "people": people,
        "first": first,
        "whom": next((p for p in people if p["id"] == first), None),
        "chosen": chosen or {},
        "tomorrow": tomorrow,
        "tomorrow_words": f"{tomorrow.month}月{tomorrow.day}日",
        "half_days": [(f"明天{word}", f"{tomorrow.isoformat()}T{hour}:00+08:00") for word, hour in HALF_DAYS],
        "today": clock.today(),
        "last_day": clock.today() + timedelta(days=ahead),
        "far_ahead_days": ahead,
        "initials": identity.initials,
    }


HALF_DAYS = (("上午", "09:00"), ("下午", "14:00"))


def _person(user: User, patient: Patient, relation: str) -> dict[str, str]:
    """Whom the order is for, and where to call and go: what the form is filled with beforehand."""
    own = user.phone if user.role == "family" else None
    return {
        "id": patient.id,
        "name": patient.name,
        "called": relation or patient.name,
        "phone": own or patient.phone or patient.contact_phone or "",
        "address": patient.address or queries.place_name(patient.village_code),
    }


def found(user: User, text: str) -> list[Patient]:
    """People of one's scope whose name or pinyin begins so; for staff who came without a person."""
    text = text.strip()
    if not text:
        return []
    statement = (
        select(Patient)
        .where(
            scope.condition(user, "order"),
            Patient.ended_on.is_(None),
            Patient.name.startswith(text, autoescape=True)
            | Patient.name_py.startswith(text.lower(), autoescape=True),
        )
        .order_by(Patient.name_py, Patient.id)
        .limit(30)
    )
    return list(db.session.scalars(statement))
