"""The form of a visit, the visit with its history, and the plain posts that work without our script."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import audit
from app.encounters.models import Visit
from app.errors import DomainError
from app.guard import may, within
from app.patients import scope
from app.patients.models import Patient
from app.pwa.registry import rev
from app.shared.page import page
from app.shared.posted import based_on
from app.sync import service as sync
from app.visits import html, pages, service

bp = Blueprint("visits", __name__)


@bp.get("/visits/new/<key>")
@may("visit")
def new(key: str) -> Response:
    """With ?patient= the server fills in the person: another representation, so it carries no revision
    and no phone keeps it."""
    form = pages.definition(key)
    patient_id = request.args.get("patient")
    if not patient_id:
        return page("visits/form.html", rev=rev(0), tab=None, **pages.blank_form(form))
    patient = scope.get(current_user, patient_id, "visit")
    audit.read("patient.read", patient.id, patient_id=patient.id)
    return page("visits/form.html", tab=None, **pages.patient_form(form, patient))


@bp.post("/visits")
@may("visit")
def create() -> Response:
    """visit.create posted by a browser without our script: the very same operation."""
    form = pages.definition(request.form.get("form", ""))
    patient = scope.get(current_user, request.form.get("patient_id", ""), "visit")
    payload = html.payload(form, request.form, patient_id=patient.id)
    try:
        result = sync.submit(current_user, "visit.create", payload)
    except DomainError as no:
        patient = scope.get(current_user, patient.id, "visit")
        audit.read("patient.read", patient.id, patient_id=patient.id)
        return _again(pages.patient_form(form, patient, **html.shown_again(payload, request.form, no)), no)
    return redirect(f"/patients/{patient.id}#record-{result['entity_id']}", 303)


@bp.get("/visits/<visit_id>")
@within("chart")
def detail(visit_id: str) -> Response:
    visit, patient = _visit(visit_id)
    audit.read("visit.read", visit.id, patient_id=patient.id)
    return page("visits/visit.html", tab=None, **pages.visit_page(current_user, visit, patient))


@bp.get("/visits/<visit_id>/correct")
@within("correct")
def correct_form(visit_id: str) -> Response:
    visit, patient = _correctable(visit_id)
    audit.read("visit.read", visit.id, patient_id=patient.id)
    return page("visits/form.html", tab=None, **pages.correct_form(visit, patient))


@bp.post("/visits/<visit_id>/correct")
@within("correct")
def correct(visit_id: str) -> Response:
    visit, patient = _correctable(visit_id)
    base = based_on(request.form.get("base_revision"), visit.revision)
    reason = request.form.get("reason", "")
    if request.form.get("void") == "true":
        gone = {"visit_id": visit.id, "reason": reason, "void": True}
        sync.submit(current_user, "visit.correct", gone, base_revision=base)
        return redirect(f"/visits/{visit.id}", 303)
    form = pages.definition(visit.form)
    payload = html.payload(form, request.form, visit.visited_at, visit_id=visit.id, reason=reason)
    try:
        sync.submit(current_user, "visit.correct", payload, base_revision=base)
    except DomainError as no:
        visit, patient = _correctable(visit_id)
        audit.read("visit.read", visit.id, patient_id=patient.id)
        posted = html.shown_again(payload, request.form, no)
        return _again(pages.correct_form(visit, patient, reason=reason, **posted), no)
    return redirect(f"/visits/{visit.id}", 303)


def _again(context: dict[str, Any], no: DomainError) -> Response:
    return page("visits/form.html", status=no.status, tab=None, **context)


def _visit(visit_id: str) -> tuple[Visit, Patient]:
    visit = service.get(current_user, visit_id)
    return visit, scope.get(current_user, visit.patient_id, "chart")


def _correctable(visit_id: str) -> tuple[Visit, Patient]:
    visit, patient = _visit(visit_id)
    if visit.voided or not service.may_correct(current_user, visit):
        raise DomainError("这次随访不能由您更正，或已经作废。", code="forbidden", status=403)
    return visit, patient
