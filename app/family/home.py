"""What the home shows: one card per person, the same for the route and for the visit pack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import current_app, render_template
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.family import rules
from app.grading import explain
from app.grading import service as grading
from app.notices import service as notices
from app.observations import service as observations
from app.orders import pages as order_pages
from app.orders import service as orders
from app.patients import bindings, consents, identity
from app.patients import service as patients
from app.patients.models import FamilyLink, Patient
from app.plans import service as plans
from app.pwa.registry import PackPage, rev
from app.shared import clock
from app.sync import feed

ORDERS_SHOWN = 3


def context(user: User, links: patients.Links) -> dict[str, Any]:
    ids = [patient.id for _, patient in links]
    agreed = consents.standing(link.id for link, _ in links)
    grades = grading.current_many(ids)
    due = plans.open_items_many(ids)
    placed = orders.of_patients(ids)
    doctors = _doctors({p.team_id for _, p in links if p.team_id})
    for link, patient in links:
        if "orders" not in agreed[link.id]:
            placed[patient.id] = []
    shown = [order for i in ids for order in _shown(placed[i])]
    return {
        "tab": "family",
        "people": [
            {
                **_person(user, link, patient, doctors, placed),
                **_state(
                    patient, grades.get(patient.id), due.get(patient.id, []), agreed[link.id], link.relation
                ),
            }
            for link, patient in links
        ],
        "paused": patients.restricted_links(user),
        "waiting": bindings.waiting_of(user),
        "emergency_phone": current_app.config["EMERGENCY_PHONE"],
        "unread": notices.unread_count(user),
        "ops": order_pages.ops_of(shown),
        "words": order_pages.words_block(user, links),
    }


def newest(user: User, links: patients.Links) -> int:
    """The newest feed number about anybody this relative is bound to."""
    return max([feed.left_at(user), *feed.touched(patient.id for _, patient in links).values()])


def pack_pages(user: User) -> Iterable[PackPage]:
    if user.role == "family":
        seq = newest(user, patients.links_of(user))

        def render() -> str:
            now = context(user, patients.links_of(user))
            return render_template("family/home.html", page_rev=rev(seq), **now)

        yield PackPage("/family", seq, render)


def _person(
    user: User, link: FamilyLink, patient: Patient, doctors: dict[str, User], placed: dict[str, list[Any]]
) -> dict[str, Any]:
    people = {patient.id: {"called": link.relation, "place": ""}}
    return {
        "patient": patient,
        "called": link.relation or patient.name,
        "age": identity.age_on(patient.birth_date, clock.today()),
        "doctor": doctors.get(patient.team_id or ""),
        "rows": [order_pages.row(user, order, people) for order in _shown(placed[patient.id])],
    }


def _state(patient: Patient, grade: Any, due: list[Any], agreed: set[str], called: str) -> dict[str, Any]:
    """How they are, as far as they agree to its being told."""
    told = {"agreed": agreed, "withheld": rules.withheld(called or patient.name, agreed)}
    if "state" not in agreed:
        return {**told, "story": None, "colour": None, "emergency": False, "figure": None, "due_on": None}
    colour = grade.colour if grade else "unrated"
    emergency = bool(grade and grade.emergency)
    general = explain.colour_words({"colour": colour, "emergency": emergency})["family"]
    story = rules.story(colour, emergency, grade.words if grade else [], general)
    return {
        **told,
        "colour": colour,
        "emergency": emergency,
        "story": story,
        "figure": _figure(patient.id, story.figure) if "readings" in agreed else None,
        "due_on": due[0].due_on if due else None,
    }


def _figure(patient_id: str, codes: tuple[str, ...]) -> tuple[Any, str] | None:
    if not codes:
        return None
    return rules.figure_of(codes, observations.of_many([patient_id], codes)[patient_id])


def _shown(placed: list[Any]) -> list[Any]:
    """Open orders first, then the latest ended ones."""
    still = sorted((o for o in placed if o.is_open), key=lambda o: (o.when_at, o.id))
    return (still + [o for o in placed if not o.is_open])[:ORDERS_SHOWN]


def _doctors(team_ids: set[str]) -> dict[str, User]:
    """The doctor of each team: the one the relative knows by name."""
    statement = select(User).where(User.team_id.in_(team_ids), User.role == "doctor", User.active)
    found: dict[str, User] = {}
    for doctor in db.session.scalars(statement.order_by(User.phone.is_(None), User.created_at, User.id)):
        found.setdefault(str(doctor.team_id), doctor)
    return found
