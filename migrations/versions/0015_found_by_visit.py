"""What is kept by visit is found by way of the visits; audit lines are put into the order of patients when they
are linked. The day of the last filled-in form stands beside the current grade, for lists."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NO_VISIT = sa.text("visit_id IS NULL")
LINKED = sa.text("position IS NOT NULL")
DONE = sa.text("done_on IS NOT NULL")
LAST = """UPDATE current_grades SET last_done_on = (
    SELECT max(done_on) FROM plan_items
    WHERE plan_items.patient_id = current_grades.patient_id AND plan_items.done_on IS NOT NULL)"""


def _partial(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.create_index("ix_observations_visit_id", "observations", ["visit_id"])
    _partial("ix_observations_without_visit", "observations", ["patient_id"], NO_VISIT)
    op.drop_index("ix_observations_patient_id_observed_on", table_name="observations")
    _partial("ix_grade_records_without_visit", "grade_records", ["patient_id", "at"], NO_VISIT)
    op.drop_index("ix_grade_records_patient_id_at", table_name="grade_records")
    _partial("ix_audit_lines_linked", "audit_lines", ["patient_id", "at"], LINKED)
    op.drop_index("ix_audit_lines_patient_id_at", table_name="audit_lines")
    op.add_column("current_grades", sa.Column("last_done_on", sa.Date(), nullable=True))
    op.execute(LAST)
    _partial("ix_plan_items_done", "plan_items", ["visit_id"], DONE)
    op.drop_index("ix_plan_items_history", table_name="plan_items")


def downgrade() -> None:
    _partial("ix_plan_items_history", "plan_items", ["patient_id", "form", "done_on", "asked_on"], DONE)
    op.drop_index("ix_plan_items_done", table_name="plan_items")
    op.drop_column("current_grades", "last_done_on")
    op.create_index("ix_audit_lines_patient_id_at", "audit_lines", ["patient_id", "at"])
    op.drop_index("ix_audit_lines_linked", table_name="audit_lines")
    op.create_index("ix_grade_records_patient_id_at", "grade_records", ["patient_id", "at"])
    op.drop_index("ix_grade_records_without_visit", table_name="grade_records")
    op.create_index("ix_observations_patient_id_observed_on", "observations", ["patient_id", "observed_on"])
    op.drop_index("ix_observations_without_visit", table_name="observations")
    op.drop_index("ix_observations_visit_id", table_name="observations")
