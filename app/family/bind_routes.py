"""The relative's side of a binding: entering a code, what the person agrees to, giving the binding back."""

from __future__ import annotations

from flask import Response, redirect, request
from flask_login import current_user

from app.accounts import audit
from app.errors import DomainError, NotFound
from app.family.routes import bp
from app.guard import may
from app.patients import bindings, consents
from app.patients import service as patients
from app.patients.purposes import PURPOSES
from app.shared.page import page


@bp.get("/family/bind")
@may("join")
def bind_page() -> Response:
    """A code from a link or a QR code stands behind the # and is put in by a script: no server logs it."""
    return _bind_page()


@bp.post("/family/bind")
@may("join")
def bind() -> Response:
    try:
        bindings.claim(current_user, request.form.get("code", "")[:30], request.form.get("relation", ""))
    except DomainError as no:
        return _bind_page(no)
    return redirect("/family/bind?sent", 303)  # type: ignore[return-value]


@bp.get("/family/<patient_id>")
@may("home")
def mine(patient_id: str) -> Response:
    user = current_user._get_current_object()
    found = next(((link, p) for link, p in patients.links_of(user) if p.id == patient_id), None)
    if found is None:
        raise NotFound()
    link, patient = found
    audit.read("family.read", link.id, patient_id=patient.id)
    return page(
        "family/mine.html",
        tab="family",
        patient=patient,
        called=link.relation or patient.name,
        since=link.started_at,
        agreed=consents.standing([link.id])[link.id],
        purposes=PURPOSES.values(),
    )


@bp.post("/family/<patient_id>/leave")
@may("join")
def leave(patient_id: str) -> Response:
    bindings.leave(current_user, patient_id)
    return redirect("/family", 303)  # type: ignore[return-value]


def _bind_page(no: DomainError | None = None) -> Response:
    errors = {error["pointer"].strip("/"): error["message"] for error in no.errors} if no else {}
    response = page(
        "family/bind.html",
        status=no.status if no else 200,
        tab="family",
        sent="sent" in request.args and no is None,
        waiting=bindings.waiting_of(current_user),
        given=request.form if no else {},
        errors=errors,
        fault=no.detail if no is not None and not errors else "",
    )
    if no is not None:
        response.headers.extend(no.headers)
    return response
