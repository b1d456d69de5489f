"""What is asked of earlier visits and of open plans stands in the index: their rows lie on a page each."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

DONE, OPEN = sa.text("done_on IS NOT NULL"), sa.text("done_on IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_visits_newest", "visits", ["patient_id", "form", "visited_on", "visited_at", "voided", "id"]
    )
    op.drop_index(op.f("ix_visits_patient_id_visited_on"), table_name="visits")
    op.create_index(
        "ix_plan_items_history", "plan_items", ["patient_id", "form", "done_on", "asked_on"],
        sqlite_where=DONE, postgresql_where=DONE,
    )  # fmt: skip
    op.create_index(
        "ix_plan_items_open", "plan_items", ["patient_id", "form", "due_on", "label"],
        sqlite_where=OPEN, postgresql_where=OPEN,
    )  # fmt: skip
    op.drop_index(op.f("ix_plan_items_patient_id_done_on"), table_name="plan_items")
    op.drop_index(op.f("ix_plan_items_done_on_due_on"), table_name="plan_items")


def downgrade() -> None:
    op.create_index(op.f("ix_plan_items_done_on_due_on"), "plan_items", ["done_on", "due_on"])
    op.create_index(op.f("ix_plan_items_patient_id_done_on"), "plan_items", ["patient_id", "done_on"])
    op.drop_index("ix_plan_items_open", table_name="plan_items")
    op.drop_index("ix_plan_items_history", table_name="plan_items")
    op.create_index(op.f("ix_visits_patient_id_visited_on"), "visits", ["patient_id", "visited_on"])
    op.drop_index("ix_visits_newest", table_name="visits")
