"""/patients/<id>/rights, numbers, copy, restriction, restricted."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_login import current_user

from app.accounts import audit, throttle
from app.errors import DomainError, only_typed
from app.guard import may
from app.orgs import service as orgs
from app.patients import rights, scope
from app.patients.models import Patient
from app.rights import content
from app.shared import clock, scope_table, secretbox
from app.shared.page import page

bp = Blueprint("rights", __name__)
COPIES_AN_HOUR = 20


@bp.get("/restricted")
@may("open")
def restricted_list() -> Response:
    found = rights.restricted_of(current_user)
    places = orgs.names({patient.village_code for patient in found})
    audit.listed("patient.list", len(found))
    rows = [(patient, places.get(patient.village_code, "")) for patient in found]
    return page("rights/list.html", tab="me", rows=rows)


@bp.get("/patients/<patient_id>/rights")
@may("numbers")
def overview(patient_id: str) -> Response:
    patient = _known(patient_id)
    audit.read("patient.read", patient.id, patient_id=patient.id)
    return _overview(patient)


@bp.post("/patients/<patient_id>/numbers")
@may("numbers")
def numbers(patient_id: str) -> Response:
    """The numbers are on this one answer."""
    patient = scope.get(current_user, patient_id, "numbers")
    try:
        _disclose(patient, "numbers", request.form.get("reason", ""))
    except DomainError as no:
        return _overview(_known(patient_id), no, "numbers")
    return _overview(_known(patient_id), shown=True)


@bp.post("/patients/<patient_id>/restriction")
@may("restrict")
def restrict(patient_id: str) -> Response:
    form = request.form
    try:
        rights.restrict(current_user, patient_id, form.get("asked_by", ""), form.get("reason", ""))
    except DomainError as no:
        return _overview(_known(patient_id), only_typed(no), "restriction")
    return redirect(f"/patients/{patient_id}/rights", 303)  # type: ignore[return-value]


@bp.post("/patients/<patient_id>/restriction/lift")
@may("lift")
def lift(patient_id: str) -> Response:
    try:
        rights.lift(current_user, patient_id, request.form.get("why", ""))
    except DomainError as no:
        return _overview(_known(patient_id), only_typed(no), "lift")
    return redirect(f"/patients/{patient_id}", 303)  # type: ignore[return-value]


@bp.get("/patients/<patient_id>/restricted")
@may("open")
def restricted(patient_id: str) -> Response:
    patient = scope.get(current_user, patient_id, "open")
    audit.read("patient.read", patient.id, patient_id=patient.id)
    return _restricted(patient)


@bp.post("/patients/<patient_id>/restricted")
@may("open")
def open_restricted(patient_id: str) -> Response:
    """The record, once, for a reason that is kept."""
    patient = scope.get(current_user, patient_id, "open")
    if patient.restricted_at is None:
        return redirect(f"/patients/{patient_id}", 303)  # type: ignore[return-value]
    try:
        _disclose(patient, "restricted", request.form.get("reason", ""))
    except DomainError as no:
        return _restricted(scope.get(current_user, patient_id, "open"), no)
    return _record(scope.get(current_user, patient_id, "open"))


@bp.get("/patients/<patient_id>/copy")
@may("copy")
def copy_page(patient_id: str) -> Response:
    patient = scope.get(current_user, patient_id, "copy")
    audit.read("patient.read", patient.id, patient_id=patient.id)
    return _copy_page(patient)


@bp.post("/patients/<patient_id>/copy")
@may("copy")
def take_copy(patient_id: str) -> Response:
    """The whole record, as a file for programs or as a page to read and print."""
    patient = scope.get(current_user, patient_id, "copy")
    wanted = request.form.get("format", "")
    if wanted not in ("json", "page"):
        return _copy_page(patient, DomainError("请选择要哪一种", field="format"))
    throttle.hit(f"copy:{current_user.id}", COPIES_AN_HOUR, window_s=3600)
    reason = "relative" if current_user.role == "family" else request.form.get("reason", "")
    if reason == "relative" and current_user.role != "family":
        reason = ""
    try:
        _disclose(patient, "copy", reason)
    except DomainError as no:
        return _copy_page(scope.get(current_user, patient_id, "copy"), no)
    patient = scope.get(current_user, patient_id, "copy")
    if wanted == "page":
        return _record(patient)
    made = content.everything(patient, current_user)
    response = Response(json.dumps(made, ensure_ascii=False, indent=1), mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="nuanxun-{clock.today():%Y%m%d}.json"'
    return response


def _known(patient_id: str) -> Patient:
    """Whose rights are dealt with here: the page itself shows no more than a name and masked numbers."""
    action = "restrict" if scope_table.may(current_user.role, "restrict") else "numbers"
    return scope.get(current_user, patient_id, action)


def _disclose(patient: Patient, what: str, reason: str) -> None:
    rights.disclose(current_user, patient, what, reason, request.form.get("note", ""))


def _overview(
    patient: Patient, no: DomainError | None = None, part: str = "", shown: bool = False
) -> Response:
    standing = rights.restriction(patient)
    return page(
        "rights/overview.html",
        status=no.status if no else 200,
        tab=None,
        patient=patient,
        home="/patients" if standing else f"/patients/{patient.id}",
        standing=standing,
        full=_full(patient) if shown else None,
        reasons=rights.REASONS["numbers"],
        asked_by=rights.ASKED_BY,
        may={action: scope_table.may(current_user.role, action) for action in ("restrict", "lift", "open")},
        **_said(no, part),
    )


def _full(patient: Patient) -> list[tuple[str, str]]:
    numbers = [("身份证", secretbox.unseal(patient.id_card_sealed)), ("电话", patient.phone or "")]
    return [*numbers, (patient.contact_name or "联系人", patient.contact_phone or "")]


def _restricted(patient: Patient, no: DomainError | None = None) -> Response:
    standing = rights.restriction(patient)
    if standing is None:
        return redirect(f"/patients/{patient.id}", 303)  # type: ignore[return-value]
    return page(
        "rights/restricted.html",
        status=no.status if no else 200,
        tab=None,
        patient=patient,
        standing=standing,
        reasons=rights.REASONS["restricted"],
        **_said(no, "open"),
    )


def _copy_page(patient: Patient, no: DomainError | None = None) -> Response:
    family = current_user.role == "family"
    reasons = {key: words for key, words in rights.REASONS["copy"].items() if key != "relative"}
    return page(
        "rights/copy.html",
        status=no.status if no else 200,
        tab=None,
        patient=patient,
        home=f"/family/{patient.id}" if family else f"/patients/{patient.id}/rights",
        reasons={} if family else reasons,
        **_said(no, "copy"),
    )


def _record(patient: Patient) -> Response:
    made = content.everything(patient, current_user)
    return page(
        "rights/record.html",
        tab=None,
        patient=patient,
        home="/family" if current_user.role == "family" else f"/patients/{patient.id}/rights",
        copy=made,
        parts=content.readable(made),
    )


def _said(no: DomainError | None, part: str) -> dict[str, Any]:
    """What was sent and what is wrong with it, for the one form (`part`) it came from."""
    errors = {error["pointer"].strip("/"): error["message"] for error in no.errors} if no else {}
    return {
        "part": part if no else "",
        "given": request.form if no else {},
        "errors": errors,
        "fault": no.detail if no is not None and not errors else "",
    }
