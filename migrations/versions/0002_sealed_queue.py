"""What an operation mends, and the index by which a phone's receipts are compared."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("revisions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replaces", sa.String(length=36), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_revisions_author_id_replaces"), ["author_id", "replaces"], unique=True
        )
        batch_op.create_index(
            batch_op.f("ix_revisions_author_id_device_id_recorded_at"),
            ["author_id", "device_id", "recorded_at"],
        )


def downgrade() -> None:
    with op.batch_alter_table("revisions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_revisions_author_id_device_id_recorded_at"))
        batch_op.drop_index(batch_op.f("ix_revisions_author_id_replaces"))
        batch_op.drop_column("replaces")
