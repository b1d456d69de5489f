"""/family and /family/<patient>/readers"""

from __future__ import annotations

import re

from flask import Blueprint, Response, request
from flask_login import current_user

from app.accounts import audit
from app.family import home, readers
from app.guard import may
from app.patients import scope
from app.patients import service as patients
from app.pwa.registry import rev
from app.shared.page import page

bp = Blueprint("family", __name__)


@bp.get("/family")
@may("home")
def index() -> Response:
    user = current_user._get_current_object()
    links = patients.links_of(user)
    seq = home.newest(user, links)  # before what it speaks of is read
    context = home.context(user, links)
    for person in context["people"]:
        audit.read("patient.read", person["patient"].id, patient_id=person["patient"].id)
    return page("family/home.html", rev=rev(seq), **context)


@bp.get("/family/<patient_id>/readers")
@may("readers")
def who_read(patient_id: str) -> Response:
    user = current_user._get_current_object()
    patient = scope.get(user, patient_id, "readers")
    number = request.args.get("page", "")
    context = readers.context(user, patient, int(number) if re.fullmatch("[1-9][0-9]{0,4}", number) else 1)
    audit.read("readers.read", patient.id, patient_id=patient.id)
    return page("family/readers.html", **context)
