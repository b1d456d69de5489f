"""Pages that were rendered once and are kept for the next reader. Only a cache: going down loses nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rendered_pages",
        sa.Column("url", sa.String(length=100), nullable=False),
        sa.Column("variant", sa.String(length=20), nullable=False),
        sa.Column("stamp", sa.String(length=120), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("url", "variant", name=op.f("pk_rendered_pages")),
    )
    op.create_index(op.f("ix_rendered_pages_kept_at"), "rendered_pages", ["kept_at"])


def downgrade() -> None:
    op.drop_table("rendered_pages")
