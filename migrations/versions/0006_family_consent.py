"""Relatives are bound by invitation and see what the person consents to; records restricted and disclosed.

Who was bound before keeps what they could see, written down as consents of version 0; a copy of the whole
record was never among it.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from app.shared.ids import new_id

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE = ("state", "readings", "orders", "readers")


def upgrade() -> None:
    with op.batch_alter_table("family_links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_by", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("ended_how", sa.String(length=10), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_family_links_ended_by"), "users", ["ended_by"], ["id"])
        batch_op.drop_constraint(batch_op.f("uq_family_links_user_id_patient_id"), type_="unique")
        batch_op.create_index(
            "uq_family_links_open", ["user_id", "patient_id"], unique=True,
            sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
        )  # fmt: skip
    # Not as a batch: that would make `patients` anew on SQLite, and others refer to it.
    op.add_column("patients", sa.Column("restricted_at", sa.DateTime(), nullable=True))
    grants = op.create_table(
        "family_grants",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["family_links.id"], name=op.f("fk_family_grants_link_id")),
        sa.PrimaryKeyConstraint("link_id", "purpose", name=op.f("pk_family_grants")),
    )
    consents = op.create_table(
        "consents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=10), nullable=False),
        sa.Column("said_by", sa.String(length=6), nullable=False),
        sa.Column("guardian", sa.String(length=50), nullable=True),
        sa.Column("recorded_by", sa.String(length=36), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_consents_patient_id")),
        sa.ForeignKeyConstraint(["link_id"], ["family_links.id"], name=op.f("fk_consents_link_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["users.id"], name=op.f("fk_consents_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_table(
        "family_invitations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("said_by", sa.String(length=6), nullable=False),
        sa.Column("guardian", sa.String(length=50), nullable=True),
        sa.Column("made_by", sa.String(length=36), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(length=36), nullable=True),
        sa.Column("claimed_at", sa.DateTime(), nullable=True),
        sa.Column("relation", sa.String(length=10), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=36), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_family_invitations_patient_id")
        ),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_family_invitations_made_by")),
        sa.ForeignKeyConstraint(["claimed_by"], ["users.id"], name=op.f("fk_family_invitations_claimed_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["users.id"], name=op.f("fk_family_invitations_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_invitations")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_family_invitations_code_hash")),
    )
    op.create_table(
        "restrictions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("asked_by", sa.String(length=6), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(length=36), nullable=False),
        sa.Column("lifted_at", sa.DateTime(), nullable=True),
        sa.Column("lifted_by", sa.String(length=36), nullable=True),
        sa.Column("lifted_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_restrictions_patient_id")),
        sa.ForeignKeyConstraint(["by"], ["users.id"], name=op.f("fk_restrictions_by")),
        sa.ForeignKeyConstraint(["lifted_by"], ["users.id"], name=op.f("fk_restrictions_lifted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restrictions")),
    )
    op.create_table(
        "disclosures",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("patient_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("what", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_disclosures_patient_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_disclosures_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
    )
    for table, column in (
        ("consents", "patient_id"), ("consents", "link_id"), ("family_invitations", "patient_id"),
        ("family_invitations", "claimed_by"), ("restrictions", "patient_id"), ("disclosures", "patient_id"),
    ):  # fmt: skip
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)
    _write_down_what_stood(grants, consents)
    _guard()


def _guard() -> None:
    """A consent that was given or withdrawn is never rewritten. Making `consents` anew on SQLite drops this."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER consents_unchanged BEFORE UPDATE ON consents"
            " BEGIN SELECT RAISE(ABORT, 'consents are never changed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION consents_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'consents are never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER consents_unchanged BEFORE UPDATE ON consents"
        " FOR EACH ROW EXECUTE FUNCTION consents_unchanged()"
    )


def _write_down_what_stood(grants: sa.Table, consents: sa.Table) -> None:
    connection = op.get_bind()
    links = sa.table("family_links", *(sa.column(name) for name in ("id", "patient_id", "ended_at")))
    now = datetime.now(UTC).replace(tzinfo=None)
    found = connection.execute(sa.select(links.c.id, links.c.patient_id).where(links.c.ended_at.is_(None)))
    pairs = [(link, purpose) for link in found.all() for purpose in BEFORE]
    if pairs:
        op.bulk_insert(grants, [{"link_id": link.id, "purpose": purpose} for link, purpose in pairs])
        op.bulk_insert(
            consents,
            [
                {
                    "id": new_id(), "patient_id": link.patient_id, "link_id": link.id, "purpose": purpose,
                    "given": True, "text_version": "0", "said_by": "本人", "guardian": None,
                    "recorded_by": None, "at": now,
                }
                for link, purpose in pairs
            ],
        )  # fmt: skip


def downgrade() -> None:
    for table in ("disclosures", "restrictions", "family_invitations", "consents", "family_grants"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION consents_unchanged()")
    op.drop_column("patients", "restricted_at")
    # Of somebody bound more than once the newest binding stays: there was room for one.
    op.execute(
        "DELETE FROM family_links WHERE EXISTS (SELECT 1 FROM family_links AS later"
        " WHERE later.user_id = family_links.user_id AND later.patient_id = family_links.patient_id"
        " AND (later.started_at > family_links.started_at"
        "  OR (later.started_at = family_links.started_at AND later.id > family_links.id)))"
    )
    with op.batch_alter_table("family_links", schema=None) as batch_op:
        batch_op.drop_index("uq_family_links_open")
        batch_op.drop_constraint(batch_op.f("fk_family_links_ended_by"), type_="foreignkey")
        batch_op.create_unique_constraint(
            batch_op.f("uq_family_links_user_id_patient_id"), ["user_id", "patient_id"]
        )
        batch_op.drop_column("ended_how")
        batch_op.drop_column("ended_by")
