"""What each visit asks about earlier ones stands in the index: the rows of years lie on a page each."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WIDER = (
    (
        "visits",
        "ix_visits_patient_id_visited_on", ["patient_id", "visited_on"],
        "ix_visits_newest", ["patient_id", "form", "visited_on", "visited_at", "voided", "id"],
    ),
    (
        "plan_items",
        "ix_plan_items_patient_id_done_on", ["patient_id", "done_on"],
        "ix_plan_items_history", ["patient_id", "form", "done_on", "asked_on"],
    ),
)  # fmt: skip


def upgrade() -> None:
    for table, narrow, _, wide, columns in WIDER:
        op.create_index(wide, table, columns)
        op.drop_index(op.f(narrow), table_name=table)


def downgrade() -> None:
    for table, narrow, columns, wide, _ in WIDER:
        op.create_index(op.f(narrow), table, columns)
        op.drop_index(wide, table_name=table)
