"""/patients/<id>/family: at the clinic, who is bound to a person, who waits, what the person agrees to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_login import current_user

from app.accounts import audit
from app.accounts import service as accounts
from app.errors import DomainError, only_typed
from app.guard import may
from app.patients import bindings, consents, deciding, scope
from app.patients.deciding import Word
from app.patients.identity import mask_phone
from app.patients.models import FamilyInvitation, Patient
from app.patients.purposes import PURPOSES, TEXTS, USUAL
from app.shared import qr
from app.shared.page import page

bp = Blueprint("bindings", __name__)


@bp.get("/patients/<patient_id>/family")
@may("bind")
def relatives(patient_id: str) -> Response:
    patient = scope.get(current_user, patient_id, "bind")
    audit.read("family.read", patient.id, patient_id=patient.id)
    return _page(patient)


@bp.post("/patients/<patient_id>/family/invitations")
@may("bind")
def invite(patient_id: str) -> Response:
    """The code is on this one answer, and nowhere else."""
    try:
        made, code = bindings.invite(current_user, patient_id, _purposes(), deciding.from_form(request.form))
    except DomainError as no:
        return _page(scope.get(current_user, patient_id, "bind"), only_typed(no))
    return _page(scope.get(current_user, patient_id, "bind"), made=made, code=code)


@bp.post("/patients/<patient_id>/family/invitations/<invitation_id>/confirm")
@may("bind")
def confirm(patient_id: str, invitation_id: str) -> Response:
    return _done(patient_id, lambda: bindings.confirm(current_user, patient_id, invitation_id))


@bp.post("/patients/<patient_id>/family/invitations/<invitation_id>/dismiss")
@may("bind")
def dismiss(patient_id: str, invitation_id: str) -> Response:
    return _done(patient_id, lambda: bindings.dismiss(current_user, patient_id, invitation_id))


@bp.get("/patients/<patient_id>/family/<link_id>")
@may("bind")
def relative(patient_id: str, link_id: str) -> Response:
    return _relative(patient_id, link_id)


@bp.post("/patients/<patient_id>/family/<link_id>/consents")
@may("bind")
def change(patient_id: str, link_id: str) -> Response:
    try:
        word = deciding.from_form(request.form)
        bindings.change(current_user, patient_id, link_id, _purposes(), word)
    except DomainError as no:
        return _relative(patient_id, link_id, only_typed(no), "consents")
    return redirect(f"/patients/{patient_id}/family/{link_id}", 303)  # type: ignore[return-value]


@bp.post("/patients/<patient_id>/family/<link_id>/end")
@may("bind")
def end(patient_id: str, link_id: str) -> Response:
    how = request.form.get("how", "")
    try:
        word = deciding.from_form(request.form) if how == "patient" else Word("卫生室")
        bindings.end(current_user, patient_id, link_id, how, word)
    except DomainError as no:
        return _relative(patient_id, link_id, only_typed(no), "end")
    return redirect(f"/patients/{patient_id}/family", 303)  # type: ignore[return-value]


def _done(patient_id: str, do: Any) -> Response:
    try:
        do()
    except DomainError as no:
        return _page(scope.get(current_user, patient_id, "bind"), only_typed(no))
    return redirect(f"/patients/{patient_id}/family", 303)  # type: ignore[return-value]


def _purposes() -> list[str]:
    """What was ticked. Something else there is no consent to anything."""
    ticked = request.form.getlist("purpose")
    if not set(ticked) <= PURPOSES.keys():
        raise DomainError("请重新勾选老人同意什么", field="purpose")
    return ticked


def _page(
    patient: Patient,
    no: DomainError | None = None,
    made: FamilyInvitation | None = None,
    code: str | None = None,
) -> Response:
    links = bindings.links_of_patient(patient.id)
    agreed = consents.standing(link.id for link, _ in links)
    link = f"{request.host_url}sign-in/join#{code}" if code else ""
    return page(
        "patients/family.html",
        status=no.status if no else 200,
        tab=None,
        patient=patient,
        relatives=[(link, user, mask_phone(user.phone), agreed[link.id]) for link, user in links],
        waiting=[_waiting(one) for one in bindings.open_invitations(patient.id)],
        code=code,
        made=made,
        address=link,
        qr=qr.svg(link) if link else "",
        most=bindings.MOST,
        **_form(no, USUAL),
    )


def _waiting(invitation: FamilyInvitation) -> dict[str, Any]:
    who = accounts.get(invitation.claimed_by)
    titles = [PURPOSES[key].title for key in invitation.purposes if key in PURPOSES]
    return {
        "it": invitation,
        "who": who,
        "phone": mask_phone(who.phone) if who else "",
        "titles": titles,
        "decided": deciding.spoken(invitation),
    }


def _relative(patient_id: str, link_id: str, no: DomainError | None = None, part: str = "") -> Response:
    """`part`: which of the two forms was refused."""
    patient, link = bindings.one(current_user, patient_id, link_id)
    audit.read("family.read", link.id, patient_id=patient.id)
    changes = consents.history(link.id)
    user = accounts.get(link.user_id)
    return page(
        "patients/family_link.html",
        status=no.status if no else 200,
        tab=None,
        patient=patient,
        link=link,
        user=user,
        phone=mask_phone(user.phone) if user else "",
        changes=[(one, PURPOSES[one.purpose], TEXTS[one.purpose, one.text_version]) for one in changes],
        spoken={one.id: deciding.spoken(one) for one in changes},
        part=part,
        names=accounts.names({one.recorded_by for one in changes if one.recorded_by}),
        how=bindings.HOW,
        **_form(no, consents.standing([link.id])[link.id]),
    )


def _form(no: DomainError | None, standing: Any) -> dict[str, Any]:
    """Purposes with their words, ticked as they stand, or as they were sent."""
    posted = no is not None
    errors = {error["pointer"].strip("/"): error["message"] for error in no.errors} if no else {}
    return {
        "purposes": PURPOSES.values(),
        "ticked": request.form.getlist("purpose") if posted and "how" not in request.form else standing,
        "said_by": deciding.SAID_BY,
        "capacities": deciding.CAPACITY.items(),
        "given": request.form if posted else {},
        "errors": errors,
        "fault": no.detail if no is not None and not errors else "",
    }
