"""Registering a patient and changing contact data, as pages. The patient page itself is app/chart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from flask_login import current_user

from app.accounts import audit
from app.accounts.models import User
from app.errors import DomainError
from app.guard import may
from app.orgs import service as orgs
from app.patients import scope
from app.patients.schema import CONDITIONS, RELATIONS
from app.pwa import registry
from app.shared import scope_table
from app.shared.page import page
from app.shared.posted import based_on
from app.sync import service as sync

bp = Blueprint("patients", __name__)
OPTIONAL = ("address", "contact_name", "contact_phone", "contact_relation")


@bp.get("/patients/new")
@may("register")
def new() -> Response:
    return page("patients/form.html", rev=registry.rev(0), **_context(current_user, {}, []))


def pages_of(user: User) -> Iterator[registry.PackPage]:
    """Somebody may be registered where there is no signal."""
    if scope_table.may(user.role, "register"):
        rev = registry.rev(0)
        context = partial(_context, user, {}, [])
        yield registry.PackPage(
            "/patients/new", 0, lambda: render_template("patients/form.html", page_rev=rev, **context())
        )


@bp.post("/patients")
@may("register")
def create() -> Response:
    payload = _payload(("name", "id_card", "phone", "village_id"))
    try:
        result = sync.submit(current_user, "patient.create", payload)
    except DomainError as no:
        return _form_page(
            request.form.to_dict() | {"conditions": request.form.getlist("conditions")}, no.errors, no.status
        )
    return redirect(f"/patients/{result['entity_id']}", 303)  # type: ignore[return-value]


@bp.get("/patients/<patient_id>/edit")
@may("edit")
def edit(patient_id: str) -> Response:
    patient = scope.get(current_user, patient_id, "edit")
    audit.read("patient.read", patient.id, patient_id=patient.id)
    values = {name: getattr(patient, name) or "" for name in (*OPTIONAL, "phone")}
    values |= {"conditions": patient.conditions or [], "conditions_known": patient.conditions is not None}
    values["lives_alone"] = {True: "1", False: "0", None: ""}[patient.lives_alone]
    return _form_page(values, [], patient=patient)


@bp.post("/patients/<patient_id>")
@may("edit")
def update(patient_id: str) -> Response:
    patient = scope.get(current_user, patient_id, "edit")
    payload = {"patient_id": patient_id, **_payload(("phone",))}
    base = based_on(request.form.get("base_revision"), patient.revision)
    try:
        sync.submit(current_user, "patient.update", payload, base_revision=base)
    except DomainError as no:
        patient = scope.get(current_user, patient_id, "edit")
        audit.read("patient.read", patient.id, patient_id=patient.id)
        values = request.form.to_dict() | {"conditions": request.form.getlist("conditions")}
        return _form_page(
            values,
            no.errors or [{"pointer": "", "code": no.code, "message": no.detail}],
            no.status,
            patient=patient,
        )
    return redirect(f"/patients/{patient_id}", 303)  # type: ignore[return-value]


def _payload(required: tuple[str, ...]) -> dict[str, Any]:
    form = request.form
    payload: dict[str, Any] = {name: form.get(name, "") for name in required}
    payload |= {name: form[name] for name in OPTIONAL if form.get(name)}
    if alone := form.get("lives_alone"):
        payload["lives_alone"] = {"0": False, "1": True}.get(alone, alone)
    chosen = form.getlist("conditions")
    if chosen:
        payload["conditions"] = [code for code in chosen if code != "none"]
    return payload


def _form_page(values: dict[str, Any], errors: list[Any], status: int = 200, patient: Any = None) -> Response:
    context = _context(current_user, values, errors, patient)
    return page("patients/form.html", status=status, **context)


def _context(user: User, values: dict[str, Any], errors: list[Any], patient: Any = None) -> dict[str, Any]:
    villages, mine = orgs.villages_of((user.place_code or "")[:9]), scope.placeable(user)
    return {
        "tab": "patients",
        "values": values,
        "errors": {e["pointer"].strip("/").split("/")[0]: e["message"] for e in errors},
        "patient": patient,
        "villages": [village for village in villages if village.code in mine],
        "conditions": CONDITIONS,
        "relations": RELATIONS,
    }
