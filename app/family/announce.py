"""Who is told when a relative is being bound. A message names no illness, and a short one nobody at all."""

from __future__ import annotations

from app.accounts.models import User
from app.extensions import db
from app.notices.service import notify
from app.patients.models import FamilyInvitation, Patient


def claimed(patient_id: str, invitation: FamilyInvitation, relative: User) -> None:
    """Whoever made the code knows whom it was for."""
    patient = db.session.get_one(Patient, patient_id)
    notify(
        [invitation.made_by],
        "family.claim",
        "有家属等您确认",
        f"{relative.name} 输入了{patient.name}的绑定码，请核对后确认。",
        f"/patients/{patient_id}/family",
        key=f"family-claim:{invitation.id}",
    )


def decided(patient_id: str, relative_id: str, bound: bool) -> None:
    title, words = ("绑定好了", "现在可以在首页看到老人了。")
    if not bound:
        title, words = ("没有绑定", "卫生室没有确认这次绑定，请打电话问一问。")
    notify([relative_id], "family.decided", title, words, "/family", sms=True)
