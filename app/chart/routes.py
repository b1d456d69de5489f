"""The patient page."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_login import current_user

from app.accounts import audit
from app.accounts.models import CLINICIANS
from app.chart import pages, queries
from app.guard import roles
from app.patients import scope
from app.shared.page import page
from app.sync import feed

bp = Blueprint("chart", __name__)


@bp.get("/patients/<patient_id>")
@roles(*CLINICIANS, "manager")
def patient(patient_id: str) -> Response:
    found = scope.get(current_user, patient_id)
    audit.read("patient.read", found.id, patient_id=found.id)
    view = queries.load(found)
    seq = feed.touched([found.id]).get(found.id, 0)
    return page("chart/patient.html", rev=pages.rev(seq), tab=None, **pages.context(view, current_user.role))
