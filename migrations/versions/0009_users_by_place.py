"""Users are found by their place and by their team without reading all of them."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_users_place_code"), "users", ["place_code"])
    op.create_index(op.f("ix_users_team_id"), "users", ["team_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_users_team_id"), table_name="users")
    op.drop_index(op.f("ix_users_place_code"), table_name="users")
