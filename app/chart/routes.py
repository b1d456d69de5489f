"""The patient page."""

from __future__ import annotations

from flask import Blueprint, Response, redirect
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from app.accounts import audit
from app.accounts.models import CLINICIANS
from app.chart import pages, queries
from app.errors import NotFound
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


@bp.get("/patients/<patient_id>/visits/<tail>")
@roles(*CLINICIANS, "manager")
def visit(patient_id: str, tail: str) -> Redirect:
    """The history names visits by the end of their id: whole ids were a third of a visit pack."""
    found = scope.get(current_user, patient_id)
    visit_id = queries.visit_id(found.id, tail)
    if visit_id is None:
        raise NotFound()
    return redirect(f"/visits/{visit_id}")
