"""The patient page."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response as Redirect

from app.accounts import audit
from app.chart import pages, queries
from app.errors import NotFound
from app.guard import may
from app.patients import scope
from app.pwa import rendered
from app.shared import scope_table

bp = Blueprint("chart", __name__)


@bp.get("/patients/<patient_id>")
@may("chart")
def patient(patient_id: str) -> Response:
    standing = queries.standing(current_user, patient_id, pages.address(patient_id))
    if standing is None:
        refusal = scope.refusal(current_user, patient_id, "chart")
        if isinstance(refusal, scope.Restricted) and scope_table.may(current_user.role, "open"):
            return redirect(f"/patients/{patient_id}/restricted")  # type: ignore[return-value]
        raise refusal
    if request.args and (further := pages.onward(standing.id, request.args)):
        return redirect(further)  # type: ignore[return-value]
    audit.read("patient.read", standing.id, patient_id=standing.id)
    return rendered.once(
        current_user,
        pages.address(standing.id),
        pages.stamp(standing),
        standing.kept,
        partial(_html, standing),
        rev=pages.rev(standing.seq),
    )


def _html(standing: queries.Standing, reader: rendered.StandIn) -> str:
    found = scope.get(current_user, standing.id, "chart")
    return pages.html(queries.load(found), standing.seq, reader.role, current_user=reader)


@bp.get("/patients/<patient_id>/visits/<named>")
@may("chart")
def visit(patient_id: str, named: str) -> Redirect:
    """As `?visit=` of the patient page, by what the visit is called (app/visits/naming.py): phones' own
    addresses, and those of pages of older builds."""
    found = scope.get(current_user, patient_id, "chart")
    visit_id = queries.visit_id(found.id, named)
    if visit_id is None:
        raise NotFound()
    return redirect(f"/visits/{visit_id}")
