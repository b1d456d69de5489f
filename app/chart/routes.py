"""The patient page."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from app.accounts import audit
from app.chart import pages, queries
from app.errors import NotFound
from app.guard import may
from app.patients import scope
from app.shared import scope_table
from app.shared.page import page
from app.sync import feed

bp = Blueprint("chart", __name__)


@bp.get("/patients/<patient_id>")
@may("chart")
def patient(patient_id: str) -> Response:
    try:
        found = scope.get(current_user, patient_id, "chart")
    except scope.Restricted:
        if not scope_table.may(current_user.role, "open"):
            raise
        return redirect(f"/patients/{patient_id}/restricted")  # type: ignore[return-value]
    if request.args and (further := pages.onward(found.id, request.args)):
        return redirect(further)  # type: ignore[return-value]
    audit.read("patient.read", found.id, patient_id=found.id)
    view = queries.load(found)
    seq = feed.touched([found.id]).get(found.id, 0)
    return page("chart/patient.html", rev=pages.rev(seq), tab=None, **pages.context(view, current_user.role))


@bp.get("/patients/<patient_id>/visits/<tail>")
@may("chart")
def visit(patient_id: str, tail: str) -> Redirect:
    """As `?visit=` of the patient page: phones' own addresses, and pages of older builds."""
    found = scope.get(current_user, patient_id, "chart")
    visit_id = queries.visit_id(found.id, tail)
    if visit_id is None:
        raise NotFound()
    return redirect(f"/visits/{visit_id}")
