"""Indexes that hold only the rows asked for, and none that nobody asks: each visit writes them all."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

REMEMBERED = sa.text("code IN ('conditions', 'height', 'lives_alone')")
MENDS = sa.text("replaces IS NOT NULL")
UNASKED = (("observations", "visit_id"), ("plan_items", "visit_id"), ("current_grades", "colour"))
MENDED = "ix_revisions_author_id_replaces"


def upgrade() -> None:
    op.create_index(
        "ix_observations_remembered", "observations", ["patient_id", "code", "observed_on"],
        sqlite_where=REMEMBERED, postgresql_where=REMEMBERED,
    )  # fmt: skip
    op.drop_index(op.f(MENDED), table_name="revisions")
    op.create_index(
        op.f(MENDED), "revisions", ["author_id", "replaces"],
        unique=True, sqlite_where=MENDS, postgresql_where=MENDS,
    )  # fmt: skip
    for table, column in UNASKED:
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)


def downgrade() -> None:
    for table, column in UNASKED:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.drop_index(op.f(MENDED), table_name="revisions")
    op.create_index(op.f(MENDED), "revisions", ["author_id", "replaces"], unique=True)
    op.drop_index("ix_observations_remembered", table_name="observations")
