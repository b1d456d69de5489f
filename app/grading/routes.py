"""What a clinician decides about a grade: lower it as the rules propose, or raise it."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.grading import service
from app.guard import may

bp = Blueprint("grading", __name__)


@bp.post("/patients/<patient_id>/grade/confirm")
@may("grade")
def confirm(patient_id: str) -> Response:
    service.confirm_downgrade(current_user, patient_id)
    return redirect(f"/patients/{patient_id}", 303)


@bp.post("/patients/<patient_id>/grade/raise")
@may("grade")
def raise_colour(patient_id: str) -> Response:
    service.raise_colour(
        current_user, patient_id, request.form.get("colour", ""), request.form.get("reason", "")
    )
    return redirect(f"/patients/{patient_id}", 303)
