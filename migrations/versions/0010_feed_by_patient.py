"""The feed is read by patient: what changed for a reader costs as much as their own people."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_revisions_patient_id_seq"), "revisions", ["patient_id", "seq"])
    op.drop_index(op.f("ix_revisions_patient_id_entity_kind"), table_name="revisions")


def downgrade() -> None:
    op.create_index(op.f("ix_revisions_patient_id_entity_kind"), "revisions", ["patient_id", "entity_kind"])
    op.drop_index(op.f("ix_revisions_patient_id_seq"), table_name="revisions")
