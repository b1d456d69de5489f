"""What earlier visits say to the next one stands beside the current grade; None until the next visit."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

REMEMBERED = sa.text("code IN ('conditions', 'height', 'lives_alone')")


def upgrade() -> None:
    op.add_column("current_grades", sa.Column("past", sa.Text(), nullable=True))
    op.drop_index("ix_observations_remembered", table_name="observations")


def downgrade() -> None:
    op.create_index(
        "ix_observations_remembered", "observations", ["patient_id", "code", "observed_on"],
        sqlite_where=REMEMBERED, postgresql_where=REMEMBERED,
    )  # fmt: skip
    op.drop_column("current_grades", "past")
