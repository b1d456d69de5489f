"""patient.create and patient.update as operations; the patient as a record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from app.accounts.models import User
from app.extensions import db
from app.patients import identity, scope, service
from app.patients.models import Patient
from app.patients.schema import PatientCreate, PatientUpdate
from app.shared import scope_table
from app.sync.models import Revision
from app.sync.registry import (
    Applied,
    Entity,
    Kind,
    Op,
    register_entity,
    register_kind,
    register_patient_names,
)


def register() -> None:
    may = scope_table.roles_of
    register_kind(
        Kind("patient.create", "patient", PatientCreate, frozenset(may("register")), _create, sealed=True)
    )
    register_kind(
        Kind("patient.update", "patient", PatientUpdate, frozenset(may("contact")), _update, needs_base=True)
    )
    register_entity(Entity("patient", _in_scope, scope.ids, _record, _show))
    register_patient_names(scope.names)


def _create(op: Op) -> Applied:
    patient = service.create(op.author, op.op_id, op.payload)
    return Applied(patient.id, patient.revision, patient.id)


def _update(op: Op) -> Applied:
    patient = service.update(op.author, op.payload, op.base_revision or 0)
    return Applied(patient.id, patient.revision, patient.id)


def _in_scope(user: User) -> ColumnElement[bool]:
    return Revision.patient_id.in_(scope.ids(user))


def _record(user: User, patient_id: str) -> dict[str, Any] | None:
    patient = db.session.scalar(select(Patient).where(Patient.id == patient_id))
    if patient is None:
        return None
    return {
        "name": patient.name,
        "sex": patient.sex,
        "birth_date": patient.birth_date.isoformat(),
        "id_card_masked": patient.id_card_masked,
        "phone": patient.phone,
        "address": patient.address,
        "contact_name": patient.contact_name,
        "contact_phone": patient.contact_phone,
        "contact_relation": patient.contact_relation,
        "village_id": patient.village_code,
        "conditions": None if user.role == "family" else patient.conditions,
        "lives_alone": patient.lives_alone,
    }


def _show(user: User, change: dict[str, Any]) -> dict[str, Any]:
    """Relatives get the number masked and no diagnoses."""
    payload = change["payload"]
    if user.role == "family":
        payload = {k: v for k, v in payload.items() if k != "conditions"}
        if "id_card" in payload:
            payload["id_card"] = identity.mask_id_card(payload["id_card"])
    return {**change, "payload": payload}
