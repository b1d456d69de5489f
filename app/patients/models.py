from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import db


class Patient(db.Model):
    """A resident in care. The identity number is sealed; its blind index keeps it unique.

    `conditions` None = never recorded, [] = recorded, none (domain/grading.md §3); likewise `lives_alone`.
    `sex` is the national code: 1 男, 2 女.
    """

    __tablename__ = "patients"
    __table_args__ = (Index(None, "team_id", "village_code"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    revision: Mapped[int] = mapped_column(default=1)
    record_no: Mapped[str | None] = mapped_column(String(17), unique=True)
    name: Mapped[str] = mapped_column(String(50))
    name_py: Mapped[str] = mapped_column(String(50))
    sex: Mapped[str] = mapped_column(String(1))
    birth_date: Mapped[date]
    id_card_sealed: Mapped[str] = mapped_column(Text)
    id_card_index: Mapped[str] = mapped_column(String(64), unique=True)
    id_card_masked: Mapped[str] = mapped_column(String(18))
    phone: Mapped[str | None] = mapped_column(String(20))
    contact_name: Mapped[str | None] = mapped_column(String(50))
    contact_phone: Mapped[str | None] = mapped_column(String(20))
    contact_relation: Mapped[str | None] = mapped_column(String(1))  # identity.md §4: 0本人 1配偶 2子 …
    village_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    town_code: Mapped[str] = mapped_column(ForeignKey("places.code"), index=True)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("teams.id"))
    address: Mapped[str | None] = mapped_column(String(200))
    conditions: Mapped[list | None]
    conditions_on: Mapped[date | None]
    lives_alone: Mapped[bool | None]
    hospice: Mapped[bool] = mapped_column(default=False)
    home_bed_open: Mapped[bool] = mapped_column(default=False)
    tubes: Mapped[list] = mapped_column(default=list)
    consent_at: Mapped[datetime | None]
    restricted_at: Mapped[datetime | None]  # its processing is restricted (Restriction)
    ended_on: Mapped[date | None]
    created_at: Mapped[datetime]


class FamilyLink(db.Model):
    """A relative bound to a patient. What they may see and do is FamilyGrant; bound anew is another row."""

    __tablename__ = "family_links"
    __table_args__ = (
        Index(
            "uq_family_links_open", "user_id", "patient_id", unique=True,
            sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    relation: Mapped[str] = mapped_column(String(10))  # what the relative calls them: 妈妈, 爸爸 …
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    ended_how: Mapped[str | None] = mapped_column(String(10))  # patient | relative | clinic


class FamilyGrant(db.Model):
    """A consent that stands now; how it came about is in Consent."""

    __tablename__ = "family_grants"

    link_id: Mapped[str] = mapped_column(ForeignKey("family_links.id"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(12), primary_key=True)


class Decision:
    """Who decided: 本人; 监护人, who then is named; 家属 who gave a binding back; 卫生室.

    `capacity`: why a guardian decides, a key of consents.CAPACITY; `basis`: what shows that they are it;
    `wish`: what the person themself would have, who understands some of it. Older rows have all of a
    guardian in `guardian`.
    """

    said_by: Mapped[str] = mapped_column(String(6))
    guardian: Mapped[str | None] = mapped_column(String(50))
    guardian_relation: Mapped[str | None] = mapped_column(String(20))
    capacity: Mapped[str | None] = mapped_column(String(8))
    basis: Mapped[str | None] = mapped_column(String(50))
    wish: Mapped[str | None] = mapped_column(String(200))


class Consent(Decision, db.Model):
    """One consent given or withdrawn. Rows are added, never changed.

    `text_version`: of the words that were read to them (purposes.py). `recorded_by` None: written by the
    migration for older bindings.
    """

    __tablename__ = "consents"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    link_id: Mapped[str] = mapped_column(ForeignKey("family_links.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(12))
    given: Mapped[bool]
    text_version: Mapped[str] = mapped_column(String(10))
    recorded_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime]


class FamilyInvitation(Decision, db.Model):
    """A code made at the clinic, entered by a relative (`claimed_*`), then confirmed by the clinic.

    Only a keyed hash of the code is kept. `expires_at`: until then it may be entered, and once
    it is, confirmed. `outcome`: confirmed | refused | withdrawn; what merely ran out has none.
    """

    __tablename__ = "family_invitations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purposes: Mapped[list]
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    claimed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    claimed_at: Mapped[datetime | None]
    relation: Mapped[str | None] = mapped_column(String(10))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    outcome: Mapped[str | None] = mapped_column(String(10))


class Restriction(db.Model):
    """That a record is kept but no longer used (instead of erased), from when to when, and why."""

    __tablename__ = "restrictions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    asked_by: Mapped[str] = mapped_column(String(6))  # 本人 | 监护人 | 近亲属
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    lifted_why: Mapped[str | None] = mapped_column(Text)


class Disclosure(db.Model):
    """Why somebody was shown what is otherwise kept back: full numbers, a restricted record, a whole copy.

    `what`: numbers | restricted | copy. `reason`: a code of rights.py; `note` in their own words.
    """

    __tablename__ = "disclosures"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    what: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(12))
    note: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]
